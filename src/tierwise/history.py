"""What is known so far, as columns over the trial table; strategies read nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadSetting
from tierwise.space import Space

WAITING, DONE, FAILED, WITHDRAWN = 0, 1, 2, 3  # withdrawn: never evaluated, because a person does not want it
LARGEST_SWEEP = 500_000  # a space up to this size is searched as a whole when random draws find nothing fresh
STATES = ("waiting", "done", "failed", "withdrawn")
JSON = Any
Limit = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Proposal:
    """One architecture to evaluate, and the reason, which the study keeps. budget: of a cheap evaluation, 0 in full."""

    arch: Architecture
    why: Mapping[str, JSON] = field(default_factory=dict[str, JSON])
    budget: int = 0


@dataclass(frozen=True, slots=True)
class Trial:
    """One row of a study."""

    id: int
    arch: Architecture
    state: str
    why: Mapping[str, JSON]
    metrics: Mapping[str, float]
    error: str | None = None
    budget: int = 0


@dataclass(frozen=True, slots=True)
class Known:
    """The networks that a study has in full, as a set that costs nothing to take and never changes.

    place: canonical key -> position in the study; it grows with the study, those from `n` on do not count.
    more: keys beside those of the study.
    """

    place: Mapping[int, int]
    n: int
    more: frozenset[int] = frozenset()

    @classmethod
    def of(cls, canon: NDArray[np.uint64]) -> Known:
        """From a column of keys."""
        return cls({key: position for position, key in enumerate(canon.tolist())}, len(canon))

    def has(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """(n,) whether each key is known."""
        place, n, more = self.place, self.n, self.more
        return np.array([place.get(key, n) < n or key in more for key in keys.tolist()], dtype=bool)

    def plus(self, keys: NDArray[np.uint64]) -> Known:
        """With these as well."""
        return replace(self, more=self.more | frozenset(keys.tolist()))


class Prior:
    """Labels of another task in the same space: another data set, or cheaper trainings.

    archs (n), y (n,) higher better; source: where they are from. Its labels are counted, and are no trials.
    """

    def __init__(self, archs: Architectures, y: Any, source: str):
        self.archs, self.y, self.source = archs, np.asarray(y, dtype=np.float64), source
        if self.y.shape != (len(archs),) or not np.isfinite(self.y).all() or not len(archs):
            raise BadSetting(f"prior from {source}", self.y.shape, f"({len(archs)},) finite labels, one at least")

    def __len__(self) -> int:
        return len(self.archs)


class Strategy(Protocol):
    """What to evaluate next: a frozen dataclass of settings, a pure function of the history, no memory."""

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        """At most `n` proposals, each ``history.fresh`` (of its budget); none when there is nothing left to propose."""
        ...


@dataclass(frozen=True)
class History:
    """Columns over the trials, in the order of their ids.

    space: where to propose. objective: the metric to maximise. seed: of the study. total: trials planned.
    archs (n), state uint8 (n), metrics: name -> float (n), NaN where absent.
    ids: (n) positions in the study; whys: one dict for every trial of the study, at its position.
    canon: uint64 (n) canonical keys. known: those of the whole study, whichever rows these are.
    budget: int64 (n) of cheap evaluations, such as epochs; 0 is a full one, and only these are labels.
    costs: limited quantity -> function of a batch. limits: name -> (least, most). against: names in `costs` of which
    less is better: the search is for the front of the objective against them. prior: what another task has taught.
    """

    space: Space
    objective: str
    seed: int
    total: int
    archs: Architectures
    state: NDArray[np.uint8]
    canon: NDArray[np.uint64]
    metrics: Mapping[str, NDArray[np.float64]]
    ids: NDArray[np.int64]
    whys: Sequence[Mapping[str, JSON]]
    limits: Mapping[str, Limit] = field(default_factory=dict[str, Limit])
    costs: Mapping[str, Callable[[Architectures], NDArray[Any]]] = field(default_factory=dict[str, Any])
    known: Known = None  # type: ignore[assignment]  # filled in from `canon` where it is not given
    budget: NDArray[np.int64] = None  # type: ignore[assignment]  # all full where it is not given
    against: tuple[str, ...] = ()
    prior: Prior | None = None

    def __post_init__(self) -> None:
        if self.budget is None:  # pyright: ignore[reportUnnecessaryComparison]
            object.__setattr__(self, "budget", np.zeros(len(self.canon), dtype=np.int64))
        if self.known is None:  # pyright: ignore[reportUnnecessaryComparison]
            object.__setattr__(self, "known", Known.of(self.canon))

    def __len__(self) -> int:
        return len(self.archs)

    @property
    def y(self) -> NDArray[np.float64]:
        """(n,) the objective, NaN where there is none."""
        column = self.metrics.get(self.objective)
        return np.full(len(self), np.nan) if column is None else column

    def rows(self, mask: NDArray[Any]) -> History:
        """The trials of a mask or an integer array."""
        keep: Any = np.flatnonzero(mask) if mask.dtype == bool else mask
        if mask.dtype == bool and len(keep) and keep[-1] == len(keep) - 1:
            keep = slice(len(keep))  # the first so many, as those done nearly always are: views, no copies
        return replace(
            self,
            archs=self.archs[keep],
            state=self.state[keep],
            canon=self.canon[keep],
            budget=self.budget[keep],
            metrics={name: column[keep] for name, column in self.metrics.items()},
            ids=self.ids[keep],
        )

    @property
    def done(self) -> History:
        """The trials with a result of a full evaluation: the labels."""
        return self.rows((self.state == DONE) & (self.budget == 0))

    @property
    def running(self) -> History:
        """The full evaluations asked for and not yet told."""
        return self.rows((self.state == WAITING) & (self.budget == 0))

    def cheap(self, budget: int) -> History:
        """The trials of one budget, whatever their state."""
        return self.rows(self.budget == budget)

    def best(self, k: int = 1) -> History:
        """The `k` best finished trials, best first; the earlier wins a tie."""
        done = self.done
        return done.rows(np.argsort(-done.y, kind="stable")[:k])

    def feasible(self, archs: Architectures) -> NDArray[np.bool_]:
        """(n,) inside the space and within every limit."""
        mask = self.space.contains(archs)
        for name, (least, most) in self.limits.items():
            value = np.asarray(self.costs[name](archs), dtype=np.float64)
            mask &= (value >= least) & (value <= most)
        return mask

    def fresh(self, archs: Architectures, budget: int = 0) -> NDArray[np.bool_]:
        """(n,) feasible, and not the same network as a trial of this budget or as an earlier feasible row of `archs`.

        What is known in full is nothing that a cheap evaluation could still tell of.
        """
        keys = self.space.canonical(archs)
        feasible = np.flatnonzero(self.feasible(archs))  # equal networks may be written at different costs
        _, first = np.unique(keys[feasible], return_index=True)
        mask = np.zeros(len(archs), dtype=bool)
        mask[feasible[first]] = True
        if budget:
            mask &= ~np.isin(keys, self.canon[self.budget == budget])
        return mask & ~self.known.has(keys)

    def why(self, row: int) -> Mapping[str, JSON]:
        """The reason of one trial; empty for one that ``with_running`` added."""
        position = int(self.ids[row])
        return self.whys[position] if position >= 0 else {}

    def with_running(self, archs: Architectures) -> History:
        """This history as it will be once `archs` are asked for: they count as known."""
        n = len(archs)
        if not n:
            return self
        keys = self.space.canonical(archs)
        return replace(
            self,
            archs=Architectures(self.space, np.concatenate([self.archs.genes, archs.genes])),
            state=np.concatenate([self.state, np.full(n, WAITING, np.uint8)]),
            canon=np.concatenate([self.canon, keys]),
            known=self.known.plus(keys),
            budget=np.concatenate([self.budget, np.zeros(n, np.int64)]),
            metrics={name: np.concatenate([column, np.full(n, np.nan)]) for name, column in self.metrics.items()},
            ids=np.concatenate([self.ids, np.full(n, -1)]),
        )

    def sample(self, n: int, rng: np.random.Generator, budget: int = 0) -> Architectures:
        """At most `n` fresh architectures, uniform over the gene rows; fewer when the space runs dry."""
        found = self.space.sample(0, rng)
        for _ in range(20):
            more = np.concatenate([found.genes, self.space.sample(2 * n + 10, rng).genes])
            found = Architectures(self.space, more)
            found = found[np.flatnonzero(self.fresh(found, budget))[:n]]
            if len(found) == n:
                return found
        if self.space.size > LARGEST_SWEEP:
            return found
        every = self.space.enumerate()
        every = every[rng.permutation(len(every))]
        return every[np.flatnonzero(self.fresh(every, budget))[:n]]
