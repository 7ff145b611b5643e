"""What NAS-Bench-201 and NATS-Bench record of one architecture, as columns.

Both keep, for each number of epochs, a state: ``arch_index``, ``arch_str`` and ``all_results``, which has the state of
one training for each (data set, seed): curves by epoch ``train_acc1es`` and ``train_times``, curves of the evaluation
sets by ``"set@epoch"`` in ``eval_acc1es`` and ``eval_times``, and ``params``, ``flop`` (millions), ``latency``
(seconds), ``epochs``. The rules are those of the official query functions: the validation accuracy of CIFAR-10 comes
from the net trained on the 25,000 image split, its test accuracy from the net trained on all 50,000; where the seeds
disagree on FLOPs or parameters, seed 888 counts.

Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search" (2020).
Dong, Liu, Musial and Gabrys, "NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology and Size" (2021).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from tierwise import registry
from tierwise.architecture import Architectures
from tierwise.errors import BadArchitecture, BadTable
from tierwise.importers.convert import Part

# run of the file -> (evaluation set, column) of accuracies, then the column of the training accuracy and of the time
RUNS: Mapping[str, tuple[tuple[tuple[str, str], ...], str, str]] = {
    "cifar10-valid": (
        (("x-valid", "cifar10/validation_accuracy"), ("ori-test", "cifar10-valid/test_accuracy")),
        "cifar10-valid/train_accuracy",
        "cifar10/training_seconds",
    ),
    "cifar10": (
        (("ori-test", "cifar10/test_accuracy"),),
        "cifar10/train_accuracy",
        "cifar10/retraining_seconds",
    ),
    **{
        run: (
            (("x-valid", f"{name}/validation_accuracy"), ("x-test", f"{name}/test_accuracy")),
            f"{name}/train_accuracy",
            f"{name}/training_seconds",
        )
        for run, name in (("cifar100", "cifar100"), ("ImageNet16-120", "imagenet16-120"))
    },
}
COSTS = {"cifar10": ("cifar10", "cifar10-valid"), "cifar100": ("cifar100",), "imagenet16-120": ("ImageNet16-120",)}
MILLION = 1_000_000
TOTAL = "total"  # in a shortened curve: the sum of all its epochs
PRECISE = ("/params", "/flops")


class NotAState(Exception):
    """What is wrong with the state of an architecture."""


def shorten(curve: dict[Any, Any]) -> None:
    """Leave of a curve by epoch its last value and the total, of evaluation curves the last value of each set.

    Called for every dict of a file while it is read; dicts that are no curves stay as they are.
    """
    if not curve or type(next(reversed(curve.values()))) is not float:
        return
    keys = list(curve)
    if all(type(key) is int for key in keys):
        last, total = max(keys), math.fsum(curve.values())
        value = curve[last]
        curve.clear()
        curve.update({last: value, TOTAL: total})
    elif all(type(key) is str and "@" in key for key in keys):
        ends: dict[str, tuple[int, Any]] = {}
        for key, value in curve.items():
            name, _, epoch = key.rpartition("@")
            if epoch.isdecimal() and len(epoch) < 6:
                ends[name] = max(ends.get(name, (-1, None)), (int(epoch), value), key=lambda end: end[0])
        curve.clear()
        curve.update({f"{name}@{epoch}": value for name, (epoch, value) in ends.items()})


def columns_of(states: Mapping[Any, Any]) -> dict[str, float]:
    """The columns of one architecture from its states, one for each number of epochs. Raises NotAState."""
    found: dict[str, float] = {}
    for state in states.values():
        for key, run in _runs(state).items():
            if key[0] in RUNS:
                found.update(_accuracies(key[0], key[1], run))
    for state in sorted(states.values(), key=_epochs):  # the longest training has the last word on the costs
        for name, sources in COSTS.items():
            found.update(_costs(name, [_seeds(state, source) for source in sources]))
    return found


def identity(states: Mapping[Any, Any]) -> tuple[int, str]:
    """Number and text of the architecture, the same in all its states. Raises NotAState."""
    told = {(_get(state, "arch_index", int), _get(state, "arch_str", str)) for state in states.values()}
    if len(told) != 1:
        raise NotAState(f"{len(told)} architectures in one record")
    return told.pop()


def record_of(path: Path, number: int, states: Mapping[Any, Any]) -> tuple[int, str, dict[str, float]]:
    """What the states of architecture `number` tell: number, text, columns. Raises BadTable naming the number."""
    try:
        told, text = identity(states)
        columns = columns_of(states)
    except NotAState as wrong:
        raise BadTable(path, str(wrong), [number]) from None
    if told != number:
        raise BadTable(path, f"the record of architecture {told} under another number", [number])
    return number, text, columns


def part_of(records: Sequence[tuple[int, str, dict[str, float]]], space: str, source: Path) -> Part:
    """Records (number, text, columns) as a part. Raises BadTable where a text has another number in the space."""
    architectures = registry.make("space", space)
    numbers = np.array([number for number, _, _ in records], dtype=np.int64)
    try:
        parsed = [architectures.parse(text) for _, text, _ in records]
    except BadArchitecture as error:
        raise BadTable(source, str(error)) from error
    rows = architectures.index(Architectures.of(parsed, architectures))
    if not np.array_equal(rows, numbers):
        raise BadTable(source, "architectures with another number than the benchmark's", numbers[rows != numbers])
    names = dict.fromkeys(name for _, _, columns in records for name in columns)
    return Part({name: _column(name, (columns for _, _, columns in records)) for name in names}, rows)


def _column(name: str, records: Iterable[dict[str, float]]) -> Any:
    values = [record.get(name, math.nan) for record in records]
    return np.array(values, dtype=np.float64 if name.endswith(PRECISE) else np.float32)


def _get(state: Any, key: str, kind: type | tuple[type, ...]) -> Any:
    value = cast(dict[Any, Any], state).get(key) if isinstance(state, dict) else None
    if not isinstance(value, kind):
        raise NotAState(f"no sound {key}")
    return value


def _runs(state: Any) -> dict[tuple[str, int], Any]:
    runs = _get(state, "all_results", dict)
    for key in runs:
        if type(key) is not tuple or len(key) != 2 or type(key[0]) is not str or type(key[1]) is not int:
            raise NotAState(f"a run named {str(key)[:60]}, expected (data set, seed)")
    return cast(dict[tuple[str, int], Any], runs)


def _seeds(state: Any, dataset: str) -> dict[int, Any]:
    return {seed: run for (name, seed), run in _runs(state).items() if name == dataset}


def _epochs(state: Any) -> int:
    return max((_get(run, "epochs", int) for run in _runs(state).values()), default=0)


def _accuracies(dataset: str, seed: int, run: Any) -> dict[str, float]:
    sets, trained, seconds = RUNS[dataset]
    epochs = _get(run, "epochs", int)
    label = f"@{epochs}#{seed}"
    evaluated = _get(run, "eval_acc1es", dict)
    found = {column + label: _percent(evaluated.get(f"{name}@{epochs - 1}")) for name, column in sets}
    found[trained + label] = _percent(_get(run, "train_acc1es", dict).get(epochs - 1))
    times = run.get("train_times")
    if times is not None:
        found[seconds + label] = _total(_get(run, "train_times", dict), epochs)
    took = _get(run, "eval_times", dict).get(f"x-valid@{epochs - 1}")
    if took is not None and sets[0][0] == "x-valid":
        found[sets[0][1].replace("accuracy", "seconds") + label] = _positive(took, "evaluation time")
    return {column: value for column, value in found.items() if not math.isnan(value)}


def _costs(name: str, sources: list[dict[int, Any]]) -> dict[str, float]:
    """FLOPs, parameters and latency (mean of those measured) of the first source that has runs."""
    runs = next((runs for runs in sources if runs), {})
    if not runs:
        return {}
    found: dict[str, float] = {}
    for column, key in (("params", "params"), ("flops", "flop")):
        found[f"{name}/{column}"] = float(round(_agreed(runs, key) * MILLION))
    measured = [_latency(run) for run in runs.values() if run.get("latency") is not None]
    measured = [seconds for seconds in measured if seconds > 0]
    if measured:
        found[f"{name}/latency"] = math.fsum(measured) / len(measured)
    return found


def _agreed(runs: dict[int, Any], key: str) -> float:
    values = {seed: _positive(_get(run, key, (int, float)), key) for seed, run in runs.items()}
    same = len({f"{value:.5f}" for value in values.values()}) == 1
    return math.fsum(values.values()) / len(values) if same else values.get(888, next(iter(values.values())))


def _latency(run: Any) -> float:
    latency = _get(run, "latency", list)
    return math.fsum(_number(value, "latency") for value in latency) / len(latency) if latency else -1.0


def _total(times: dict[Any, Any], epochs: int) -> float:
    total = times.get(TOTAL)
    if total is None:
        total = math.fsum(_number(times.get(epoch), f"training time of epoch {epoch}") for epoch in range(epochs))
    return _positive(total, "training time")


def _percent(value: Any) -> float:
    if value is None:
        return math.nan
    number = _number(value, "accuracy")
    if not 0 <= number <= 100:
        raise NotAState(f"an accuracy of {number}, expected percent")
    return number


def _positive(value: Any, what: str) -> float:
    number = _number(value, what)
    if number < 0:
        raise NotAState(f"a {what} of {number}")
    return number


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise NotAState(f"no sound {what}")
    return float(value)
