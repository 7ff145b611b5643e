"""What there is to say of a part of the map: its tiers, its results, what its members share, and rules for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures
from tierwise.errors import BadSetting
from tierwise.insight.rules import Rule, rules
from tierwise.navigator.selection import packed
from tierwise.navigator.snapshot import Mask, Snapshot, tier_counts

MOST_RULES, MOST_OPTIONS, MEDOIDS = 6, 12, 5
LIFT, LIFTED = 1.5, 0.3  # an option is lifted where it is so many times as common as everywhere, and so common
LEARNT_FROM = 20_000  # rows of either kind that rules are learnt from
NEAR = 1_000  # rows among which those that stand for all are looked for


@dataclass(frozen=True, slots=True)
class Found:
    """The best result in a part of the map."""

    row: int
    trial: int
    value: float


@dataclass(frozen=True, slots=True)
class OptionShare:
    """An option, how many of the part have it, and how many of all, as shares."""

    path: str
    option: str
    share: float
    everywhere: float


@dataclass(frozen=True, slots=True)
class SelectionFacts:
    """count of `of` rows; mask: their bits. evaluated: how many have a result; best and median of these. tiers: counts,
    the best first. shared: options that all have; lifted: those far more common than everywhere; absent: those that
    none has. medoids: rows that stand for it.
    """

    count: int
    of: int
    mask: str
    evaluated: int
    best: Found | None
    median: float | None
    tiers: list[int]
    rules: list[Rule]
    shared: list[OptionShare]
    lifted: list[OptionShare]
    absent: list[OptionShare]
    medoids: list[int]


def facts_of(snapshot: Snapshot, mask: Mask) -> SelectionFacts:
    """Of the rows of a mask (n,)."""
    inside = mask[snapshot.evaluated]
    y, at = snapshot.y[inside], np.flatnonzero(inside)
    best = None
    if len(at):
        k = int(at[y.argmax()])
        best = Found(int(snapshot.evaluated[k]), int(snapshot.trials[k]), float(snapshot.y[k]))
    shared, lifted, absent = options_of(snapshot, mask)
    return SelectionFacts(
        count=int(mask.sum()),
        of=len(mask),
        mask=packed(mask),
        evaluated=len(at),
        best=best,
        median=float(np.median(y)) if len(y) else None,
        tiers=tier_counts(snapshot.values["tier"][mask]),
        rules=rules_for(snapshot, mask),
        shared=shared,
        lifted=lifted,
        absent=absent,
        medoids=medoids(snapshot, mask),
    )


def rules_for(snapshot: Snapshot, mask: Mask) -> list[Rule]:
    """Rules that can be said in steering, learnt from a part of the rows and counted on all of them."""
    rng, kinds = np.random.default_rng(snapshot.seed), (np.flatnonzero(mask), np.flatnonzero(~mask))
    rows = np.concatenate([np.sort(rng.permutation(kind)[:LEARNT_FROM]) for kind in kinds])
    costs = {name: snapshot.column(name)[rows] for name in snapshot.costs}
    try:
        found = rules(snapshot.archs[rows], mask[rows], costs, seed=snapshot.seed)
    except BadSetting:  # nothing, or everything
        return []
    counted = [_counted(rule, snapshot.where(rule.text), mask) for rule in found[:MOST_RULES]]
    return sorted(counted, key=lambda rule: -2 * rule.purity * rule.coverage / (rule.purity + rule.coverage))


def _counted(rule: Rule, holds: Mask, mask: Mask) -> Rule:
    both = int((holds & mask).sum())
    return replace(rule, purity=both / int(holds.sum()), coverage=both / int(mask.sum()), matches=int(holds.sum()))


def counts(genes: NDArray[np.int16], width: int) -> NDArray[np.int64]:
    """(choices, width) how many of (choices, n) genes have each option; what is not active has none."""
    return np.stack([np.bincount(own + 1, minlength=width + 1)[1:] for own in genes])


def options_of(snapshot: Snapshot, mask: Mask) -> tuple[list[OptionShare], list[OptionShare], list[OptionShare]]:
    """Options that all of the rows have, those that they have more often than others, and those that none has."""
    space, n = snapshot.archs.space, int(mask.sum())
    if not n:
        return [], [], []
    width = space.allowed.shape[1]
    everywhere = counts(snapshot.genes, width) / len(mask)
    share = counts(snapshot.genes[:, mask], width) / n
    with np.errstate(divide="ignore", invalid="ignore"):
        lift = np.where(everywhere > 0, share / everywhere, 0.0)
    shared = np.argwhere((share == 1) & (everywhere < 1))
    high = np.argwhere((lift >= LIFT) & (share >= LIFTED) & (share < 1))
    high = high[np.argsort(-lift[high[:, 0], high[:, 1]], kind="stable")]
    absent = np.argwhere((share == 0) & (everywhere > 0))

    def said(places: NDArray[np.int64]) -> list[OptionShare]:
        return [
            OptionShare(space.choices[g].path, space.choices[g].options[o], float(share[g, o]), float(everywhere[g, o]))
            for g, o in places[:MOST_OPTIONS].tolist()
        ]

    return said(shared), said(high), said(absent)


def medoids(snapshot: Snapshot, mask: Mask, k: int = MEDOIDS) -> list[int]:
    """At most `k` rows that stand for all, the first best: those without a result, where there are any.

    The first phase of Kaufman and Rousseeuw, "Partitioning Around Medoids" (1990), on a sample: each next one takes
    most away from the distances (choices that differ) of all to the nearest.
    """
    free = mask.copy()
    free[snapshot.evaluated] = False
    rows = np.flatnonzero(free if free.any() else mask)
    rows = np.sort(np.random.default_rng(snapshot.seed).permutation(rows)[:NEAR])
    if not len(rows):
        return []
    far = distances(snapshot.archs[rows], snapshot.archs[rows])
    nearest, found = np.full(len(rows), np.inf), list[int]()
    for _ in range(min(k, len(rows))):
        total = np.minimum(nearest[None, :], far).sum(1)
        best = int(total.argmin())
        if found and total[best] >= nearest.sum():
            break
        found.append(best)
        nearest = np.minimum(nearest, far[best])
    return rows[found].tolist()


def distances(a: Architectures, b: Architectures) -> NDArray[np.float64]:
    """(n, m) in how many choices they differ."""
    total = np.zeros((len(a), len(b)))
    for own, other in zip(a.genes.T, b.genes.T, strict=True):
        total += own[:, None] != other[None, :]
    return total
