"""The numbers of a report: what a study found, what its benchmark knows, how a predictor orders the space."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from tierwise import metrics, registry
from tierwise.architecture import Architectures
from tierwise.command_line import search_words
from tierwise.errors import BadSetting, TierwiseError
from tierwise.history import Trial
from tierwise.predictor import score_all
from tierwise.provenance import known_before
from tierwise.study import Study, open_study

if TYPE_CHECKING:
    from tierwise.benchmarks.table import Table

Column = NDArray[np.float64]
LARGEST_SPACE, SAMPLE = 100_000, 20_000  # a larger space is judged by a sample
LEAST_LABELS = 10
TIERS = 5


@dataclass(frozen=True)
class Ranked:
    """Architectures under a fitted predictor: scores, tiers (0 = best), costs by name.

    edges: scores between tiers, of a predictor without tiers of its own. whole: is this every architecture?
    """

    name: str
    predictor: Any
    edges: Column | None
    archs: Architectures
    scores: Column
    tiers: NDArray[np.int64]
    costs: Mapping[str, Column]
    whole: bool


@dataclass(frozen=True)
class Truth:
    """What a benchmark knows of every architecture, in ``index`` order.

    ceiling: what the noise ceiling is made of, and its two columns.
    """

    table: Table
    labels: Column
    test: Column | None
    ceiling: tuple[str, Column, Column] | None

    def rows(self, archs: Architectures) -> NDArray[np.int64]:
        """The table's rows of these, also where the study's space is a narrowed one."""
        return self.table.space.index(Architectures(self.table.space, archs.genes))


@dataclass(frozen=True)
class Facts:
    """Everything that a report shows. done, best: positions of the finished trials, and those best first."""

    study: Study
    trials: list[Trial]
    archs: Architectures
    y: Column
    done: NDArray[np.int64]
    best: NDArray[np.int64]
    truth: Truth | None
    ranked: Ranked | None
    unranked: str
    wall_seconds: float | None

    @property
    def objective(self) -> str:
        """The name of the label; a table's accuracy is one of validation."""
        return f"validation {self.study.objective}" if self.truth else self.study.objective

    @property
    def percent(self) -> bool:
        """Whether labels read as percentages."""
        values = self.y[self.done]
        return "accuracy" in self.study.objective and len(values) > 0 and 1.5 < values.max() <= 100

    def number(self, value: float) -> str:
        """A label as text."""
        return f"{value:.2f}\N{NO-BREAK SPACE}%" if self.percent else f"{value:.5g}"


def gather(study: Study, benchmark: Table | None, predictor: Any) -> Facts:
    """The facts of a study; `predictor` (a name or an object) learns from its labels. Raises BadSetting."""
    trials = study.trials()  # withdrawn ones as well, which a history leaves out
    archs = Architectures.of([trial.arch for trial in trials], study.space)
    y = np.array([trial.metrics.get(study.objective, np.nan) for trial in trials], dtype=np.float64)
    full = [trial.state == "done" and not trial.budget for trial in trials]
    done = np.flatnonzero(np.array(full, dtype=np.bool_) & np.isfinite(y))
    truth = None if benchmark is None else _truth(study, benchmark)
    ranked, unranked = None, ""
    try:
        ranked = _rank(study, benchmark, predictor, archs[done], y[done])
    except TierwiseError as error:
        unranked = str(error)
    return Facts(
        study=study,
        trials=trials,
        archs=archs,
        y=y,
        done=done,
        best=done[np.argsort(-y[done], kind="stable")],
        truth=truth,
        ranked=ranked,
        unranked=unranked,
        wall_seconds=_wall_seconds(study),
    )


def tiers_of(predictor: Any, archs: Architectures, scores: Column, edges: Column | None) -> NDArray[np.int64]:
    """(n,) tiers, 0 = best: the predictor's own, else those between the `edges` of the scores."""
    if edges is None:
        return np.concatenate([np.asarray(predictor.predict_tier(part), dtype=np.int64) for part in archs.chunks()])
    return (edges[None, :] > scores[:, None]).sum(1).astype(np.int64)


def costs_of(benchmark: Table | None, archs: Architectures) -> dict[str, Column]:
    """FLOPs and parameters, where the space has formulas for them."""
    names = ("flops", "params")
    try:
        if benchmark is not None:
            columns = {name: benchmark.known(name, archs) for name in names}
            return {name: column for name, column in columns.items() if column is not None}
        return dict(zip(names, archs.space.totals(archs).astype(np.float64).T, strict=True))
    except BadSetting:
        return {}


def _truth(study: Study, benchmark: Table) -> Truth:
    labels = benchmark.expected(study.objective)
    if labels is None or benchmark.space.name != study.space.name:
        raise BadSetting(
            "benchmark",
            benchmark.name,
            f"a table of {study.objective} for space {study.space.name}, as the study has",
        )
    truth = benchmark.truth
    test = truth.get("test_accuracy")
    ceiling = None
    if test is not None:
        ceiling = ("these labels against test accuracy", np.asarray(labels), np.asarray(test))
    elif "seed0" in truth and "seed1" in truth:
        ceiling = (
            "one training seed against another",
            np.asarray(truth["seed0"]),
            np.asarray(truth["seed1"]),
        )
    return Truth(benchmark, np.asarray(labels), None if test is None else np.asarray(test), ceiling)


def _rank(study: Study, benchmark: Table | None, predictor: Any, archs: Architectures, y: Column) -> Ranked:
    """The whole space (of a large one a sample) under the predictor, fitted anew. Raises TierwiseError."""
    if len(y) < LEAST_LABELS:
        raise BadSetting("labels", len(y), f"{LEAST_LABELS} or more to rank the space")
    space = study.space if benchmark is None else benchmark.space
    whole = space.size <= LARGEST_SPACE
    every = space.enumerate() if whole else space.sample(SAMPLE, np.random.default_rng([study.seed, SAMPLE]))
    if isinstance(predictor, str):
        name, predictor = predictor, registry.make("predictor", predictor, seed=study.seed)
    else:
        name = _name(predictor)
    predictor.fit(archs, y)
    scores = np.asarray(score_all(predictor, every), dtype=np.float64)
    cuts = np.arange(TIERS - 1, 0, -1) / TIERS
    edges = None if hasattr(predictor, "predict_tier") else np.quantile(scores, cuts)
    tiers = tiers_of(predictor, every, scores, edges)
    return Ranked(name, predictor, edges, every, scores, tiers, costs_of(benchmark, every), whole)


def _name(predictor: object) -> str:
    steps = [step for _, step in predictor.steps] if isinstance(predictor, Pipeline) else [predictor]
    return " + ".join(type(step).__name__ for step in steps)


def _wall_seconds(study: Study) -> float | None:
    """From the first proposal to the last result; of a study in memory unknown."""
    if study.path is None:
        return None
    _, rows = open_study(study.path)
    ends = [row.ended for row in rows if row.ended is not None]
    return max(ends) - min(row.asked for row in rows) if ends else None


@dataclass(frozen=True)
class Scored:
    """One way to order the space, judged by the labels of the table."""

    name: str
    tau: float
    tau_unseen: float
    spearman: float
    precision: float
    best_rank: float


def compare(facts: Facts, ranked: Ranked, truth: Truth, *, percent: float = 5.0, k: int = 10) -> list[Scored]:
    """The predictor, parameters, FLOPs, a random order (expected values), and the ceiling where there is one.

    Unseen are the architectures whose network was not evaluated by the study.
    """
    space, rows = truth.table.space, truth.rows(ranked.archs)
    labels = truth.labels[rows]
    seen = np.isin(space.canonical(ranked.archs), space.canonical(facts.archs[facts.done]))
    ways = {f"predictor {ranked.name}": ranked.scores}
    ways |= {{"params": "parameters", "flops": "FLOPs"}[name]: column for name, column in ranked.costs.items()}
    judged = [_judge(name, scores, labels, seen, percent, k) for name, scores in ways.items()]
    n = int(np.isfinite(labels).sum())
    judged.append(Scored("random order (expected)", 0.0, 0.0, 0.0, percent / 100, (n + 1) / (k + 1)))
    if truth.ceiling is not None:
        name, a, b = truth.ceiling
        judged.append(_judge(f"noise ceiling: {name}", b[rows], a[rows], seen, percent, k))
    return judged


def _judge(name: str, scores: Column, labels: Column, seen: NDArray[np.bool_], percent: float, k: int) -> Scored:
    return Scored(
        name,
        metrics.kendall_tau(scores, labels),
        metrics.kendall_tau(scores[~seen], labels[~seen]),
        metrics.spearman(scores, labels),
        metrics.precision_at(scores, labels, percent),
        metrics.best_rank_at(scores, labels, k),
    )


def command(facts: Facts) -> str:
    """The command line of the same search, "" where the study was not made of registered parts."""
    words = search_words(facts.study)
    if words:
        words += ["--trials", str(sum(trial.state != "withdrawn" for trial in facts.trials))]
        words += [part for source in known_before(facts.trials) for part in ("--known", source)]
    return shlex.join(words)
