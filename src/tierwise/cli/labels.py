"""Labels that there are before a search: results of the same task, or labels of another one in the same space."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tierwise import registry
from tierwise.architecture import Architecture, Architectures
from tierwise.benchmarks.columns_file import KINDS, ColumnsFile, read_architectures, read_columns
from tierwise.errors import BadArchitecture, BadTable, NotAStudy, WrongStudy
from tierwise.history import Prior
from tierwise.space import Space
from tierwise.study import open_study

NO_TASK = ("objectives", "space")  # options of a benchmark that leave the labels as they are


def known(path: Path, space: Space, objective: str, notes: Mapping[str, Any]) -> Prior:
    """Results of this very task: an earlier study of the same benchmark, data set and label, or a file of results.

    notes: of the study that takes them. Raises BadTable, StudyError.
    """
    if path.suffix.lower() in KINDS:
        return _file(path, space, objective)
    labels, told, noted = _study(path, space)
    if told != objective or not noted or _task(noted) != _task(notes["benchmark"]):
        raise WrongStudy(
            path,
            f"is a study of {told} on {_said(noted)}, not of {objective} on {_said(notes['benchmark'])}; "
            "give a study of this very task, or its labels as --prior",
        )
    return labels


def prior(path: Path, space: Space, objective: str, notes: Mapping[str, Any]) -> Prior:
    """Labels of another task in the same space: an earlier study, or a file with a column of the objective's name.

    notes: of the study that takes them. Those outside of `space` are left out. Raises BadTable, StudyError.
    """
    if path.suffix.lower() in KINDS:
        return _file(path, space, objective)
    labels, told, noted = _study(path, space)
    if told == objective and noted and _task(noted) == _task(notes["benchmark"]):
        raise WrongStudy(path, f"is a study of {objective} on {_said(noted)}, this very task; give it as --known")
    inside = np.flatnonzero(space.contains(labels.archs))
    if not len(inside):
        raise WrongStudy(path, f"has no result inside of {space!r}; give labels of architectures that may be searched")
    return Prior(labels.archs[inside], labels.y[inside], labels.source)


def _study(path: Path, space: Space) -> tuple[Prior, str, Mapping[str, Any]]:
    """Full results of a study of this space, perhaps narrowed; its objective and its benchmark as noted."""
    settings, rows = open_study(path)
    choices = {choice.path: list(choice.options) for choice in space.choices}
    if (settings["space"], settings["choices"]) != (space.name, choices):
        wanted = f"give a study of {space.name}, or a file of results ({', '.join(KINDS)})"
        raise WrongStudy(path, f"is a study of the space {settings['space']}, with other choices; {wanted}")
    objective = settings["objective"]
    done = [row for row in rows if row.state == "done" and not row.budget and objective in row.metrics]
    if not done:
        raise WrongStudy(path, "has no full result yet; give a study that has")
    try:
        archs = Architectures.of([Architecture.parse(f"{space.name}/{row.genes}") for row in done], space)
        space.origin.check(archs)
    except (BadArchitecture, ValueError) as error:
        raise NotAStudy(path, f"is damaged ({error}); restore a copy") from error
    labels = Prior(archs, [row.metrics[objective] for row in done], str(path))
    return labels, objective, settings.get("notes", {}).get("benchmark", {})


def _file(path: Path, space: Space, objective: str) -> Prior:
    """Architectures and the objective from a file; rows without a number there are left out."""
    read = read_columns(path)
    archs, _ = read_architectures(read, space, _column(read))
    y = read.numbers(objective)
    cheap = np.nan_to_num(read.numbers("budget")) > 0 if "budget" in read.columns else np.zeros(len(y), dtype=bool)
    if cheap.any():
        problem = "column 'budget' says that these are cheap evaluations; keep those of 0 alone, which are full"
        raise BadTable(read.source, problem, read.rows(cheap))
    recorded = np.flatnonzero(np.isfinite(y))
    if not len(recorded):
        raise BadTable(read.source, f"no number in the column {objective!r}; one at least is expected")
    return Prior(archs[recorded], y[recorded], str(path))


def _column(read: ColumnsFile) -> str:
    """Which column names architectures: those of an export have their genes as well."""
    return "genes" if "genes" in read.columns and "architecture" not in read.columns else "architecture"


def _task(noted: Mapping[str, Any]) -> dict[str, Any]:
    """What a study's labels are: the options of its benchmark, those not given as they are by default."""
    given = inspect.signature(registry.find("benchmark", noted["name"])).parameters.values()
    usual = {p.name: p.default for p in given if p.default is not p.empty and p.default not in (None, ())}
    return {name: value for name, value in {**usual, **noted}.items() if name not in NO_TASK}


def _said(noted: Mapping[str, Any]) -> str:
    return " ".join(str(value) for value in noted.values()) or "a function of its own"
