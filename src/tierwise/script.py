"""A study as a plain Python script that makes it again, with everything that people have said in it."""

from __future__ import annotations

import ast
import functools
import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tierwise import registry
from tierwise.errors import TierwiseError
from tierwise.history import Trial
from tierwise.replay import Planned

if TYPE_CHECKING:
    from tierwise.looking import Looking


def script(study: Looking, steering: Sequence[Planned], runs: Sequence[Mapping[str, Any]], suffix: str) -> str:
    """The text. steering: what people have said. runs: how the study was run, see ``Study.planned``. suffix: of its
    study file.
    """
    name = study.path.name if study.path else "a study in memory"
    lines = [*_task(study), *_strategy(study), ""]
    lines += ["STEERING = [  # written once there are so many results, and so many trials asked for"]
    lines += [f"    Planned({_said(said)})," for said in steering]
    lines += ["]", "", *_study(study, suffix), *_known(study.trials(), study.objective), *_runs(study, runs), ""]
    lines += ["for trial in study.best(5):", "    print(trial.metrics[study.objective], trial.arch)"]
    text = "\n".join(lines)
    names = ("Architectures.", "Study(", "load_space(", "make(")
    used = ", ".join(name[:-1] for name in names if name in text)
    title = f"The search of {name}, once more, with what people have said in it."
    head = [repr(title), "", f"from tierwise import {used}", "from tierwise.replay import Planned", ""]
    return "\n".join([*head, text]) + "\n"


def _said(said: Planned) -> str:
    """The arguments of one row; what is not given is left out."""
    given = {field.name: getattr(said, field.name) for field in fields(said)}
    return ", ".join(f"{name}={value!r}" for name, value in given.items() if value not in ("", ()))


@functools.cache
def called(text: str) -> tuple[str, Mapping[str, Any]]:
    """Class and settings of what has this text; "" and none where it is no call with plain settings.

    Read once: whoever looks at a running study asks again and again.
    """
    try:
        call = ast.parse(text, mode="eval").body
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
            return call.func.id, {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
    except (SyntaxError, ValueError):
        pass
    return "", {}


def strategy_call(text: str) -> tuple[str, dict[str, Any]] | None:
    """The registered name and the settings of a strategy, from its text; None where it is no registered one."""
    kind, settings = called(text)
    try:
        points = registry.installed("strategy").items()
        name, factory = next((n, p.load()) for n, p in points if kind and p.value.endswith(f":{kind}"))
    except (StopIteration, ImportError, TierwiseError):
        return None
    usual = {p.name: p.default for p in inspect.signature(factory).parameters.values()}
    return name, {key: value for key, value in settings.items() if value != usual.get(key)}


def _arguments(first: str, settings: Mapping[str, Any]) -> str:
    return ", ".join([repr(first), *(f"{name}={value!r}" for name, value in settings.items())])


def _task(study: Looking) -> list[str]:
    """The space and the evaluator."""
    noted = study.notes.get("benchmark")
    if isinstance(noted, dict):
        options: dict[str, Any] = {str(key): value for key, value in noted.items() if key != "name"}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        name, smaller = str(noted["name"]), ""  # pyright: ignore[reportUnknownArgumentType]
        if "space" in options and "space" not in inspect.signature(registry.find("benchmark", name)).parameters:
            part = str(options.pop("space"))
            opened = f"make('space', {part!r})" if part in registry.installed("space") else f"load_space({part!r})"
            smaller = f".within({opened}, {Path(part).stem!r})"
        lines = [f"evaluator = make('benchmark', {_arguments(name, options)}){smaller}", "space = evaluator.space"]
    elif study.space.name in registry.installed("space"):
        lines = ["evaluator = None  # fill in: the function of an architecture that evaluates it"]
        lines += [f"space = make('space', {study.space.name!r})"]
    else:
        lines = ["evaluator = None  # fill in: the function of an architecture that evaluates it"]
        lines += [f"space = {study.space.name!r}  # fill in: this space is not registered"]
    for choice, kept in zip(study.space.choices, study.space.allowed, strict=True):
        left = [option for option, keeps in zip(choice.options, kept, strict=False) if keeps]
        if len(left) < len(choice.options):
            lines.append(f"space = space.narrow({choice.path!r}, {left!r})")
    return lines


def _strategy(study: Looking) -> list[str]:
    found = strategy_call(repr(study.strategy))
    if found is None:
        return [f"strategy = None  # fill in: {study.strategy!r} is not registered"]
    return [f"strategy = make('strategy', {_arguments(*found)})"]


def _study(study: Looking, suffix: str) -> list[str]:
    path = Path(f"{study.path.stem}-{suffix}.db" if study.path else f"{suffix}.db")
    given: dict[str, Any] = {"maximize": study.objective, "seed": study.seed}
    if study.limits:
        given["limits"] = study.limits
    if study.against:
        given["against"] = list(study.against)
    if study.notes:
        given["notes"] = study.notes
    settings = ", ".join(f"{name}={_plain(value)}" for name, value in given.items())
    lines = [f"study = Study({str(path)!r}, space, strategy, evaluator, {settings})"]
    if study.prior is not None:
        lines.insert(0, f"# fill in: the study had {len(study.prior)} prior labels of {study.prior.source!r} (prior=)")
    return lines


def _plain(value: object) -> str:
    """As Python text, in which an infinite limit can be read back."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_plain(each)}" for key, each in value.items()) + "}"  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, tuple):
        return "(" + ", ".join(_plain(each) for each in value) + ")"  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return f"float({str(value)!r})" if isinstance(value, float) and math.isinf(value) else repr(value)


def _known(trials: Sequence[Trial], objective: str) -> list[str]:
    """Results that were known before anything was asked for."""
    lines: list[str] = []
    known = [trial for trial in trials if trial.why.get("strategy") == "known"]
    for source in dict.fromkeys(str(trial.why.get("from")) for trial in known):
        of_it = [trial for trial in known if trial.why.get("from") == source]
        lines += [f"KNOWN = {[(str(trial.arch), trial.metrics.get(objective)) for trial in of_it]!r}"]
        lines += ["archs = Architectures.of([space.parse(text) for text, _ in KNOWN], space)"]
        lines += [f"study.include(archs, [value for _, value in KNOWN], {source!r})"]
    return lines


def _runs(study: Looking, runs: Sequence[Mapping[str, Any]]) -> list[str]:
    lines: list[str] = []
    if not runs:
        lines.append("# how it was run is not known")
    if any(run["order"] == "arrived" and run["slots"] != 1 for run in runs):
        lines.append("# results were told as they arrived: one after another they are like these, not the same")
    for run in runs or [{"trials": max(study.finished, 1), "batch": None, "order": "asked", "slots": 1}]:
        order = run["order"] if run["slots"] == 1 else "asked"
        lines.append(f"study.run({run['trials']}, order={order!r}, batch={run['batch']}, steering=STEERING)")
    return lines
