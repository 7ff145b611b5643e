"""From a study to a training in full and the files of its network."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tierwise.architecture import Architecture
from tierwise.cli.reopen import benchmark_options
from tierwise.errors import BadSetting, MissingExtra
from tierwise.evaluators.task import Task, load
from tierwise.export.formats import write_network
from tierwise.job import Job
from tierwise.study import Study
from tierwise.trial_folder import CHECKPOINT, read_curve

Stage = Callable[[str, int, int], None]


def task_of(study: Study, benchmark: Any, data: str | None, classes: int | None, training: Mapping[str, Any]) -> Task:
    """The study's own task with these changes, or its space on other data. Raises BadSetting."""
    noted = study.notes.get("benchmark", {}) if isinstance(benchmark, Task) else {}
    chosen = benchmark_options(data=data or noted.get("data"), classes=classes or noted.get("classes"))
    if "data" not in chosen:
        raise BadSetting("data", None, "--data FILE.npz or --data FILE.py:NAME: this study was of a table")
    return load(study.space, chosen["data"], chosen.get("classes"), {**(noted.get("training") or {}), **training})


def train_in_full(
    task: Task, arch: Architecture, folder: Path, seed: int, onnx: bool, stage: Stage
) -> dict[str, float]:
    """Train, and write everything to the folder; the metrics."""
    folder.mkdir(parents=True, exist_ok=True)
    job = Job(1, seed, folder=folder)
    network, metrics = task.trained(arch, job, lambda done, total: stage("epochs", done, total))
    names = ["network.py", "weights.safetensors", "model.pt2", *(["model.onnx"] if onnx else [])]
    for done, name in enumerate(names):
        stage("files", done, len(names))
        write_network(network, folder / name, task.splits().train.shape, f"{arch}, accuracy {metrics['accuracy']:.2f}")
    stage("files", len(names), len(names))
    curve = read_curve(folder)
    with (folder / "curve.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(curve[0]))
        writer.writeheader()
        writer.writerows(curve)
    try:
        from tierwise.plots import learning_curve
    except MissingExtra:
        pass  # the numbers are in curve.csv
    else:
        figure: Any = learning_curve(curve).figure
        figure.savefig(folder / "curve.png", dpi=150, facecolor="white", bbox_inches="tight")
    (folder / "metrics.json").write_text(
        json.dumps({"architecture": str(arch), "seed": seed, **metrics}, indent=1) + "\n"
    )
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return metrics
