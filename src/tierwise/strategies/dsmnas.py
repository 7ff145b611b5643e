"""Search around a few centres by a learnt policy: which centre is promising, and which edits of it.

Chen et al., "Automated Dominative Subspace Mining for Efficient Neural Architecture Search" (2022).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architecture, Architectures
from tierwise.candidates import random_proposals
from tierwise.errors import BadSetting
from tierwise.history import History, Proposal
from tierwise.space import Space

Floats = NDArray[np.float64]
CENTRE_BOUND, EDIT_BOUND = 1.5, 0.6  # logits lie within plus or minus so much
LEARNING_RATE, WEIGHT_DECAY, ENTROPY, BASELINE = 9.4e-3, 2.4e-5, 5.0e-4, 0.9
_TRIES = 10


@dataclass(frozen=True)
class DSMNAS:
    """Edits of one of `centres` architectures, chosen by a policy that learns from each result by REINFORCE.

    centres: how many subspaces are kept, each around one architecture. edits: choices of a position and an option for
    one child. first: random labels before the first child.

    As in the released code: a child replaces its centre if it is better; the reward is how much better it is, less a
    moving average (0.9); entropy bonus 5.0e-4, Adam with rate 9.4e-3 and weight decay 2.4e-5; bounded logits; 3 centres
    and 4 edits. Ours: a softmax policy on the genes and ranks of the centres, and on position and option of an edit,
    in place of the graph network and LSTM; known children are drawn anew instead of being looked up; the random labels
    are dealt out to the centres; an edit that leaves a listed space is not made. Rewards are in the objective's unit,
    as published in percentage points.
    """

    centres: int = 3
    edits: int = 4
    first: int = 10

    def __post_init__(self) -> None:
        if self.centres < 2 or self.edits < 1 or self.first < max(10, self.centres):
            allowed = "centres of 2 or more, edits of 1 or more, first of 10 and of centres or more"
            raise BadSetting("dsmnas", repr(self), allowed)

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        """Random proposals until there are labels enough, then children of the centres."""
        done = history.done
        policy, rows = _replayed(history, done, self.centres)
        if len(history) < self.first or len(done) < 10 or -1 in rows or not policy.movable.any():
            return random_proposals("dsmnas", history, min(n, max(self.first - len(history), 1)), rng)
        centres, values = done.archs[rows], done.y[rows]
        known, proposals = history, list[Proposal]()
        for _ in range(_TRIES):
            which, moves = policy.draw(centres, values, 4 * n + 20, self.edits, rng)
            children = _edited(centres[which], moves)
            fresh = np.flatnonzero(known.fresh(children))[: n - len(proposals)]
            told = {"strategy": "dsmnas", "centres": list(map(str, centres)), "values": values.tolist()}
            for row in fresh.tolist():
                why = {**told, "centre": int(which[row]), "edits": moves[row].tolist()}
                proposals.append(Proposal(children[row], why))
            known = known.with_running(children[fresh])
            if len(proposals) == n:
                return proposals
        return proposals + random_proposals("dsmnas", known, n - len(proposals), rng)


class _Policy:
    """Chances of centres and edits; what it learns is one vector of numbers, at first all zero: uniform."""

    def __init__(self, space: Space):
        self.allowed = space.allowed
        self.movable = space.allowed.sum(1) > 1
        genes, options = space.allowed.shape
        self._ends = np.cumsum([genes * options + 1, genes])
        self.vector = np.zeros(int(self._ends[-1]) + genes * options)
        self.mean, self.square, self.steps = np.zeros_like(self.vector), np.zeros_like(self.vector), 0
        self.baseline: float | None = None

    def parts(self, vector: Floats) -> tuple[Floats, Floats, Floats]:
        """Views of a vector: weights of the centres' features, positions (genes), options (genes, options)."""
        weights, positions, options = np.split(vector, self._ends)
        return weights, positions, options.reshape(self.allowed.shape)

    def draw(
        self, centres: Architectures, values: Floats, n: int, edits: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(n,) centres and (n, edits, 2) positions and options."""
        weights, positions, options = self.parts(self.vector)
        chance, _ = choice(self._features(centres, values) @ weights, CENTRE_BOUND)
        which = rng.choice(len(centres), size=n, p=chance)
        chance, _ = choice(positions, EDIT_BOUND, self.movable)
        position = rng.choice(len(chance), size=(n, edits), p=chance)
        limits = choice(options, EDIT_BOUND, self.allowed)[0].cumsum(1)
        limits /= limits[:, -1:]
        option = (rng.random((n, edits, 1)) >= limits[position]).sum(2)
        return which, np.stack([position, option], axis=2)

    def learn(self, space: Space, why: Mapping[str, Any], value: float) -> None:
        """One step by the result of a child."""
        taken, values = int(why["centre"]), np.array(why["values"])
        better = value - float(values[taken])
        self.baseline = better if self.baseline is None else BASELINE * self.baseline + (1 - BASELINE) * better
        reward = better - self.baseline
        gradient = np.zeros_like(self.vector)
        (weights, positions, options), (to_weights, to_positions, to_options) = map(self.parts, (self.vector, gradient))
        features = self._features(Architectures.of([Architecture.parse(c) for c in why["centres"]], space), values)
        to_weights += ascent(*choice(features @ weights, CENTRE_BOUND), taken, reward) @ features
        for position, option in why["edits"]:
            to_positions += ascent(*choice(positions, EDIT_BOUND, self.movable), position, reward)
            of_gene = choice(options[position], EDIT_BOUND, self.allowed[position])
            to_options[position] += ascent(*of_gene, option, reward)
        self._step(WEIGHT_DECAY * self.vector - gradient)

    def _step(self, downhill: Floats) -> None:
        """Adam."""
        self.steps += 1
        self.mean = 0.9 * self.mean + 0.1 * downhill
        self.square = 0.999 * self.square + 0.001 * downhill**2
        size = np.sqrt(self.square / (1 - 0.999**self.steps)) + 1e-8
        self.vector -= LEARNING_RATE * self.mean / (1 - 0.9**self.steps) / size

    def _features(self, centres: Architectures, values: Floats) -> Floats:
        """(centres, d) options as 0/1 columns, and which centre is better, from -1 to 1."""
        options = (centres.genes[:, :, None] == np.arange(self.allowed.shape[1])).reshape(len(centres), -1)
        below = (values < values[:, None]).sum(1) - (values > values[:, None]).sum(1)
        return np.column_stack([options, below / max(1, len(centres) - 1)])


def choice(raw: Floats, bound: float, allowed: Any = True) -> tuple[Floats, Floats]:
    """Softmax chances of the allowed along the last axis, with logits ``bound * tanh(raw)``; and the logits' slopes."""
    squashed = np.tanh(raw)
    weight = np.exp(bound * squashed) * allowed
    return weight / weight.sum(-1, keepdims=True), bound * (1 - squashed**2)


def ascent(chance: Floats, slope: Floats, taken: int, reward: float) -> Floats:
    """Gradient, with respect to `raw`, of the reward times the log of the taken chance, plus the entropy bonus."""
    log = np.log(np.where(chance > 0, chance, 1.0))
    entropy = -(chance * log).sum()
    return slope * (reward * ((np.arange(len(chance)) == taken) - chance) - ENTROPY * chance * (log + entropy))


def _replayed(history: History, done: History, centres: int) -> tuple[_Policy, list[int]]:
    """The policy after every result so far, and the rows of the centres; -1 for one that is missing."""
    policy, rows = _Policy(history.space), [-1] * centres
    inside, y = history.feasible(done.archs), done.y
    for row in range(len(done)):
        why, place = done.why(row), row % centres
        if why.get("strategy") == "dsmnas" and "edits" in why:
            policy.learn(history.space, why, float(y[row]))
            place = int(why["centre"])
        if -1 in rows:
            place = rows.index(-1)
        if inside[row] and (rows[place] < 0 or y[row] > y[rows[place]]):
            rows[place] = row
    return policy, rows


def _edited(rows: Architectures, moves: NDArray[np.int64]) -> Architectures:
    """Each row after its moves, one after the other; a move that leads out of the space is not made."""
    space = rows.space
    for position, option in moves.transpose(1, 2, 0):
        genes = rows.genes.copy()
        genes[np.arange(len(genes)), position] = option
        child = Architectures(space, genes)
        if not space.free:
            member = space.index(child)
            child = Architectures(space, np.where(member[:, None] >= 0, space.at(member).genes, rows.genes))
        rows = child
    return rows
