"""One's own results on one's own space: a declared space and a table, in one line.

    data = load("my.toml", "results.csv")
    study = Study("mine.db", data.space, "tiers", data)

With training instead of a table no benchmark is needed, a function is enough:

    space = load_space("my.toml")
    study = Study("mine.db", space, "tiers", lambda arch: train(space.graph(arch)))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise import registry
from tierwise.architecture import Architectures
from tierwise.benchmarks.columns_file import ColumnsFile, read_architectures, read_columns
from tierwise.benchmarks.table import Table
from tierwise.errors import BadTable
from tierwise.space import Shape, Space
from tierwise.spaces.subset import Subset

Column = NDArray[np.float64]


def load(
    space: Space | str | Path | Mapping[str, Any],
    table: str | Path,
    metric: str = "accuracy",
    *,
    maximize: bool = True,
    known: Sequence[str] = (),
    complete: bool = False,
    classes: int = 10,
    shape: Shape = (3, 32, 32),
) -> Table:
    """A file of results as an evaluator; where it has a part of the space only, ``Table.space`` is that part.

    space: a space, the TOML file or dict that declares one, or the name of a registered one. Of a smaller one, narrowed
    or a part of a space, the file may hold results of the whole, and only what is inside is used.
    table: CSV, Parquet or npz. Architectures are a column ``architecture`` (text, or the genes, "3-0-2"), or one
    column for each choice, called by its path (``cell/0-1``) and holding options; the order of rows is free.
    metric: the column that is searched; a row where it is empty counts as not recorded. With ``maximize=False`` small
    is good, and the search is told ``negative_<metric>``. A column ``seconds`` without gaps is told as well. Columns
    such as ``accuracy@12`` and ``seconds@12`` are results of cheap evaluations, here after 12 epochs.
    complete: whether every architecture of the space must be there.
    known: columns that may limit a search, because they are known before a training. Every other column of numbers
    is kept for reports (``Table.truth``). classes, shape: of the task, for cost formulas.

    Raises BadTable with the row numbers of what is missing, unknown, there twice or no number (CSV: lines, the
    header is line 1; otherwise from 0), BadSetting and UnknownName for the space, MissingExtra.
    """
    asked = _space(space)
    whole = asked.origin
    read = read_columns(table)
    archs, used = read_architectures(read, whole)
    objective = read.numbers(metric)
    recorded = np.isfinite(objective)
    if not recorded.any():
        raise BadTable(read.source, f"no number in the column {metric!r}")
    archs = archs[np.flatnonzero(recorded)]
    if complete:
        _check_complete(read, archs, asked)
    part = whole if len(archs) == whole.size else Subset(whole, archs)
    order = np.flatnonzero(recorded)[np.argsort(part.index(archs), kind="stable")]
    others = _others(read, {*used, metric, *known})
    cheap = [name for name in others if _budget(name, metric)]
    cheaper = {_budget(name, metric): _told(metric, others.pop(name), maximize, others, order, name) for name in cheap}
    told = _told(metric, objective, maximize, others, order)
    made = Table(
        name=f"own:{Path(table).stem}",
        space=part,
        metrics=told,
        known_columns={name: read.numbers(name)[order] for name in known},
        truth={name: column[order] for name, column in others.items()},
        classes=classes,
        shape=shape,
        cheaper=cheaper,
    )
    return made if asked == whole else made.within(asked, Path(space).stem if isinstance(space, str | Path) else "part")


def _told(
    metric: str,
    objective: Column,
    maximize: bool,
    others: dict[str, Column],
    order: NDArray[np.int64],
    column: str = "",
) -> dict[str, Column]:
    """What a search is told of an objective; seconds beside it, without gaps, are no longer among the others."""
    told = {metric: objective[order]} if maximize else {f"negative_{metric}": -objective[order]}
    seconds = "seconds" + column.removeprefix(metric)
    if seconds in others and np.isfinite(others[seconds][order]).all():
        told["seconds"] = others.pop(seconds)[order]
    return told


def _budget(column: str, metric: str) -> int:
    """Of the cheap evaluations that a column holds the metric of, 0 for any other column."""
    name, _, budget = column.rpartition("@")
    return int(budget) if name == metric and budget.isdecimal() else 0


def _check_complete(read: ColumnsFile, archs: Architectures, space: Space) -> None:
    """Raises BadTable with the rows of the space that are not among the recorded architectures."""
    absent = np.setdiff1d(np.arange(space.size), space.index(Architectures(space, archs.genes))).tolist()
    if absent:
        problem = f"{len(absent):,} of {space.size:,} architectures are missing, by their place in the space"
        raise BadTable(read.source, problem, absent)


def _space(given: Space | str | Path | Mapping[str, Any]) -> Space:
    if isinstance(given, Space):
        return given
    if isinstance(given, str) and given in registry.installed("space"):
        return registry.make("space", given)
    from tierwise.spaces.declared import load_space  # needs pydantic, which a registered space does not

    return load_space(given)


def _others(read: ColumnsFile, used: set[str]) -> dict[str, Column]:
    """The numeric columns that nothing else uses. Raises BadTable for one that is numeric in part."""
    return {name: read.numbers(name) for name in read.columns if name not in used and read.is_numeric(name)}
