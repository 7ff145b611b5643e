"""A study file opened again with the benchmark that it was run on, as its command line named it."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from tierwise import python_files, registry
from tierwise.cli import named_files
from tierwise.errors import BadSetting, WrongStudy
from tierwise.space import Space
from tierwise.study import Study, open_study


@dataclasses.dataclass(frozen=True)
class _Named:
    """Stands for the strategy of a study that is only looked at."""

    text: str

    def __repr__(self) -> str:
        return self.text


@contextlib.contextmanager
def reopen(path: Path, truth: Path | None) -> Generator[tuple[Study, Any]]:
    """The study and its benchmark, to look at and to steer. Raises StudyError.

    Of a study that Python has made the benchmark is None; WrongStudy where its space is not registered either.
    """
    settings, _ = open_study(path)
    noted = settings.get("notes", {}).get("benchmark")
    if noted:
        options = {name: value for name, value in noted.items() if name != "name"}
        for code in ("space", "data"):
            named_files.check(path, options.get(code, ""))
        data = open_benchmark(noted["name"], options, truth)
        space = data.space
    elif settings["space"] in registry.installed("space"):
        data, space = None, registry.make("space", settings["space"])
    else:
        raise WrongStudy(path, "is of a space that is not registered, and of no benchmark; open it in Python with both")
    for choice, kept in zip(space.choices, settings["allowed"], strict=True):
        space = space.narrow(choice.path, [o for o, k in zip(choice.options, kept, strict=False) if k == "1"])
    infinity = float("inf")
    limits = {
        name: (-infinity if least is None else least, infinity if most is None else most)
        for name, (least, most) in settings["limits"].items()
    }
    given: dict[str, Any] = {"maximize": settings["objective"], "limits": limits, "seed": settings["seed"]}
    given["against"] = settings.get("against", [])
    strategy: Any = _Named(settings["strategy"])
    with Study(path, space, strategy, data, notes=settings["notes"], **given) as study:
        yield study, data


def benchmark_options(**given: Any) -> dict[str, Any]:
    """The options that were given; paths of files are made absolute, so that a study finds them from elsewhere.

    A Python file among them is remembered as one that a person has named.
    """
    options = {name: value for name, value in given.items() if value is not None}
    for name in ("space", "table", "data", "template"):
        if name in options and Path(options[name]).is_file():
            options[name] = str(Path(options[name]).resolve())
    named_files.allow()
    for name in ("space", "data"):
        if python := python_files.named(options.get(name, "")):
            options[name] = f"{python[0].resolve()}:{python[1]}"
            named_files.remember(python[0])
    return options


def open_benchmark(name: str, options: Mapping[str, Any], truth: Path | None) -> Any:
    """The benchmark with these options; one that has a space of its own is cut down to the option ``space``.

    truth: its file of test accuracies. Raises UnknownName, BadSetting, BadTable.
    """
    settings: dict[str, Any] = {**options, **({} if truth is None else {"truth": truth})}
    if "space" not in settings or "space" in inspect.signature(registry.find("benchmark", name)).parameters:
        return registry.make("benchmark", name, **settings)
    smaller = settings.pop("space")
    table = registry.make("benchmark", name, **settings)
    if not hasattr(table, "within"):
        raise BadSetting("space", smaller, f"none: {name} is no table that could be cut down")
    return table.within(open_space(smaller), Path(smaller).stem)


def open_space(named: str, *, by_person: bool = True) -> Space:
    """The space in a TOML or Python file, or the registered one of this name. Raises BadSetting, UnknownName.

    by_person: whether a person has given the name; otherwise a Python file is not run.
    """
    if not by_person and python_files.named(named):
        raise BadSetting("space", named, "with --space, because it is code that would be run")
    if named in registry.installed("space") or not (Path(named).suffix or Path(named).is_file()):
        return registry.make("space", named)
    from tierwise import load_space  # needs pydantic, which a registered space does not

    return load_space(named)
