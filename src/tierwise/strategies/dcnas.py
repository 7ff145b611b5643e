"""Divide and conquer: cheap scores compare similar architectures only, so each cluster of them sends a leader.

Wang, Xu, Tao, "DC-NAS: Divide-and-Conquer Neural Architecture Search" (2020).
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from tierwise import registry
from tierwise.architecture import Architectures, concatenate
from tierwise.candidates import FEWEST, Labels, fitted, random_proposals
from tierwise.errors import BadSetting
from tierwise.history import DONE, WAITING, History, Known, Proposal
from tierwise.predictor import score_all

Floats = NDArray[np.float64]
_ROUNDS = 6  # on one pool: the last is on about a thirtieth of the space


@dataclass(frozen=True)
class DCNAS:
    """A pool in clusters: the leader of each by a cheap score is evaluated, the better half of the clusters goes on.

    clusters: how many. pool: architectures in a round's pool. features: a registered encoding: what is similar.
    cheap: a registered encoding of one column, more is better; in a space without these costs, chance decides.
    predictor: a registered predictor whose scores are the cheap ones from 10 labels on; None: `cheap` all along.

    Published: k-means on features of briefly trained networks, early-stopped accuracy as the cheap score, the best
    leader wins. Ours: features of the architecture; all numbers; further rounds inside the winning clusters, whose pool
    is filled up with mutants; after 6 rounds, or when nothing can be divided any more, a new pool. Early-stopped
    accuracies are only to be had as recorded columns: ``cheap="columns:FILE"``, with ``predictor=None``.
    """

    clusters: int = 8
    pool: int = 1_000
    features: str = "onehot"
    cheap: str = "flops"
    predictor: str | None = "gp"

    def __post_init__(self) -> None:
        if not 2 <= self.clusters <= self.pool:
            raise BadSetting("dcnas", repr(self), "clusters of 2 to pool")

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        """Leaders of the clusters that have the fewest trials in this round."""
        now = self._round(history)
        proposals = self._leaders(history, now, n) if now else []
        archs = Architectures.of([proposal.arch for proposal in proposals], history.space)
        return proposals + random_proposals("dcnas", history.with_running(archs), n - len(proposals), rng)

    def _round(self, history: History) -> _Round | None:
        """The first round that is not decided; None where even a new pool has nothing new."""
        trials = _trials(history)
        last = trials[-1].start if trials else 0
        for start in (last, last + 1):  # those before are used up
            kept, regions = list[list[int]](), list[tuple[_Clusters, list[int]]]()
            anything = replace(history, known=Known({}, 0))  # a pool does not change while trials are added
            members = anything.sample(self.pool, np.random.default_rng([history.seed, start]))
            while len(members) and len(kept) < _ROUNDS:
                clusters = _clustered(self.features, self.clusters, history.seed, _Rows(members))
                if kept and clusters.count == 1:
                    break
                now = _Round(members, clusters, start, kept, [t for t in trials if t.start == start])
                winners = now.winners(history.fresh(members))
                if winners is None:
                    return now
                kept = [*kept, winners]
                regions.append((clusters, winners))
                members = self._inside(history, now, regions)
        return None

    def _inside(self, history: History, now: _Round, regions: Sequence[tuple[_Clusters, list[int]]]) -> Architectures:
        """The members of the winning clusters, and mutants that are in the winning ones of all rounds."""
        kept = now.members[np.flatnonzero(np.isin(now.clusters.labels, regions[-1][1]))]
        if not len(kept):
            return kept
        rng = np.random.default_rng([history.seed, now.start, len(regions)])
        parents = kept[rng.integers(len(kept), size=2 * self.pool)]
        rows = concatenate([kept, history.space.mutate(parents, rng)])
        rows = rows[np.flatnonzero(history.feasible(rows))]
        rows = rows[np.sort(np.unique(history.space.canonical(rows), return_index=True)[1])]
        inside = np.ones(len(rows), dtype=bool)
        for clusters, winners in regions:
            inside &= np.isin(clusters.of(rows), winners)
        return rows[np.flatnonzero(inside)[: self.pool]]

    def _leaders(self, history: History, now: _Round, n: int) -> list[Proposal]:
        """The best by the cheap score that are new, one cluster after the other."""
        score, said_by = self._cheap(history, now.members)
        order = np.argsort(-score, kind="stable")
        order = order[history.fresh(now.members)[order]]
        labels = now.clusters.labels[order]
        turn = np.bincount([t.cluster for t in now.here], minlength=now.clusters.count)
        place = np.zeros(len(order), dtype=np.int64)
        for cluster in range(now.clusters.count):
            mine = labels == cluster
            place[mine] = turn[cluster] + np.arange(mine.sum())
        why = {"strategy": "dcnas", "space": _mark(history), "pool": now.start, "kept": now.kept, "by": said_by}
        chosen = np.lexsort((labels, place))[:n]
        return [Proposal(now.members[int(order[i])], {**why, "cluster": int(labels[i])}) for i in chosen]

    def _cheap(self, history: History, rows: Architectures) -> tuple[Floats, str]:
        """(n,) scores, and what they are."""
        done = history.done
        if self.predictor is not None and len(done) >= FEWEST:
            predictor = fitted(self.predictor, history.seed, Labels(done.archs, done.y))
            return score_all(predictor, rows).astype(np.float64), self.predictor
        try:
            column = _encoding(self.cheap).transform(rows)
        except BadSetting as error:
            if error.setting != "costs of the space":
                raise
            return np.zeros(len(rows)), "chance"  # members are in random order
        if column.shape != (len(rows), 1):
            raise BadSetting("cheap", self.cheap, "an encoding of one column, without missing numbers")
        return column[:, 0].astype(np.float64), self.cheap


@dataclass(frozen=True)
class _Trial:
    """What a proposal said of its round, and what came of it: a label, None while it runs, NaN if it failed."""

    start: int
    kept: list[list[int]]
    cluster: int
    label: float | None


@dataclass(frozen=True)
class _Round:
    """Members in clusters. start: number of the pool. kept: winners of its earlier rounds. trials: of its rounds."""

    members: Architectures
    clusters: _Clusters
    start: int
    kept: list[list[int]]
    trials: list[_Trial]

    @property
    def here(self) -> list[_Trial]:
        """Those of this round."""
        return [trial for trial in self.trials if trial.kept == self.kept]

    def winners(self, fresh: NDArray[np.bool_]) -> list[int] | None:
        """The better half of the clusters by their best labels, none where nothing was new; None while a leader is
        to come.
        """
        depth = len(self.kept)
        for trial in self.trials:
            if len(trial.kept) > depth and trial.kept[:depth] == self.kept:
                return trial.kept[depth]  # decided before, and what has arrived since does not matter
        best = np.full(self.clusters.count, np.nan)
        told = np.zeros(self.clusters.count, dtype=bool)
        for trial in self.here:
            if trial.label is not None:
                told[trial.cluster] = True
                best[trial.cluster] = np.fmax(best[trial.cluster], trial.label)
        if not told[self.clusters.labels[fresh]].all():
            return None
        order = np.argsort(-best, kind="stable")  # without a label: last
        return sorted(order[: (int(told.sum()) + 1) // 2].tolist())


def _mark(history: History) -> int:
    """A number of the options left: in a space narrowed since, a round means nothing."""
    return zlib.crc32(history.space.allowed.tobytes())


def _trials(history: History) -> list[_Trial]:
    mark, y, found = _mark(history), history.y, list[_Trial]()
    for row, state in enumerate(history.state.tolist()):
        why = history.why(row)
        if why.get("strategy") == "dcnas" and why.get("space") == mark:
            label = None if state == WAITING else float(y[row]) if state == DONE else np.nan
            found.append(_Trial(why["pool"], why["kept"], why["cluster"], label))
    return found


@dataclass(frozen=True)
class _Clusters:
    """k-means clusters. centre, spread: of each feature. labels: (n,) clusters of the rows it was made of."""

    encoding: str
    centre: Floats
    spread: Floats
    means: Any  # scikit-learn's KMeans
    labels: NDArray[np.int32]

    @property
    def count(self) -> int:
        """How many."""
        return int(self.means.n_clusters)

    def of(self, rows: Architectures) -> NDArray[np.int32]:
        """(n,) the cluster of each."""
        return self.means.predict((_features(self.encoding, rows) - self.centre) / self.spread)


class _Rows:
    """Architectures as a value that can be looked up in a cache."""

    def __init__(self, archs: Architectures):
        self.archs, self._bytes = archs, archs.genes.tobytes()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Rows) and self._bytes == other._bytes and self.archs.space == other.archs.space

    def __hash__(self) -> int:
        return hash(self._bytes)


def _encoding(text: str) -> Any:
    """An encoding by its registered name, or ``"name:ARGUMENT"``."""
    name, colon, argument = text.partition(":")
    return registry.find("encoding", name)(argument) if colon else registry.make("encoding", name)


def _features(encoding: str, rows: Architectures) -> Floats:
    return np.asarray(_encoding(encoding).transform(rows), dtype=np.float64).reshape(len(rows), -1)


@functools.lru_cache(maxsize=32)
def _clustered(encoding: str, clusters: int, seed: int, rows: _Rows) -> _Clusters:
    """Remembered, as every ask goes through the rounds again. Dropping it changes nothing."""
    columns = _features(encoding, rows.archs)
    centre, spread = columns.mean(0), columns.std(0)
    spread[spread == 0] = 1.0
    columns = (columns - centre) / spread
    count = min(clusters, len(np.unique(columns, axis=0)))
    means: Any = KMeans(count, random_state=seed % 2**32).fit(columns)
    return _Clusters(encoding, centre, spread, means, means.labels_)
