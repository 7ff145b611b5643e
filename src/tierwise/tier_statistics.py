"""Quality tiers of labelled architectures: what each tier costs and is made of; new members drawn from it.

`TierRecords` and `PublishedSampler` are those of Guo et al., "Generalized Global Ranking-Aware Neural
Architecture Ranker for Efficient Image Classifier Search" (2022), after its code: statistics of single
training batches, used as upper bounds. `TierStatistics` is ours: joint costs, over all labels, two-sided.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures, concatenate
from tierwise.errors import BadSetting
from tierwise.space import Space

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Totals = Callable[[Architectures], Ints]  # (n, 2) FLOPs and parameters of the full network
Cells = Callable[[int, np.random.Generator], Architectures]  # so many random rows, in the space or not
_MANY_GENES = 200
UNITS = (1e6, 1e3)  # costs are rounded up to MFLOPs and thousands of parameters before they are binned


def tier_blocks(y: NDArray[Any] | Sequence[float], n_tiers: int = 5) -> Ints:
    """(n,) tiers, 0 the best: equal blocks by descending label (stable), the last takes the remainder.

    Raises BadSetting for fewer labels than tiers.

    >>> tier_blocks([3.0, 9.0, 1.0, 7.0, 5.0], 2).tolist()
    [1, 0, 1, 0, 1]
    """
    labels = np.asarray(y, dtype=np.float64)
    if not 1 <= n_tiers <= len(labels):
        raise BadSetting("n_tiers", n_tiers, f"1 to the number of labels, {len(labels)}")
    tiers = np.empty(len(labels), dtype=np.int64)
    rank = np.arange(len(labels)) // (len(labels) // n_tiers)
    tiers[np.argsort(-labels, kind="stable")] = np.minimum(rank, n_tiers - 1)
    return tiers


def option_counts(genes: NDArray[Any], tiers: NDArray[Any], n_tiers: int, options: int) -> Ints:
    """(tiers, g, options): how often each gene of a tier picks each option; inactive genes (-1) not."""
    counts = np.zeros((n_tiers, genes.shape[1], options), dtype=np.int64)
    row, gene = np.nonzero(genes >= 0)
    np.add.at(counts, (tiers[row], gene, genes[row, gene]), 1)
    return counts


def draw_options(chances: Floats, n: int, rng: np.random.Generator) -> Ints:
    """(n, g) options, gene by gene independently, from chances (g, options) whose rows sum to one."""
    limits = chances.cumsum(1)
    limits /= limits[:, -1:]
    return (rng.random((n, len(chances), 1)) >= limits[None]).sum(2)


@dataclass(frozen=True, slots=True)
class TierRecords:
    """Published statistics, one record a training batch.

    edges: (records, 2, bins) upper edge of each bin of FLOPs and of parameters, over the whole batch.
    costs: (records, tiers, 2, bins) members of a tier in each bin.
    genes: (records, tiers, g, options) option counts.
    """

    edges: Floats
    costs: Ints
    genes: Ints

    def __len__(self) -> int:
        return len(self.edges)

    @classmethod
    def of(cls, archs: Architectures, costs: NDArray[Any], tiers: Ints, *, n_tiers: int = 5, bins: int = 5) -> Self:
        """The record of one batch with total costs (n, 2) and tiers (n,)."""
        whole = np.ceil(np.asarray(costs) / UNITS)
        low = whole.min(0)
        width = np.maximum(np.ceil((whole.max(0) - low) / bins), 1.0)
        edges = (low[:, None] + width[:, None] * np.arange(1, bins + 1)) * np.array(UNITS)[:, None]
        place = np.clip(np.ceil((whole - low) / width), 1, bins).astype(np.int64) - 1  # minimum: bin 0
        counts = np.zeros((n_tiers, 2, bins), dtype=np.int64)
        for kind in (0, 1):
            np.add.at(counts[:, kind], (tiers, place[:, kind]), 1)
        genes = option_counts(archs.genes, tiers, n_tiers, archs.space.allowed.shape[1])
        return cls(edges[None], counts[None], genes[None])

    @classmethod
    def joined(cls, records: Sequence[TierRecords]) -> Self:
        """Several, in this order."""
        edges, costs, genes = zip(*((r.edges, r.costs, r.genes) for r in records), strict=True)
        return cls(np.concatenate(edges), np.concatenate(costs), np.concatenate(genes))


@dataclass(frozen=True, slots=True)
class PublishedSampler:
    """The guided draw of the released code.

    Targets for FLOPs and parameters are drawn from the first tier's histograms; a random cell is taken if
    it costs at most that much (upper bounds only). A histogram is used if it passes the gate, i.e. differs
    enough from those of the last two tiers; otherwise the draw is uniform over its bins or options.

    force_uniform: always uniform, as in the released settings for NAS-Bench-201 (False for NAS-Bench-101).
    thresholds:    of the gate, for FLOPs, parameters and options; NAS-Bench-101 has 2.5 for both costs.
    least_share:   of the batch that the first tier must hold to pass.
    reuse:         draws that share their targets. tries: random cells for one draw.
    """

    records: TierRecords
    force_uniform: bool = True
    thresholds: tuple[float, float, float] = (0.35, 0.3, 1.5)
    least_share: float = 0.1
    reuse: int = 25
    tries: int = 101

    def draw(
        self,
        space: Space,
        record: int,
        n: int,
        rng: np.random.Generator,
        *,
        totals: Totals,
        cells: Cells | None = None,
    ) -> Architectures:
        """At most `n` architectures under the statistics of one record.

        Each is the first of `tries` random cells that is in the space and within its targets, else the last
        one if that is in the space, else nothing. `totals` gives their costs. `cells` gives random cells; by
        default genes are drawn from the record, uniformly if that is forced.
        """
        targets = self.targets(record, -(-n // self.reuse), rng).repeat(self.reuse, 0)[:n]
        drawn = (cells or partial(self.cells, space, record))(n * self.tries, rng)
        known = space.contains(drawn)
        fits = known.copy()
        fits[known] = (totals(drawn[known]) <= targets.repeat(self.tries, 0)[known]).all(1)
        fits = fits.reshape(n, self.tries)
        taken = np.where(fits.any(1), fits.argmax(1), self.tries - 1) + np.arange(n) * self.tries
        return drawn[taken[known[taken]]]

    def targets(self, record: int, n: int, rng: np.random.Generator) -> Floats:
        """(n, 2) upper bounds, each an upper edge of a bin, FLOPs and parameters independently."""
        counts = self.records.costs[record]
        chances = [self._chances(counts[:, kind], self.thresholds[kind], record) for kind in (0, 1)]
        return self.records.edges[record][[0, 1], draw_options(np.stack(chances), n, rng)]

    def cells(self, space: Space, record: int, n: int, rng: np.random.Generator) -> Architectures:
        """Random gene rows; genes with the same options share one histogram, as the edges of a cell do."""
        if self.force_uniform:
            return space.sample(n, rng)
        chances = np.zeros(space.allowed.shape)
        for options in {c.options for c in space.choices}:
            alike = [g for g, c in enumerate(space.choices) if c.options == options]
            pooled = self.records.genes[record][:, alike, : len(options)].sum(1)
            chances[alike, : len(options)] = self._chances(pooled, self.thresholds[2], record)
        return Architectures(space, draw_options(chances, n, rng))

    def _chances(self, counts: Ints, threshold: float, record: int) -> Floats:
        members = self.records.costs[record][:, 0].sum(1)
        enough = members[0] >= self.least_share * members.sum()
        distinct = all(divergence(counts[0], counts[tier]) >= threshold for tier in (-2, -1))
        if self.force_uniform or not (enough and distinct and counts[0].any()):
            return np.full(counts.shape[1], 1.0 / counts.shape[1])
        return counts[0] / counts[0].sum()


def divergence(a: NDArray[Any], b: NDArray[Any]) -> float:
    """The gate's distance: Kullback-Leibler of the softmax of two histograms' raw counts, per bin."""
    log_p, log_q = (np.asarray(x) - np.logaddexp.reduce(np.asarray(x, dtype=np.float64)) for x in (a, b))
    return float((np.exp(log_p) * (log_p - log_q)).sum() / len(log_p))


@dataclass(frozen=True, slots=True)
class TierStatistics:
    """What the tiers of a labelled set cost and are made of (ours, not published).

    edges: (2, bins - 1) inner bin boundaries of FLOPs and parameters, quantiles of the whole labelled set.
    costs: (tiers, bins, bins) joint chances of both costs. genes: (tiers, g, options) option chances.
    """

    edges: Floats
    costs: Floats
    genes: Floats

    @classmethod
    def of(
        cls,
        archs: Architectures,
        costs: NDArray[Any],
        tiers: Ints,
        *,
        n_tiers: int = 5,
        bins: int = 6,
        smoothing: float = 1.0,
    ) -> Self:
        """Of labelled architectures with total costs (n, 2) and tiers (n,), for example ``tier_blocks(y)``.

        smoothing: added to every option count; and so many members of the whole set to every joint histogram.
        Raises BadSetting if it is not positive (an option never seen could then never be drawn).
        """
        if smoothing <= 0:
            raise BadSetting("smoothing", smoothing, "a positive number")
        edges = np.quantile(np.asarray(costs, np.float64), np.linspace(0, 1, bins + 1)[1:-1], axis=0).T
        joint = np.zeros((n_tiers, bins, bins))
        np.add.at(joint, (tiers, *_bins(edges, costs)), 1.0)
        joint += smoothing * joint.sum(0) / joint.sum()
        lengths = np.array([[len(c.options)] for c in archs.space.choices])
        exists = np.arange(lengths.max()) < lengths
        genes = (option_counts(archs.genes, tiers, n_tiers, exists.shape[1]) + smoothing) * exists
        return cls(edges, joint / joint.sum((1, 2), keepdims=True), genes / genes.sum(2, keepdims=True))

    def draw(
        self, space: Space, n: int, rng: np.random.Generator, *, totals: Totals, tier: int = 0, pool: int = 32
    ) -> Architectures:
        """At most `n` different architectures with genes and joint costs distributed like those of one tier.

        `pool` times as many rows are drawn gene by gene, then picked with weights that turn their joint cost
        histogram into the tier's. Fewer than `n` come back if there are fewer different ones among them, and in a space
        of over 200 genes, where every row is long: at most 500 then, of four times as many.
        """
        if len(space.choices) > _MANY_GENES:
            n, pool = min(n, 500), min(pool, 4)
        drawn = self._pool(space, n * pool, rng, tier)
        place = _bins(self.edges, totals(drawn))
        there = np.zeros_like(self.costs[tier])
        np.add.at(there, place, 1.0)
        with np.errstate(divide="ignore"):
            weight = np.log(self.costs[tier][place] / there[place])
        return drawn[np.argsort(-(weight + rng.gumbel(size=len(drawn))))].unique()[:n]

    def _pool(self, space: Space, n: int, rng: np.random.Generator, tier: int) -> Architectures:
        """Rows with the tier's option chances; where free genes seldom form a member, reweighted members."""
        chances = self.genes[tier] * space.allowed
        chances = chances / chances.sum(1, keepdims=True)
        drawn = Architectures(space, draw_options(chances, n, rng))
        drawn = drawn[space.contains(drawn)]
        if len(drawn) == n:
            return drawn
        members = space.sample(4 * n, rng)
        with np.errstate(divide="ignore"):
            likely = np.log(chances)[np.arange(members.shape[1]), np.clip(members.genes, 0, None)]
        fit = np.where(members.genes < 0, 0.0, likely).sum(1)
        order = np.argsort(-(fit + rng.gumbel(size=len(fit))))[: n - len(drawn)]
        return concatenate([drawn, members[order]])


def _bins(edges: Floats, costs: NDArray[Any]) -> tuple[Ints, ...]:
    return tuple(np.searchsorted(edges[k], np.asarray(costs)[:, k]) for k in (0, 1))
