"""Costs of very many networks from those of few: what does not interact adds up.

Two choices interact where changing both changes a cost by something else than the two changes alone. A cost is then a
sum over the sets of choices that all interact with each other (cliques), each looked up in a table: the anchored
decomposition of Kuo, Sloan, Wasilkowski and Woźniakowski, "On Decompositions of Multivariate Functions" (2010).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Genes

Ints = NDArray[np.int64]
Count = Callable[[Genes], Ints]  # (n, genes) -> (n, 2), slow
_MOST_SETS, _MOST_ROWS = 1_000, 100_000  # of a decomposition that is worth it


@dataclass(frozen=True)
class ComposedCosts:
    """Costs as sums over tables.

    tables: genes of a set, the strides of their options, how often the table counts, and the table (combinations, 2).
    """

    tables: tuple[tuple[Ints, Ints, int, Ints], ...]

    def __call__(self, genes: Genes) -> Ints:
        """(n, 2) costs of gene rows."""
        total = np.zeros((len(genes), 2), dtype=np.int64)
        for chosen, strides, times, table in self.tables:
            total += times * table[genes[:, chosen].astype(np.int64) @ strides]
        return total


def composed(count: Count, options: list[int], bases: Genes, checks: Genes) -> ComposedCosts | None:
    """The decomposition of a cost, None where none is small, or where it is wrong of one of the checks.

    options: how many each choice has. bases, checks: architectures around which interactions are looked for, and random
    ones.
    """
    sets = _cliques(_interactions(count, options, bases))
    if sets is None:
        return None
    times = {each: sum((-1) ** (len(other) - len(each)) for other in sets if each <= other) for each in sets}
    kept = [(each, k) for each, k in times.items() if k]
    rows = [int(np.prod([options[gene] for gene in each])) for each, _ in kept]
    if sum(rows) > _MOST_ROWS:
        return None
    tables: list[tuple[Ints, Ints, int, Ints]] = []
    for each, k in kept:
        chosen = np.array(sorted(each), dtype=np.int64)
        counts = [options[gene] for gene in chosen]
        strides = np.array([int(np.prod(counts[at + 1 :])) for at in range(len(counts))], dtype=np.int64)
        combinations = np.array(list(itertools.product(*map(range, counts))), dtype=np.int16).reshape(-1, len(chosen))
        genes = np.repeat(bases[:1], len(combinations), axis=0)
        genes[:, chosen] = combinations
        tables.append((chosen, strides, k, count(genes)))
    found = ComposedCosts(tuple(tables))
    return found if (found(checks) == count(checks)).all() else None


def _interactions(count: Count, options: list[int], bases: Genes) -> NDArray[np.bool_]:
    """(genes, genes) whether changing both choices changes the cost by something else than the two changes alone."""
    free = [gene for gene, many in enumerate(options) if many > 1]
    pairs = list(itertools.combinations(free, 2))
    joint = np.zeros((len(options), len(options)), dtype=np.bool_)
    for k, base in enumerate(bases):
        other = ((base + 1 + k) % options).astype(np.int16)
        other = np.where(other == base, (base + 1) % options, other).astype(np.int16)
        changed = [[], *([gene] for gene in free), *pairs]
        genes = np.repeat(base[None], len(changed), axis=0)
        for row, which in enumerate(changed):
            genes[row, list(which)] = other[list(which)]
        costs = count(genes)
        alone = dict(zip(free, costs[1:], strict=False))
        for (a, b), both in zip(pairs, costs[1 + len(free) :], strict=True):
            joint[a, b] |= bool((both - alone[a] - alone[b] + costs[0]).any())
    return joint | joint.T


def _cliques(joint: NDArray[np.bool_]) -> list[frozenset[int]] | None:
    """Every set of choices that interact all with each other, the empty and single ones included; None for too many."""
    sets = [frozenset[int]()]
    for each in sets:  # grows while it is walked through
        for gene in range(max(each, default=-1) + 1, len(joint)):
            if joint[gene, list(each)].all():
                sets.append(each | {gene})
        if len(sets) > _MOST_SETS:
            return None
    return sets
