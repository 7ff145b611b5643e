"""Progressive growth from the smallest architecture, one change at a time: two methods of one name.

Zhou et al., "EPNAS: Efficient Progressive Neural Architecture Search" (2019).
Perez-Rua et al., "Efficient Progressive Neural Architecture Search" (2018).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architecture, Architectures
from tierwise.candidates import FEWEST, Labels, fitted, random_proposals
from tierwise.errors import BadSetting
from tierwise.history import History, Proposal
from tierwise.predictor import score_all
from tierwise.space import Space

_NAME = "epnas"
_SAMPLE = 2_000  # architectures among which the smallest is looked for
_DRAWN = 4  # times as many children are drawn by the policy as the predictor lets through
_MEMORY = 0.9  # of the moving average that rewards are compared with

Floats = NDArray[np.floating[Any]]
Move = tuple[NDArray[np.int16], NDArray[np.int16]]  # genes of the parent and of the child


@dataclass(frozen=True)
class EPNAS:
    """Children of what is kept are scored by a predictor; some of them are drawn, evaluated and kept in their turn.

    variant: "temperature" grows in sweeps from the smallest architecture; in each step one more choice departs from it.
    The children of the `k` best of the step before are drawn with chances proportional to exp(score / temperature).
    "policy" changes any one choice of the `k` best that have grown so far; a softmax policy over the changes, learnt by
    REINFORCE, draws them, and the predictor lets the best quarter through.
    predictor: a registered one. first: random labels that teach it. k: children evaluated in a step, and parents kept.
    warmest, coldest: temperatures at the first and the last planned trial, in units of the predictor's scores.
    learning_rate: of the policy. flops: FLOPs above which the policy's reward is multiplied by flops / FLOPs, 0 for
    none; limits of the study hold in any case.

    As published: growth, candidates drawn by temperature from a surrogate that learns from each step, several sweeps
    (2018); a policy over changes, several children at a time, a predictor that filters them, a soft constraint in the
    reward, a moving average as its baseline (2019).
    Ours: what growth means in a space of fixed choices. The smallest is the one of the fewest FLOPs among 2,000, in a
    space without costs the one with the first option everywhere; a step changes one gene. Random first labels, also
    parents in their step of a sweep; any registered predictor (published: recurrent networks on sequences); geometric
    annealing, all temperatures and rates; a table of one number for each option of each choice as the policy
    (published: an LSTM); results scaled to 0 to 1 as rewards. Weights are not shared: the evaluator trains as it likes.
    Zhou et al., "EPNAS: Efficient Progressive Neural Architecture Search" (2019); Perez-Rua et al., "Efficient
    Progressive Neural Architecture Search" (2018).
    """

    variant: Literal["policy", "temperature"] = "temperature"
    predictor: str = "forest"
    first: int = 20
    k: int = 10
    warmest: float = 1.0
    coldest: float = 0.05
    learning_rate: float = 0.5
    flops: float = 0.0

    def __post_init__(self) -> None:
        if self.variant not in ("policy", "temperature"):
            raise BadSetting("variant", self.variant, '"policy" or "temperature"')
        if self.first < FEWEST or self.k < 1:
            raise BadSetting("first and k", (self.first, self.k), f"{FEWEST} or more, and 1 or more")
        if not 0 < self.coldest <= self.warmest < np.inf:
            raise BadSetting("coldest and warmest", (self.coldest, self.warmest), "more than 0, coldest not the larger")
        if not 0 < self.learning_rate < np.inf or not 0 <= self.flops < np.inf:
            given = (self.learning_rate, self.flops)
            raise BadSetting("learning_rate and flops", given, "a rate of more than 0, flops of 0 or more")

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        """The smallest and random ones until there are labels enough, then at most `k` children."""
        done = history.done
        if len(history) < self.first or len(done) < FEWEST:
            return self._begin(history, min(n, max(self.first - len(history), 1)), rng)
        predictor = fitted(self.predictor, history.seed, Labels(done.archs, done.y))
        start = smallest(history)
        if self.variant == "policy":
            children, parents, why = self._changes(history, done, start)
        else:
            children, parents, why = self._growth(history, done, start)
            n = min(n, int(why.pop("room")))
        if not len(children):
            return random_proposals(_NAME, history, n, rng)
        score = score_all(predictor, children)
        n = min(n, self.k)
        if self.variant == "policy":
            logits = move_logits(self._policy(history, done), parents.genes, children.genes)
            drawn = draw(logits, _DRAWN * n, rng)
            picked = drawn[np.argsort(-score[drawn], kind="stable")][:n]
        else:
            picked = draw(score / why["temperature"], n, rng)
        return [
            Proposal(
                children[int(row)],
                {"strategy": _NAME, **why, "parent": str(parents[int(row)]), "score": round(float(score[row]), 4)},
            )
            for row in picked
        ]

    def _begin(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        """The smallest, if it is not known, and random ones."""
        start = smallest(history)
        start = start[np.flatnonzero(history.fresh(start))]
        proposals = [Proposal(arch, {"strategy": _NAME, "step": "smallest"}) for arch in start]
        return proposals + random_proposals(_NAME, history.with_running(start), n - len(start), rng)

    def _growth(
        self, history: History, done: History, start: Architectures
    ) -> tuple[Architectures, Architectures, dict[str, Any]]:
        """The fresh children of the present step of the sweep, or of the next step that has any."""
        steps = max(1, int((history.space.allowed.sum(1) > 1).sum()))
        step, count = present_step([history.why(row) for row in range(len(history))])
        distance = (done.archs.genes != start.genes).sum(1)
        share = min(1.0, len(history) / max(1, history.total))
        why: dict[str, Any] = {"temperature": round(self.warmest * (self.coldest / self.warmest) ** share, 6)}
        if count >= self.k:
            step, count = step % steps + 1, 0
        for _ in range(steps):
            kept = done.rows(distance == step - 1).best(self.k).archs if step > 1 else start
            children, parents = _children(history, kept)
            grown = np.flatnonzero((children.genes != start.genes).sum(1) == step)
            if len(grown):
                return children[grown], parents[grown], {**why, "step": step, "room": self.k - count}
            step, count = step % steps + 1, 0
        return *_children(history, done.best(self.k).archs), {**why, "step": "around the best", "room": self.k}

    def _changes(
        self, history: History, done: History, start: Architectures
    ) -> tuple[Architectures, Architectures, dict[str, Any]]:
        """The fresh children of those that have grown and are rewarded most; of the smallest while there are none."""
        family = np.array([_grown(done.why(row)) or done.archs[row] == start[0] for row in range(len(done))])
        reward = self._rewards(done)
        order = np.argsort(-np.where(family, reward, -np.inf), kind="stable")[: min(self.k, int(family.sum()))]
        children, parents = _children(history, done.archs[order] if len(order) else start)
        if not len(children):
            children, parents = _children(history, done.best(self.k).archs)
        return children, parents, {"step": f"policy after {int(family.sum())} trials"}

    def _rewards(self, done: History) -> Floats:
        """(n,) results between the least and the most so far, 0 to 1, times the soft constraint."""
        reward = (done.y - done.y.min()) / max(float(np.ptp(done.y)), 1e-12)
        if not self.flops:
            return reward
        used = done.space.totals(done.archs)[:, 0]
        return reward * np.minimum(1.0, self.flops / np.maximum(used, 1))

    def _policy(self, history: History, done: History) -> Floats:
        """The table, learnt from all changes whose result is known, in the order of the trials."""
        moves, rewards = list[Move](), list[float]()
        for row, reward in enumerate(self._rewards(done)):
            why = done.why(row)
            if _grown(why):
                parent = np.array(Architecture.parse(why["parent"]).genes, np.int16)
                moves.append((parent, done.archs.genes[row]))
                rewards.append(float(reward))
        return learn_policy(history, moves, rewards, self.learning_rate)


def smallest(history: History) -> Architectures:
    """The feasible one of the fewest FLOPs in a sample; in a space without costs, the first options."""
    space = history.space
    if space.free and not _has_costs(space):
        return Architectures(space, space.allowed.argmax(1)[None])
    some = space.sample(_SAMPLE, np.random.default_rng(history.seed))
    feasible = some[np.flatnonzero(history.feasible(some))]
    some = feasible if len(feasible) else some
    order = some.genes.T[::-1] if not _has_costs(space) else space.totals(some)[:, :1].T
    first = int(np.lexsort(order)[0])
    return some[first : first + 1]


def _has_costs(space: Space) -> bool:
    try:
        space.totals(space.sample(1, np.random.default_rng(0)))
    except BadSetting:
        return False
    return True


def present_step(whys: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """The step of a sweep that the last grown trial belongs to, and how many trials in a row do."""
    steps = [why["step"] for why in whys if why.get("strategy") == _NAME and isinstance(why.get("step"), int)]
    if not steps:
        return 1, 0
    count = next((back for back, step in enumerate(reversed(steps)) if step != steps[-1]), len(steps))
    return steps[-1], count


def draw(logits: Floats, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """At most `n` different rows, one by one with chances proportional to exp(logit)."""
    return np.argsort(-(logits + rng.gumbel(size=len(logits))), kind="stable")[:n]


def move_logits(theta: Floats, parents: NDArray[np.int16], children: NDArray[np.int16]) -> Floats:
    """(n,) the sum of the table's numbers for the options that a child has and its parent, or the only one, has not."""
    return (theta[np.arange(len(theta)), children + 1] * (children != parents)).sum(1)


def learn_policy(history: History, moves: Sequence[Move], rewards: Sequence[float], rate: float) -> Floats:
    """(choices, options + 1) one step of REINFORCE for each move; the first column is "not active"."""
    space, around = history.space, dict[bytes, NDArray[np.int16]]()
    theta = np.zeros((space.allowed.shape[0], space.allowed.shape[1] + 1))
    columns, average = np.arange(len(theta)), rewards[0] if rewards else 0.0
    for (parent, child), reward in zip(moves, rewards, strict=True):
        key = parent.tobytes()
        if key not in around:
            around[key] = space.neighbours(Architectures(space, parent[None]))[0].genes
        options = around[key]
        taken = (options == child).all(1)
        if taken.any():  # else the space has been narrowed since
            logits = move_logits(theta, parent, options)
            chance = np.exp(logits - logits.max())
            push = (taken / taken.sum() - chance / chance.sum()) * (reward - average) * rate
            weight = (options != parent) * push[:, None]
            np.add.at(theta, (np.broadcast_to(columns, options.shape), options + 1), weight)
        average = _MEMORY * average + (1 - _MEMORY) * reward
    return theta


def _grown(why: Mapping[str, Any]) -> bool:
    return why.get("strategy") == _NAME and "parent" in why


def _children(history: History, kept: Architectures) -> tuple[Architectures, Architectures]:
    """Fresh architectures one change away, and the parent of each."""
    kept = Architectures(history.space, kept.genes)
    children, parent = history.space.neighbours(kept)
    fresh = np.flatnonzero(history.fresh(children))
    return children[fresh], kept[parent[fresh]]
