"""A study's results as CSV, JSON or a drawing."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from tierwise.architecture import Architectures
from tierwise.drawing import svg
from tierwise.errors import BadSetting
from tierwise.study import Study


def write(study: Study, out: Path) -> None:
    """All trials to FILE.csv or FILE.json, a drawing of the best architecture to FILE.svg; the file or nothing."""
    writers = {".csv": _csv, ".json": _json, ".svg": _svg}
    if out.suffix not in writers:
        raise BadSetting("export", out.name, "a file name that ends in .csv, .json or .svg")
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


def _svg(study: Study, path: Path) -> None:
    found = study.best()
    if not found:
        raise BadSetting("export", "svg", "a study with at least one finished trial")
    graph = study.space.graph(found[0].arch)
    path.write_text(svg(graph.nodes, graph.edges, title=str(found[0].arch)), encoding="utf-8")
