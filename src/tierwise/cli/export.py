"""A study's results as CSV or JSON; one architecture as a drawing, a graph or a network."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tierwise.architecture import Architecture, Architectures
from tierwise.cli.results import chosen, chosen_architecture
from tierwise.drawing import dot, svg
from tierwise.errors import BadSetting
from tierwise.study import Study

NETWORKS = (".py", ".safetensors", ".pt2", ".onnx")


def write(study: Study, out: Path, trial: int | None = None, text: str | None = None) -> None:
    """All trials to FILE.csv or FILE.json; one architecture to FILE.svg or FILE.dot; the file or nothing."""
    writers: dict[str, Callable[[Study, Path], None]] = {".csv": _csv, ".json": _json}
    for end, draw in ((".svg", svg), (".dot", dot)):
        writers[end] = lambda study, path, draw=draw: _drawn(draw, chosen_architecture(study, trial, text), study, path)
    if out.suffix not in writers:
        raise BadSetting("export", out.name, f"a file name that ends in {', '.join((*writers, *NETWORKS))}")
    part = out.with_name(out.name + ".part")
    writers[out.suffix](study, part)
    part.replace(out)


def _rows(study: Study) -> list[dict[str, Any]]:
    trials = study.trials()
    archs = Architectures.of([t.arch for t in trials], study.space)
    texts, costs = study.space.format(archs), {name: study.cost(name, archs).tolist() for name in study.against}
    front = {t.id for t in study.front()} if study.against else set[int]()
    return [
        {
            "trial": t.id,
            "architecture": text,
            "genes": t.arch.gene_text,
            "state": t.state,
            "budget": t.budget,
            **({"front": "yes" if t.id in front else "no"} if study.against else {}),
            **{name: column[k] for name, column in costs.items()},
            **t.metrics,
            "why": dict(t.why),
            "error": t.error,
        }
        for k, (t, text) in enumerate(zip(trials, texts, strict=True))
    ]


def _csv(study: Study, path: Path) -> None:
    rows = _rows(study)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows({**row, "why": json.dumps(row["why"])} for row in rows)


def _json(study: Study, path: Path) -> None:
    content: dict[str, Any] = {"space": study.space.name, "objective": study.objective, "seed": study.seed}
    content |= {"against": list(study.against), "trials": _rows(study)} if study.against else {"trials": _rows(study)}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _drawn(draw: Callable[..., str], arch: Architecture, study: Study, path: Path) -> None:
    graph = study.space.graph(arch)
    path.write_text(draw(graph.nodes, graph.edges, title=str(arch)), encoding="utf-8")


def write_network(
    study: Study, benchmark: Any, out: Path, trial: int | None, text: str | None, task: Mapping[str, Any]
) -> str:
    """The network of one architecture, untrained or with weights; what it is. task: classes, shape, weights, if given.

    trial, text: as of ``chosen_architecture``.
    """
    from tierwise.evaluators.train import Train
    from tierwise.export import formats

    own = benchmark if isinstance(benchmark, Train) else None
    arch = chosen_architecture(study, trial, text)
    classes = task["classes"] or (own.classes if own else 10)
    shape = task["shape"] or (own.splits().train.shape if own else (3, 32, 32))
    network = study.space.build(arch, classes=classes, shape=shape)
    if task["weights"] is not None:
        formats.read_weights(network, task["weights"])
    origin = f"trial {chosen(study, trial).id} of" if text is None else "for"
    formats.write_network(network, out, shape, f"{arch}, {origin} {study.path and study.path.name}")
    state = f"weights of {task['weights']}" if task["weights"] else "untrained"
    return f"{classes} classes, inputs of shape {tuple(shape)}, {state}"
