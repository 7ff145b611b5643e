"""A study as everybody may look at it: its file, what is known from it, and how it is steered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tierwise import registry
from tierwise.architecture import Architectures
from tierwise.columns import Columns
from tierwise.errors import BadArchitecture, BadSetting, NotAStudy, TierwiseError
from tierwise.filters import Columns as RuleColumns
from tierwise.history import History, Prior, Strategy, Trial
from tierwise.job import Evaluator, check_budget
from tierwise.lock import driven
from tierwise.pareto import goals_of, non_dominated
from tierwise.row import Row
from tierwise.settings import agree, as_limit, cost, describe, known_costs, stored_prior
from tierwise.space import Space
from tierwise.steering import Steer, Steering
from tierwise.store import Store
from tierwise.trial_folder import read_curve


class Looking:
    """What of a study changes nothing. See `tierwise.study.Study` for the settings."""

    def __init__(
        self,
        path: str | Path | None,
        space: Space | str,
        strategy: Strategy | str = "auto",
        evaluator: Evaluator | Callable[..., Any] | None = None,
        *,
        maximize: str = "accuracy",
        limits: Mapping[str, float | tuple[float, float]] | None = None,
        against: Sequence[str] = (),
        prior: Prior | None = None,
        seed: int = 0,
        notes: Mapping[str, Any] | None = None,
        read_only: bool = False,
    ):
        self.space: Space = registry.make("space", space) if isinstance(space, str) else space
        self.strategy: Strategy = registry.make("strategy", strategy) if isinstance(strategy, str) else strategy
        for_space = getattr(evaluator, "for_space", None)  # it builds networks, and does not know yet of what space
        evaluator = evaluator if for_space is None else for_space(self.space)
        self.evaluator, self.objective, self.seed = evaluator, maximize, int(seed)
        if self.seed < 0:
            raise BadSetting("seed", seed, "0 or more")
        if prior is not None and not getattr(self.strategy, "learns_prior", False):
            allowed = "none with this strategy, which learns from labels of this very task alone; auto learns from both"
            raise BadSetting("prior", prior.source, allowed)
        if evaluator is not None:
            for budget in getattr(self.strategy, "budgets", ()):
                check_budget(evaluator, budget)
        self.limits = {name: as_limit(name, value) for name, value in (limits or {}).items()}
        self.against = tuple(against)
        self._costs = {name: cost(name, self.space, evaluator) for name in (*self.limits, *self.against)}
        self.total = 0
        self._drives = self._stale = False
        self._steered: tuple[list[Steer], Steering] | None = None  # what these rows come to: rules may sweep the space
        self._store = Store(None if path is None else Path(path), create=not read_only)
        self.path = self._store.path
        try:
            settled = self.limits, self.seed, self.strategy, notes or {}, self.against, prior
            mine = describe(self.space, maximize, *settled)
            self.prior = stored_prior(agree(self._store, mine), self.space, self.path)
            self._columns = self._load()
            self.steering()  # what cannot be obeyed is said now
        except BaseException:
            self.close()
            raise

    # ---- the file and the memory of it -------------------------------------------------------------------

    def _load(self) -> Columns:
        try:
            return Columns(self.space, self._store.rows(), self.objective)
        except (ValueError, OverflowError, BadArchitecture) as error:
            reason = f"is damaged, or not of this space {self.space.name} ({error}); restore a copy"
            raise NotAStudy(self.path or "study in memory", reason) from error

    def refresh(self) -> list[int]:
        """Read what another process has written since; positions of the trials that are new or have changed.

        Cheap where nothing was written. Raises StudyError.
        """
        if self._drives or not self._store.changed():
            return []
        columns = self._columns
        found = self._store.rows_since([position + 1 for position in columns.waiting()], len(columns))
        found = [row for row in found if row.id > len(columns) or row != columns.rows[row.id - 1]]
        try:
            return columns.read(found)
        except (ValueError, OverflowError, BadArchitecture):
            self._columns = self._load()  # raises what is wrong with the file
            return list(range(len(self._columns)))

    @property
    def driving(self) -> bool:
        """Whether any process searches with it now; one in memory is driven by nobody else."""
        return self._drives or driven(self.path)

    # ---- steering ----------------------------------------------------------------------------------------

    def steering(self) -> Steering:
        """What all steering rows come to. Raises NotAStudy."""
        rows = self._store.steering()
        if self._steered is None or self._steered[0] != rows:
            try:
                self._steered = rows, Steering.of(self.space, rows, self.rule_columns)
            except TierwiseError as error:
                raise NotAStudy(self.path or "study in memory", f"its steering cannot be obeyed ({error})") from error
        return self._steered[1]

    def steers(self) -> list[Steer]:
        """Every steering row, in the order of writing."""
        return self._store.steering()

    def rule_columns(self) -> RuleColumns:
        """What may stand in a rule beside count and pick; loaded when somebody writes one."""
        return {**known_costs(self.space, self.evaluator), **self._costs}

    # ---- trials ------------------------------------------------------------------------------------------

    def history(self) -> History:
        """What a strategy sees: every trial that was not withdrawn."""
        return self._history(self.steering())

    def _history(self, steering: Steering) -> History:
        return steering.left.within(self._unsteered(steering))

    def _unsteered(self, steering: Steering) -> History:
        """The same in the whole space, without what people have banned or vetoed one by one."""
        columns = self._columns.history(self.seed, self.total, self.limits, self._costs)
        known = columns.known.plus(np.array(sorted({*steering.banned, *self._vetoed(steering)}), dtype=np.uint64))
        return replace(columns, known=known, against=self.against, prior=self.prior)

    def _vetoed(self, steering: Steering) -> list[int]:
        """The keys of the networks that were vetoed."""
        rows = self._columns.rows
        return [rows[number - 1].canon for number in steering.vetoed if number <= len(rows)]

    @property
    def rows(self) -> Sequence[Row]:
        """Every trial as it is stored, in the order of asking."""
        return self._columns.rows

    def trials(self) -> list[Trial]:
        """Every trial, in the order of asking."""
        return [self._columns.trial(k) for k in range(len(self._columns))]

    def best(self, k: int = 1) -> list[Trial]:
        """The `k` best finished trials, best first."""
        return [self._columns.trial(int(position)) for position in self.history().best(k).ids]

    def front(self) -> list[Trial]:
        """The finished trials that no other one beats in the objective and in every cost of ``against``, best first."""
        done = self.history().done
        order = np.flatnonzero(non_dominated(goals_of(done, done.archs, done.y)))
        order = order[np.argsort(-done.y[order], kind="stable")]
        return [self._columns.trial(int(position)) for position in done.ids[order]]

    @property
    def folder(self) -> Path | None:
        """Where evaluations keep their files, beside the study; None for one in memory."""
        return self._store.folder

    def curve(self, trial: Trial | int) -> list[dict[str, float]]:
        """What the evaluation of a trial reported, a dict a step; none where it reported nothing."""
        number, folder = trial.id if isinstance(trial, Trial) else int(trial), self._store.folder
        return [] if folder is None else read_curve(folder / f"trial-{number}")

    def cost(self, name: str, archs: Architectures) -> NDArray[np.float64]:
        """(n,) a cost of ``limits`` or ``against``."""
        return np.asarray(self._costs[name](archs), dtype=np.float64)

    @property
    def finished(self) -> int:
        """How many trials have a result, good or bad."""
        return self._columns.told

    @property
    def planned(self) -> int | None:
        """How many finished trials the latest run was begun for, by whatever process; None before any."""
        runs = self.runs
        return runs[-1]["trials"] if runs else None

    @property
    def runs(self) -> list[dict[str, Any]]:
        """How the study was run: trials aimed at, order, batch and slots, once for each change; the last hundred."""
        stored = self._store.settings().get("runs", [])
        return [run for run in stored if _is_run(run)] if isinstance(stored, list) else []

    @property
    def seconds(self) -> float:
        """Seconds spent on evaluations: as recorded where the evaluator records them, else as measured."""
        return self._columns.seconds

    @property
    def notes(self) -> dict[str, Any]:
        """What the maker of the study noted, such as its benchmark."""
        return self._store.settings().get("notes", {})

    def close(self) -> None:
        """Let go of the file."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        best = self.best()
        found = f"best {self.objective} {best[0].metrics[self.objective]:.4g}" if best else "nothing found yet"
        return f"<study {self.path or 'in memory'}: {self.finished} trials of {self.space.name}, {found}>"


def _is_run(run: object) -> bool:
    """Whether something in a file that anybody may have edited says how a study was run."""
    given: dict[Any, Any] = run if isinstance(run, dict) else {}  # pyright: ignore[reportUnknownVariableType]
    numbers = [given.get(name) for name in ("trials", "batch", "slots")]
    return all(type(number) is int and number > 0 for number in numbers) and given.get("order") in ("arrived", "asked")
