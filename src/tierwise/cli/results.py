"""The best of a study with what the benchmark and the final predictor know about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tierwise import metrics, registry
from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadSetting, MissingExtra
from tierwise.history import Trial

if TYPE_CHECKING:
    from tierwise.study import Study


@dataclass(frozen=True)
class Leaders:
    """The best trials, their predicted tiers as text, and further columns (name -> one text a trial).

    front: how many are in the front of a study of several goals, 0 for one of one.
    """

    trials: list[Trial]
    tiers: list[str]
    columns: dict[str, list[str]]
    front: int = 0


def chosen(study: Study, number: int | None) -> Trial:
    """The trial of this number, or the best one. Raises BadSetting."""
    if number is not None:
        trials = study.trials()
        if not 1 <= number <= len(trials):
            raise BadSetting("trial", number, f"1 to {len(trials)}")
        return trials[number - 1]
    if not (found := study.best()):
        raise BadSetting("study", str(study.path), "one with at least one finished trial")
    return found[0]


def chosen_architecture(study: Study, number: int | None, text: str | None) -> Architecture:
    """That of a trial, the best by default; or any as text, see `assemble`. Raises BadSetting, BadArchitecture."""
    if text is None:
        return chosen(study, number).arch
    from tierwise.supernets.assembly import assemble

    return assemble(study, text)


def leaders(study: Study, data: Any, count: int, predictor: str = "tier") -> Leaders:
    """The `count` best trials of a study on a benchmark `data` (``benchmarks.table.Table``, or anything else).

    Of a study of several goals those of its front, with their costs.
    """
    front = study.front() if study.against else []
    trials = front[:count] or study.best(count)
    archs = Architectures.of([t.arch for t in trials], study.space)
    columns = {name: [f"{cost:,.6g}" for cost in study.cost(name, archs)] for name in study.against}
    recorded = data.expected(study.objective) if hasattr(data, "expected") else None
    for name, column in (("", recorded), ("test ", getattr(data, "truth", {}).get("test_accuracy"))):
        if column is not None:
            rows = data.space.index(Architectures(data.space, archs.genes))
            if name:
                columns["test"] = [f"{column[r]:.3f}" for r in rows]
            columns[f"{name}rank"] = [f"{r:,}" for r in metrics.ranks(column)[rows]]
    told = [t.metrics.get("test_accuracy") for t in trials]
    if "test" not in columns and any(value is not None for value in told):
        columns["test"] = ["–" if value is None else f"{value:.3f}" for value in told]
    return Leaders(trials, _tiers(study, archs, predictor), columns, len(front))


def _tiers(study: Study, archs: Architectures, predictor: str) -> list[str]:
    """Tier (1 = best) by a predictor that has learnt from the whole study; "–" where it cannot."""
    done = study.history().done
    if len(done) < 10:
        return ["–"] * len(archs)
    try:
        fitted = registry.make("predictor", predictor, seed=study.seed)
    except MissingExtra:
        return ["–"] * len(archs)
    return [str(t + 1) for t in np.asarray(fitted.fit(done.archs, done.y).predict_tier(archs))]
