"""``tierwise run train``: networks of a space, trained on data in a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tierwise import python_files
from tierwise.errors import BadSetting, UnknownName
from tierwise.evaluators.dataset import Data
from tierwise.evaluators.recipe import Recipe
from tierwise.evaluators.small_data import SMALL
from tierwise.evaluators.train import Train
from tierwise.space import Space
from tierwise.spaces.declared import load_space

RECIPE = tuple(field.name for field in dataclasses.fields(Recipe))
SETTINGS = ("validation", "patience", "together", "device", "threads", "loaders")


class Task(Train):
    """An evaluator with a name and a space of its own."""

    name: str
    space: Space  # pyright: ignore[reportIncompatibleVariableOverride]
    metrics = ("accuracy",)


def load(
    space: Space | str | Path,
    data: str,
    classes: int | None = None,
    training: Mapping[str, Any] | None = None,
) -> Task:
    """The networks of a space, trained on a file's data.

    space: a space, its TOML file or ``FILE.py:NAME``. data: ``FILE.npz`` with arrays x and y, perhaps x_test and
    y_test (told as test_accuracy), x_validation and y_validation; or ``FILE.py:NAME``, a function in a Python file that
    gives (inputs, labels) or a Dataset; or digits, mnist5k, mnist1d. classes: by default one more than the highest
    label of an npz.
    training: of the recipe and of `Train`: epochs, batch, rate, augment ("flip,shift"), together, device, ...
    Raises BadSetting, UnknownName.
    """
    chosen = space if isinstance(space, Space) else load_space(space)
    if data in SMALL:
        small = SMALL[data]()
        task = made(chosen, small.train, classes or 10, training, validation=small.validation, test=small.test)
        task.name = f"train:{data}"
        return task
    parts, highest = _parts(data)
    if (count := classes or highest) is None:
        raise BadSetting("classes", None, f"how many classes there are, where {data} is code")
    task = made(chosen, parts.pop("data"), count, training, **parts)
    task.name = f"train:{Path(data.partition('.py:')[0]).stem}"
    return task


def made(space: Space, data: Data, classes: int, training: Mapping[str, Any] | None = None, **parts: Data) -> Task:
    """The networks of a space, trained on data at hand, with settings as `load` has them. parts: validation, test."""
    given = dict(training or {})
    for name in given:
        if name not in (*RECIPE, *SETTINGS):
            raise UnknownName("setting of a training", name, (*RECIPE, *SETTINGS))
    if "augment" in given:
        given["augment"] = tuple(str(given["augment"]).split(","))
    recipe = Recipe(**{name: given.pop(name) for name in RECIPE if name in given})
    task = Task(data, classes, **{**parts, **given}, recipe=recipe, space=space)
    task.name = "train"
    return task


def _parts(data: str) -> tuple[dict[str, Data], int | None]:
    """Arguments of `Train`, and the number of classes where it can be seen."""
    if named := python_files.named(data):
        return {"data": _of_code(*named)}, None
    try:
        with np.load(data, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, KeyError) as error:
        allowed = f"an .npz file with arrays x and y, or FILE.py:NAME ({str(error).splitlines()[0]})"
        raise BadSetting("data", data, allowed) from error
    parts: dict[str, Data] = {}
    for part, suffix in (("data", ""), ("validation", "_validation"), ("test", "_test")):
        x, y = arrays.get(f"x{suffix}"), arrays.get(f"y{suffix}")
        if x is not None and y is not None:
            parts[part] = (x, y)
        elif part == "data" or x is not y:
            raise BadSetting("data", f"{data} with {', '.join(arrays)}", f"arrays x{suffix} and y{suffix}")
    labels = arrays["y"]
    return parts, int(labels.max()) + 1 if labels.size and labels.dtype.kind in "iu" else None


@dataclasses.dataclass(frozen=True)
class _of_code:
    """The function in a Python file, called where the data are needed: a worker process opens the file again."""

    file: Path
    name: str

    def __call__(self) -> Data:
        found = python_files.value(self.file, self.name)
        return found() if callable(found) and not hasattr(found, "__getitem__") else found
