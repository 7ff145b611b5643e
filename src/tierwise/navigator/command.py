"""The command line that goes on with a search."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tierwise.navigator.meta import noted
from tierwise.script import strategy_call
from tierwise.study import Study

PLAIN = ("dataset", "label", "space", "table", "metric", "data", "classes", "template")
PAIRS, LISTS = ("training", "shared"), {"objectives": "objective"}


def going_on(study: Study, benchmark: Any, trials: int) -> list[str]:
    """The words of ``tierwise run ...`` for a study file; none where it was not made of registered parts."""
    found, strategy = noted(study), strategy_call(repr(study.strategy))
    if study.path is None or not found or strategy is None or getattr(benchmark, "space", None) != study.space:
        return []
    words, rest = ["tierwise", "run", str(found["name"])], {k: v for k, v in found.items() if k != "name"}
    for name, value in rest.items():
        if name in PLAIN:
            words += [f"--{name}", str(value)]
        elif name in PAIRS and isinstance(value, Mapping):
            words += [part for key, each in value.items() for part in (f"--{name}", f"{key}={_said(each)}")]
        elif name in LISTS and isinstance(value, Sequence):
            words += [part for each in value for part in (f"--{LISTS[name]}", str(each))]
        elif name == "maximize":
            words += [] if value else ["--minimize"]
        else:
            return []
    name, options = strategy
    words += ["--strategy", name, *(part for k, v in options.items() for part in ("--option", f"{k}={_said(v)}"))]
    words += [part for limit in _limits(study) for part in ("--limit", limit)]
    words += [part for name in study.against for part in ("--against", name)]
    words += [] if study.prior is None else ["--prior", study.prior.source]
    return [*words, "--seed", str(study.seed), "--trials", str(trials), "--study", str(study.path)]


def _limits(study: Study) -> list[str]:
    found: list[str] = []
    for name, (least, most) in study.limits.items():
        low = "" if math.isinf(least) else f"{least!r}:"
        found.append(f"{name}={low}{most!r}")
    return found


def _said(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
