"""A controller that learns to beat a rising baseline in the eyes of a comparator.

Chen et al., "Contrastive Neural Architecture Search with Neural Architecture Comparators" (2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tierwise.architecture import Architectures, concatenate
from tierwise.candidates import FEWEST, Labels, fitted, random_proposals
from tierwise.errors import BadSetting, MissingExtra
from tierwise.history import History, Proposal

try:
    import torch

    from tierwise.strategies.ctnas_networks import Comparator, Controller
except ImportError as error:
    raise MissingExtra("strategy ctnas", "torch", "torch") from error

_UPGRADES = 20  # of the baseline, spread over the iterations, as published
_DRAWN = 10  # architectures that may become the baseline at each upgrade
_COMPARATOR_RATE = 2e-4
_CLOSE = 200  # of those drawn, the likeliest to beat the baseline, are compared with each other


@dataclass(frozen=True)
class CTNAS:
    """Random labels, then rounds: a comparator learns from every label, a controller learns to win in its eyes.

    first: random labels before the first round. iterations: steps of the controller in each ask. batch: architectures
    that it draws for each of them. learning_rate: of the controller (Adam). entropy: weight of the entropy of its
    decisions. pairs: pseudo-labelled pairs that the comparator learns from at each upgrade of the baseline; 0 for none.

    As published: the comparator (the registered predictor `ctnas`); an LSTM of 64 units; REINFORCE, the reward is the
    chance to be better than the baseline, entropy weight 5e-4; the baseline is upgraded 20 times in a search, to the
    best by row sum of 10 drawn and itself; the comparator learns on from its most confident pairs among random
    architectures, mixed 1:1 with labelled pairs, at a rate of 2e-4.
    Ours: a hundred iterations of several architectures at a larger rate, so that an ask takes seconds (published:
    10,000 at 2e-4); the mean reward of a batch is subtracted; exploration at each upgrade of the baseline (published:
    five times as often); the first baseline is the best label; what violates a limit has a reward of 0; rounds
    (published: all labels come first), of which each starts anew; proposed is the best by row sum of all that was drawn
    while the controller learnt, for a trained one draws little that is new.
    Chen et al., "Contrastive Neural Architecture Search with Neural Architecture Comparators" (2021).
    """

    first: int = 20
    iterations: int = 100
    batch: int = 16
    learning_rate: float = 0.01
    entropy: float = 5e-4
    pairs: int = 100

    def __post_init__(self) -> None:
        if self.first < FEWEST:
            raise BadSetting("first", self.first, f"{FEWEST} or more")
        if self.iterations < 1 or self.batch < 2:
            raise BadSetting("iterations and batch", (self.iterations, self.batch), "1 or more, and 2 or more")
        if not 0 < self.learning_rate < 1:
            raise BadSetting("learning_rate", self.learning_rate, "more than 0 and less than 1")
        if self.entropy < 0 or self.pairs < 0:
            raise BadSetting("entropy and pairs", (self.entropy, self.pairs), "0 or more")

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        """Random proposals until there are labels enough, then the best of what a controller draws while it learns."""
        done = history.done
        if len(history) < self.first or len(done) < FEWEST:
            return random_proposals("ctnas", history, min(n, max(self.first - len(history), 1)), rng)
        predictor: Any = fitted("ctnas", history.seed, Labels(done.archs, done.y))
        comparator = Comparator(predictor.network_, _COMPARATOR_RATE)
        generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        controller = Controller(history.space, generator)
        baseline, archs = self._train(controller, comparator, history, rng, generator)
        archs = archs[np.flatnonzero(history.fresh(archs))]
        if not len(archs):
            return random_proposals("ctnas", history, n, rng)
        wins = comparator.chances(archs, comparator.brings_second(baseline))[:, 0].numpy()
        close = np.argsort(-wins, kind="stable")[: max(_CLOSE, 4 * n)]
        archs, wins = archs[close], wins[close]
        sums = comparator.row_sums(archs).numpy()
        return [
            Proposal(
                archs[int(row)],
                {
                    "strategy": "ctnas",
                    "step": f"round on {len(done)} labels",
                    "baseline": str(baseline[0]),
                    "chance_to_beat_it": round(float(wins[row]), 4),
                },
            )
            for row in np.argsort(-sums, kind="stable")[:n]
        ]

    def _train(
        self,
        controller: Controller,
        comparator: Comparator,
        history: History,
        rng: np.random.Generator,
        generator: torch.Generator,
    ) -> tuple[Architectures, Architectures]:
        """Trains the controller against a baseline that rises: the last baseline, and all that was drawn."""
        optimizer = torch.optim.Adam(controller.parameters(), lr=self.learning_rate)
        baseline, every = history.best().archs, max(1, self.iterations // _UPGRADES)
        drawn, rival = list[Architectures](), comparator.brings_second(baseline)
        for step in range(1, self.iterations + 1):
            archs, chance, entropy = controller.draw(self.batch, generator)
            drawn.append(archs)
            reward = comparator.chances(archs, rival)[:, 0] * torch.from_numpy(history.feasible(archs))
            loss = -((reward - reward.mean()) * chance).mean() - self.entropy * entropy.mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step % every == 0:
                if self.pairs:
                    explore(comparator, history, self.pairs, rng)
                baseline = upgraded(comparator, baseline, _feasible(controller, history, _DRAWN, generator))
                rival = comparator.brings_second(baseline)
        return baseline, concatenate(drawn)


def upgraded(comparator: Comparator, baseline: Architectures, drawn: Architectures) -> Architectures:
    """The one with the largest row sum among those drawn and the baseline itself."""
    rivals = concatenate([baseline, drawn])
    best = int(comparator.row_sums(rivals).argmax())
    return rivals[best : best + 1]


def explore(comparator: Comparator, history: History, pairs: int, rng: np.random.Generator) -> None:
    """One step of the comparator on its most confident random pairs, taken at its word, and as many labelled ones."""
    one = history.space.sample(2 * pairs, rng)
    other = one[rng.permutation(len(one))]
    with torch.no_grad():
        chance = (comparator.sides(one)[..., 0] + comparator.sides(other)[..., 1]).sigmoid().mean(0)
    sure = (chance - 0.5).abs().argsort(descending=True, stable=True)[:pairs]
    done, rows = history.done, sure.numpy()
    first, second = rng.integers(len(done), size=(2, pairs))
    known = torch.from_numpy((np.sign(done.y[first] - done.y[second]) + 1) / 2).float()
    comparator.learn(
        concatenate([one[rows], done.archs[first]]),
        concatenate([other[rows], done.archs[second]]),
        torch.cat([(chance[sure] > 0.5).float(), known]),
    )


@torch.no_grad()
def _feasible(controller: Controller, history: History, n: int, generator: torch.Generator) -> Architectures:
    archs = controller.draw(n, generator)[0]
    return archs[np.flatnonzero(history.feasible(archs))]
