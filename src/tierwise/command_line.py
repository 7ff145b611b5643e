"""The command line of a search, from what its study notes of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tierwise.script import strategy_call

if TYPE_CHECKING:
    from tierwise.looking import Looking

PLAIN = ("dataset", "label", "space", "table", "metric", "data", "classes", "template")
PAIRS, LISTS = ("training", "shared"), {"objectives": "objective"}


def noted(study: Looking) -> dict[str, Any]:
    """The benchmark that the study has noted, none where it has not."""
    found = study.notes.get("benchmark")
    return found if isinstance(found, dict) else {}


def search_words(study: Looking) -> list[str]:
    """The words of ``tierwise run ...`` for the same search, but for how long it goes on and in which file; none where
    it was not made of registered parts.
    """
    found, strategy = noted(study), strategy_call(repr(study.strategy))
    if not found or strategy is None:
        return []
    words = ["tierwise", "run", str(found["name"])]
    for name, value in found.items():
        if name in PLAIN:
            words += [f"--{name}", str(value)]
        elif name in PAIRS and isinstance(value, Mapping):
            words += [part for key, each in value.items() for part in (f"--{name}", f"{key}={_said(each)}")]
        elif name in LISTS and isinstance(value, Sequence):
            words += [part for each in value for part in (f"--{LISTS[name]}", str(each))]
        elif name == "maximize":
            words += [] if value else ["--minimize"]
        elif name != "name":
            return []
    name, options = strategy
    words += ["--strategy", name, *(part for k, v in options.items() for part in ("--option", f"{k}={_said(v)}"))]
    words += [part for limit in _limits(study) for part in ("--limit", limit)]
    words += [part for name in study.against for part in ("--against", name)]
    words += [] if study.prior is None else ["--prior", study.prior.source]
    return [*words, "--seed", str(study.seed)]


def going_on(study: Looking, benchmark: Any, trials: int) -> list[str]:
    """The words that go on with a study file to so many trials; none where that cannot be done from a command."""
    words = search_words(study)
    if not words or study.path is None or getattr(benchmark, "space", None) != study.space:
        return []
    return [*words, "--trials", str(trials), "--study", str(study.path)]


def _limits(study: Looking) -> list[str]:
    return [
        f"{name}={_number(most)}" if math.isinf(least) else f"{name}={_number(least)}:{_number(most)}"
        for name, (least, most) in study.limits.items()
    ]


def _number(value: float) -> str:
    short = f"{value:.10g}"
    return short if float(short) == value else repr(value)


def _said(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
