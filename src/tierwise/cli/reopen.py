"""A study file opened again with the benchmark that it was run on, as its command line named it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Generator
from pathlib import Path
from typing import Any

from tierwise import registry
from tierwise.errors import WrongStudy
from tierwise.study import Study, open_study


@dataclasses.dataclass(frozen=True)
class _Named:
    """Stands for the strategy of a study that is only looked at."""

    text: str

    def __repr__(self) -> str:
        return self.text


@contextlib.contextmanager
def reopen(path: Path, truth: Path | None) -> Generator[tuple[Study, Any]]:
    """The study and its benchmark, to look at. Raises StudyError; WrongStudy for one that no benchmark was noted
    for.
    """
    settings, _ = open_study(path)
    noted = settings.get("notes", {}).get("benchmark")
    if not noted:
        raise WrongStudy(path, "was not made by 'tierwise run' on a benchmark; open it in Python with its space")
    options = {name: value for name, value in noted.items() if name != "name"}
    reports_only = {} if truth is None else {"truth": truth}
    data = registry.make("benchmark", noted["name"], **options, **reports_only)
    space = data.space
    for choice, kept in zip(space.choices, settings["allowed"], strict=True):
        space = space.narrow(choice.path, [o for o, k in zip(choice.options, kept, strict=False) if k == "1"])
    infinity = float("inf")
    limits = {
        name: (-infinity if least is None else least, infinity if most is None else most)
        for name, (least, most) in settings["limits"].items()
    }
    given: dict[str, Any] = {"maximize": settings["objective"], "limits": limits, "seed": settings["seed"]}
    strategy: Any = _Named(settings["strategy"])
    with Study(path, space, strategy, data, notes=settings["notes"], **given) as study:
        yield study, data


def benchmark_options(**given: Any) -> dict[str, Any]:
    """The options that were given; paths of files are made absolute, so that a study finds them from elsewhere."""
    options = {name: value for name, value in given.items() if value is not None}
    for name in ("space", "table"):
        if name in options and Path(options[name]).is_file():
            options[name] = str(Path(options[name]).resolve())
    return options
