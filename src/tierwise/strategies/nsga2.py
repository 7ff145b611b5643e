"""NSGA-II: Deb et al., "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II" (2002)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures
from tierwise.candidates import random_proposals
from tierwise.errors import BadSetting
from tierwise.history import History, Proposal
from tierwise.pareto import Goals, goals_of, non_dominated

_CROSSED = 0.9  # share of children with two parents, as published
_TRIES = 20  # children made for each that is wanted, most of which are known soon


@dataclass(frozen=True)
class NSGA2:
    """Children of those results that few others beat and that have few others near them, in several goals at once.

    Goals are the objective and each cost of ``history.against``; without any it is a genetic algorithm of one goal.

    1. The population is the `population` best of all finished trials: by front (the first holds what no other result
       beats, the next what only the first one beats, and so on), inside a front by crowding (the gap between the
       neighbours of a result, added over the goals). Until so many are asked for, proposals are uniform.
    2. A parent wins a tournament of two, again by front, then by crowding.
    3. Nine children of ten are crossed from two parents; then each gene changes with a chance of one by the number of
       genes, at least one where nothing was crossed.

    From: Deb, Pratap, Agarwal and Meyarivan (2002). Ours: survivors come from all finished trials rather than from
    the last generation and its children, so the search needs no memory and goes on while evaluations run; and no
    network is proposed twice.
    """

    population: int = 20

    def __post_init__(self) -> None:
        if self.population < 2:
            raise BadSetting("population", self.population, "2 or more")

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        """Random proposals until the population is full, then children of tournament winners."""
        first = history.sample(min(n, max(0, self.population - len(history))), rng)
        proposals = [Proposal(arch, {"strategy": "nsga2", "step": "random"}) for arch in first]
        done, known = history.done, history.with_running(first)
        if len(proposals) < n and len(done):
            place, crowding = standing(goals_of(done, done.archs, done.y), self.population)
            children, parents = self._children(known, done, np.lexsort((-crowding, place)), n - len(proposals), rng)
            for child, pair in zip(children, parents, strict=True):
                why = {"parents": " and ".join(str(done.archs[int(row)]) for row in dict.fromkeys(pair.tolist()))}
                proposals.append(Proposal(child, {"strategy": "nsga2", "front": int(place[pair].min()) + 1, **why}))
            known = known.with_running(children)
        return proposals + random_proposals("nsga2", known, n - len(proposals), rng)

    def _children(
        self, known: History, done: History, order: NDArray[np.int64], n: int, rng: np.random.Generator
    ) -> tuple[Architectures, NDArray[np.int64]]:
        """At most `n` fresh children, and the rows in `done` of the (n, 2) parents of each."""
        space, alive = known.space, order[: self.population]
        entrants = rng.integers(len(alive), size=(_TRIES * n, 2, 2))
        parents = alive[entrants.min(-1)]  # the population is in order: the lower place wins
        alone = rng.random(len(parents)) >= _CROSSED
        parents[alone, 1] = parents[alone, 0]
        alone |= parents[:, 0] == parents[:, 1]
        children = space.cross(done.archs[parents[:, 0]], done.archs[parents[:, 1]], rng)
        changes = np.maximum(rng.binomial(len(space.choices), 1 / len(space.choices), size=len(parents)), alone)
        genes = children.genes.copy()
        for count in np.unique(changes[changes > 0]).tolist():
            rows = np.flatnonzero(changes == count)
            genes[rows] = space.mutate(children[rows], rng, genes=count).genes
        children = Architectures(space, genes)
        fresh = np.flatnonzero(known.fresh(children))[:n]
        return children[fresh], parents[fresh]


def standing(goals: Goals, least: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(n,) the front of each row of (n, m) goals, 0 = beaten by none, and its crowding distance inside that front.

    Fronts are told apart until `least` rows have one; the rows behind all have the next number and no distance.
    """
    place, crowding = np.zeros(len(goals), dtype=np.int64), np.zeros(len(goals))
    left = np.arange(len(goals))
    while len(left) and len(goals) - len(left) < least:
        front = non_dominated(goals[left])
        if not front.any():  # only costs that nobody knows are left
            break
        crowding[left[front]] = crowding_distance(goals[left[front]])
        left = left[~front]
        place[left] += 1
    return place, crowding


def crowding_distance(front: Goals) -> NDArray[np.float64]:
    """(n,) the gap between the neighbours of each row, in units of the goals' ranges, added; infinite at the ends."""
    distance = np.zeros(len(front))
    for goal in front.T:
        order = np.argsort(goal, kind="stable")
        distance[order[[0, -1]]] = np.inf
        span = float(goal[order[-1]] - goal[order[0]])
        distance[order[1:-1]] += (goal[order[2:]] - goal[order[:-2]]) / (span or 1.0)
    return distance
