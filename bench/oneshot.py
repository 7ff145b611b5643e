"""One-shot steering on real data: what the shared weights are worth, and what networks come of them.

A template of four layers of four blocks (preset "small") is trained briefly with shared weights, strategy `blocks`
scores 200 masks with them, and its answers are trained in full beside the whole template, a VGG-like path of about the
same parameters, and random masks. The rank correlation of shared weights with networks that were trained alone is
printed for each way of drawing masks, beside that of two trainings with each other. Rows of a JSONL file; what is there
is not computed again.

    python bench/oneshot.py [--data digits mnist5k] [--seeds 5]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from rows import Rows
from stopwatch import HERE, markdown, one_thread, publish

from tierwise import Study, make
from tierwise.architecture import Architecture, Architectures
from tierwise.evaluators import task as tasks
from tierwise.harness.tables import mean_sd
from tierwise.metrics import kendall_tau, spearman
from tierwise.spaces.template import TemplateSpace
from tierwise.spaces.template_presets import preset
from tierwise.supernets.assembly import assemble
from tierwise.supernets.oneshot import OneShot, Shared
from tierwise.supernets.template import SAMPLERS

SHAPES = {"digits": (1, 8, 8), "mnist5k": (1, 14, 14)}
EPOCHS, MASKS = {"digits": 20, "mnist5k": 6}, {"digits": 30, "mnist5k": 16}
RANKED = {"digits": 8, "mnist5k": 6}  # epochs of those whose order is judged: after 20 digits are all alike
EVALUATIONS, WIDTH = 200, 8
FULL: dict[str, Any] = {"batch": 64, "rate": 0.1}
TABLE, RUNS = 150, 20  # evaluations and runs on NAS-Bench-201


def task_of(data: str, width: int = WIDTH, epochs: int | None = None) -> tasks.Task:
    """Networks of the template, trained in full."""
    space = TemplateSpace(preset("small", SHAPES[data], width))
    return tasks.load(space, data, training={**FULL, "epochs": epochs or EPOCHS[data], "together": 30})


def oneshot_of(data: str, seed: int, **shared: Any) -> OneShot:
    """The same with shared weights."""
    return OneShot(task_of(data), Shared(seed=seed, **shared))


def trained(task: tasks.Task, archs: Architectures, seed: int) -> list[float]:
    """Test accuracies of networks that are trained alone."""
    found = task.many(archs, [1000 * seed + k for k in range(len(archs))])
    return found["test_accuracy"].round(3).tolist()


def masks_of(data: str) -> Architectures:
    """The masks whose order is judged."""
    return task_of(data).space.sample(3 * MASKS[data], np.random.default_rng(5)).unique()[: MASKS[data]]


def agreement(data: str, sampler: str, seed: int, truth: list[list[float]]) -> dict[str, float]:
    """Rank correlation of scores by shared weights with the mean of trainings alone."""
    evaluator = oneshot_of(data, seed, sampler=sampler)
    scores = [evaluator(arch, _job(seed)) for arch in masks_of(data)]
    mean = np.mean(truth, axis=0)
    by = {name: np.array([score[name] for score in scores]) for name in ("accuracy", "loss")}
    return {
        "accuracy": float(by["accuracy"].mean()),
        "spearman": spearman(by["accuracy"], mean),
        "tau": kendall_tau(by["accuracy"], mean),
        "spearman_loss": spearman(-by["loss"], mean),
    }


def _job(seed: int) -> Any:
    from tierwise import Job

    return Job(1, seed)


def answers(data: str, seed: int) -> dict[str, Any]:
    """One search, and what its answers and the baselines come to when they are trained in full."""
    evaluator, task = oneshot_of(data, seed), task_of(data)
    space: Any = task.space
    with Study(None, space, "blocks", evaluator, seed=seed) as study:
        study.run(EVALUATIONS)
        chosen = {"best": assemble(study, "best"), "fitness": assemble(study, "fitness")}
    chosen["template"] = Architecture(space.name, (1,) * len(space.choices))
    names, archs = list(chosen), Architectures.of(list(chosen.values()), space)
    random = space.sample(3, np.random.default_rng(100 + seed))
    both = Architectures(space, np.concatenate([archs.genes, random.genes]))
    test, params = trained(task, both, seed), space.totals(both)[:, 1].tolist()
    rows = {name: {"test": [test[k]], "params": params[k]} for k, name in enumerate(names)}
    rows["random"] = {"test": test[3:], "params": float(np.mean(params[3:]))}
    width, plain = vgg_like(data, rows["best"]["params"])
    rows["vgg"] = {"test": trained(task_of(data, width), plain, seed), "params": int(plain.space.totals(plain)[0, 1])}
    return {**rows, "answer": space.format(archs[:1])[0]}


def vgg_like(data: str, params: int) -> tuple[int, Architectures]:
    """A path of 3x3 convolutions alone, of the width whose parameters are nearest."""
    found: list[tuple[float, int, Architectures]] = []
    for width in range(2, 33):
        space: Any = task_of(data, width).space
        genes = tuple(int(choice.path.endswith("conv3")) for choice in space.choices)
        one = Architectures.of([Architecture(space.name, genes)], space)
        found.append((abs(float(space.totals(one)[0, 1]) - params), width, one))
    _, width, one = min(found, key=lambda each: each[0])
    return width, one


def on_a_table(strategy: str, seed: int) -> dict[str, float]:
    """On NAS-Bench-201: the best validation accuracy, and its true rank, after so many evaluations."""
    table = make("benchmark", "nasbench201", dataset="cifar10")
    with Study(None, table.space, strategy, table, seed=seed) as study:
        study.run(TABLE)
        best = study.history().best(1)
    recorded = table.expected("accuracy")
    return {"best": float(best.y[0]), "rank": int((recorded > best.y[0]).sum()) + 1}


def main() -> None:
    """Measure, write, print."""
    one_thread()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--known", action="store_true", help="searches that are in the file, and no more")
    options = parser.parse_args()
    rows = Rows(Path(HERE) / "results" / "oneshot.jsonl")
    parts = ["## One-shot steering"]
    for data in options.data:
        seeds = [s for s in range(options.seeds) if not options.known or json.dumps(("answers", data, s)) in rows.known]
        truth = [
            rows.of(
                "alone", data, seed, make=lambda s=seed, d=data: trained(task_of(d, epochs=RANKED[d]), masks_of(d), s)
            )
            for seed in (0, 1)
        ]
        parts += [_agreement_table(rows, data, truth, options.seeds), _answers_table(rows, data, seeds)]
    parts.append(_table_on_nasbench201(rows))
    publish("oneshot", {"file": "oneshot.jsonl"}, "\n\n".join(parts))


def _agreement_table(rows: Rows, data: str, truth: list[list[float]], seeds: int) -> str:
    lines: list[list[str]] = []
    for sampler in SAMPLERS:
        found = [
            rows.of("agreement", data, sampler, seed, make=lambda a=(data, sampler, seed): agreement(*a, truth))
            for seed in range(seeds)
        ]
        columns = [[each[name] for each in found] for name in ("accuracy", "spearman", "tau", "spearman_loss")]
        lines.append([sampler, *(mean_sd(np.array(column), 2) for column in columns)])
    ceiling = spearman(*truth)
    head = ["masks drawn as", "shared accuracy", "Spearman", "Kendall tau", "Spearman of the loss"]
    said = f"{data}: {MASKS[data]} masks, trained alone twice for {RANKED[data]} epochs (each other: {ceiling:.2f})"
    return f"{said}\n\n{markdown(head, lines)}"


def _answers_table(rows: Rows, data: str, seeds: list[int]) -> str:
    found = [rows.of("answers", data, seed, make=lambda a=(data, seed): answers(*a)) for seed in seeds]
    names = {
        "best": "best mask by shared weights", "fitness": "fittest block of each layer", "template": "whole template",
        "vgg": "VGG-like path of like parameters", "random": "random masks",
    }  # fmt: skip
    lines = [
        [label, mean_sd(np.array([np.mean(each[name]["test"]) for each in found]), 2),
         f"{np.mean([each[name]['params'] for each in found]):,.0f}"]
        for name, label in names.items()
    ]  # fmt: skip
    return (
        f"{data}: trained in full, {len(seeds)} seeds\n\n{markdown(['network', 'test accuracy', 'parameters'], lines)}"
    )


def _table_on_nasbench201(rows: Rows) -> str:
    lines: list[list[str]] = []
    for strategy in ("random", "evolution", "blocks"):
        found = [rows.of("nasbench201", strategy, s, make=lambda a=(strategy, s): on_a_table(*a)) for s in range(RUNS)]
        best, rank = (np.array([each[name] for each in found], dtype=float) for name in ("best", "rank"))
        lines.append([strategy, mean_sd(best, 3), f"{np.median(rank):.0f}"])
    head = ["strategy", f"best validation accuracy of {TABLE}", "median rank among 15,625"]
    return f"NAS-Bench-201, CIFAR-10, {RUNS} runs\n\n{markdown(head, lines)}"


if __name__ == "__main__":
    main()
