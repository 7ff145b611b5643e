"""What each paper claims of its optimiser, looked for on a small scale: cells with operations on edges, 8 x 8 digits.

sparsity   how many candidates are left, and the accuracy before and after the supernet is cut to the derived network
series     GOLD-NAS: networks of falling cost from one search, each trained alone
collapse   spaces in which first order is known to collapse (after S2 and S4 of Zela et al., "Understanding and
           Robustifying Differentiable Architecture Search", 2020): a skip or noise beside a separable convolution
spread     BaLeNAS: do the standard deviations of the weights cover the spread from run to run
stages     H-DAS: do the stages of one network choose other cells, and what does the loss on depth do

    python bench/optimisers_properties.py [--seeds 5] [--epochs 24] [--only sparsity ...]
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from optimiser_runs import CLASSES, NETWORK, PAGE, RECIPE, accuracy, digits, drawn, one_hot, trained
from rows import Rows
from stopwatch import HERE, markdown, one_thread, publish
from torch import Tensor, nn

from tierwise.harness.tables import mean_sd
from tierwise.registry import installed, make
from tierwise.spaces.edges import Edges
from tierwise.spaces.nasbench201 import OPS
from tierwise.spaces.network import Network, Stage
from tierwise.supernets.cells import CellSupernet
from tierwise.supernets.search import Weighed, search
from tierwise.supernets.stage_wiring import StageWiring

SHAPE = (1, 8, 8)
DEEP = Network(stages=(Stage(3, 8), Stage(3, 16)))
CELLS = Edges("cells", 4, OPS, shared=("avg_pool_3x3",), network=NETWORK)


class Noise(nn.Module):
    """Standard normal noise in place of what enters."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.randn_like(x)


def reduced(worse: str) -> Edges:
    """A cell of four nodes with this operation or a separable convolution on each edge."""
    network = Network(stages=NETWORK.stages, operations={"noise": lambda *_: Noise()})
    return Edges(worse, 4, (worse, "sep_conv_3x3"), zero="", identity="skip_connect", network=network)


SPACES = {"cells": CELLS, "skip_connect": reduced("skip_connect"), "noise": reduced("noise")}
OPTIMISERS: dict[str, dict[str, Any]] = {name: {} for name in installed("optimiser")} | {
    "ista, one stage": {"stages": 1},
    "zarts, gld": {"method": "gld"},
    "zarts, rs": {"method": "rs"},
}


def supernet(space: str, *, per_stage: bool = False) -> CellSupernet:
    """Of a space by name."""
    return CellSupernet(SPACES[space], classes=CLASSES, shape=SHAPE, per_stage=per_stage)


def searched(space: str, name: str, seed: int, epochs: int, **settings: Any) -> tuple[CellSupernet, Weighed]:
    """A supernet and what was found in it."""
    net = drawn(seed, functools.partial(supernet, space, **settings))
    optimiser = make("optimiser", name.split(",")[0], **OPTIMISERS[name])
    return net, search(net, digits(), optimiser, epochs=epochs, seed=seed, recipe=RECIPE)


def sparsity(rows: Rows, seeds: int, epochs: int) -> str:
    """Candidates that are left, and what cutting the others costs at once."""

    def one(name: str, seed: int) -> dict[str, Any]:
        net, found = searched("cells", name, seed, epochs)
        weights = [torch.tensor(own, dtype=torch.float32) for own in found.weights]
        test = digits().test
        return {
            "left": float(np.mean([(own > 0).sum() for own in found.weights])),
            "mixed": accuracy(net, net.everywhere(weights), test),
            "derived": accuracy(net, net.one_hot(found.genes), test),
        }

    lines: list[list[str]] = []
    for name in OPTIMISERS:
        runs = [
            rows.timed("sparsity", name, seed, epochs, make=lambda n=name, s=seed: one(n, s)) for seed in range(seeds)
        ]
        gap = [run["mixed"] - run["derived"] for run in runs]
        numbers = [[run[key] for run in runs] for key in ("left", "mixed", "derived")]
        lines.append([f"`{name}`", *(mean_sd(own, 1) for own in (*numbers, gap))])
    head = ["", "candidates left of 5", "supernet, %", "derived network, same weights, %", "gap"]
    return (
        "### Sparsity and the gap to the derived network (ISTA-NAS, EnTranNAS)\n\nTest accuracy on digits of the "
        "supernet with its last weights of candidates, and of the network that is derived, nothing trained anew.\n\n"
        + markdown(head, lines)
    )


def series(rows: Rows, seeds: int, epochs: int) -> str:
    """The networks of one search of GOLD-NAS, each trained alone."""

    def one(seed: int) -> dict[str, Any]:
        _, found = searched("cells", "gold", seed, epochs)
        every = found.record
        places = sorted({round(k) for k in np.linspace(0, len(every) - 1, 6)}) if every else []
        points: list[dict[str, float]] = []
        for own in (every[k] for k in places):
            weights = [torch.tensor(kept, dtype=torch.float32) for kept in own.kept]
            score = trained(functools.partial(supernet, "cells"), weights, digits(), seed, epochs)
            points.append({"cost": own.cost, "flops": own.flops, "params": own.params, "accuracy": score})
        return {"networks": len(every), "points": points}

    runs = [rows.timed("series", seed, epochs, make=functools.partial(one, seed)) for seed in range(seeds)]
    lines = [
        [seed, k, f"{p['cost']:.2f}", f"{p['flops']:,}", f"{p['params']:,}", f"{p['accuracy']:.1f}"]
        for seed, run in enumerate(runs)
        for k, p in enumerate(run["points"])
    ]
    falling = all(a["cost"] > b["cost"] for run in runs for a, b in zip(run["points"], run["points"][1:], strict=False))
    return (
        f"### Series of networks (GOLD-NAS)\n\nUp to six of the networks of each search "
        f"({mean_sd([run['networks'] for run in runs], 1)} a search), trained alone. Costs "
        f"{'fall' if falling else 'do not fall'} throughout.\n\n"
        + markdown(["search", "network", "part of the cost", "multiply-adds", "parameters", "accuracy, %"], lines)
    )


def collapse(rows: Rows, seeds: int, epochs: int) -> str:
    """How many edges get the operation that does nothing of use, and what the derived network is worth."""

    def one(space: str, name: str, seed: int) -> dict[str, Any]:
        net, found = searched(space, name, seed, epochs)
        score = trained(functools.partial(supernet, space), one_hot(net, found.genes), digits(), seed, epochs)
        return {"worse": found.genes.count(0), "accuracy": score}

    lines: list[list[str]] = []
    for name in OPTIMISERS:
        line = [f"`{name}`"]
        for space in ("skip_connect", "noise"):
            runs = [
                rows.timed("collapse", space, name, seed, epochs, make=functools.partial(one, space, name, seed))
                for seed in range(seeds)
            ]
            line += [mean_sd([run[key] for run in runs], 1) for key in ("worse", "accuracy")]
        lines.append(line)
    head = ["", "skips of 6", "accuracy, %", "noise of 6", "accuracy, %"]
    return (
        "### Collapse (ZARTS, BaLeNAS)\n\nEdges of the derived cell without a separable convolution, in a space of "
        "skips and one of noise beside it, and the test accuracy of that cell trained alone.\n\n"
        + markdown(head, lines)
    )


def spread(rows: Rows, seeds: int, epochs: int) -> str:
    """Standard deviations that a search tells, against those of several searches."""

    def one(seed: int) -> dict[str, Any]:
        _, found = searched("cells", "balenas", seed, epochs)
        told = found.spread or ()
        return {"weights": [own.tolist() for own in found.weights], "spread": [own.tolist() for own in told]}

    runs = [rows.timed("spread", seed, epochs, make=functools.partial(one, seed)) for seed in range(2 * seeds)]
    weights, told = (np.array([run[key] for run in runs]) for key in ("weights", "spread"))
    seen = weights.std(0, ddof=1)
    covered = [float((np.abs(weights - weights.mean(0)) <= k * told).mean()) for k in (1, 2)]
    return (
        f"### Spread (BaLeNAS)\n\nOf 30 weights in {len(runs)} searches, {covered[0]:.0%} are within one and "
        f"{covered[1]:.0%} within two told standard deviations of their mean over searches; told are "
        f"{told.mean():.3f} on average, seen from search to search {seen.mean():.3f}."
    )


def stages(rows: Rows, seeds: int, epochs: int) -> str:
    """Cells of each stage, then how they are wired."""

    def one(seed: int) -> dict[str, Any]:
        cells: dict[str, list[tuple[int, ...]]] = {}
        found: dict[str, Any] = {}
        for name, own in (("shared", False), ("own", True)):
            net, weighed = searched("cells", "one_level", seed, epochs, per_stage=own)
            cells[name] = net.cells(weighed.genes)
            build = functools.partial(supernet, "cells", per_stage=own)
            found[name] = trained(build, one_hot(net, weighed.genes), digits(), seed, epochs)
        make_wiring = functools.partial(StageWiring, CELLS, cells["own"], classes=CLASSES, shape=SHAPE, network=DEEP)
        for strength in (0.0, 1.0):
            net = drawn(seed, make_wiring)
            settings = {"epochs": epochs, "seed": seed, "recipe": RECIPE, "penalty": net.depth_loss(strength)}
            genes = search(net, digits(), make("optimiser", "one_level"), **settings).genes
            depth = net.expected_depth(one_hot(net, genes))
            score = trained(make_wiring, one_hot(net, genes), digits(), seed, epochs)
            found[f"depth {strength:g}"] = {"cells": float(depth.mean()), "accuracy": score}
        return {"differ": sum(a != b for a, b in zip(*cells["own"], strict=True)), **found}

    runs = [rows.timed("stages", seed, epochs, make=functools.partial(one, seed)) for seed in range(seeds)]
    lines: Iterable[tuple[str, Callable[[Any], float]]] = (
        ("edges of 6 on which the two stages differ", lambda run: run["differ"]),
        ("accuracy, one cell for both stages, %", lambda run: run["shared"]),
        ("accuracy, a cell for each stage, %", lambda run: run["own"]),
        ("cells on the way of a stage of 3, no loss on depth", lambda run: run["depth 0"]["cells"]),
        ("accuracy of that, %", lambda run: run["depth 0"]["accuracy"]),
        ("cells on the way of a stage of 3, loss on depth", lambda run: run["depth 1"]["cells"]),
        ("accuracy of that, %", lambda run: run["depth 1"]["accuracy"]),
    )
    values = [[text, mean_sd([get(run) for run in runs], 1)] for text, get in lines]
    return "### Cells of stages, and their wiring (H-DAS)\n\nBy `one_level`.\n\n" + markdown(["", ""], values)


PARTS = {part.__name__: part for part in (sparsity, series, collapse, spread, stages)}


def main() -> None:
    """Run what is missing, and write the section."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    given = parser.parse_args()
    rows = Rows(HERE / "results" / "optimisers-properties.jsonl")
    head = (
        f"## Properties\n\nWhat the papers claim, looked for on a small scale: digits of 8 x 8, {given.seeds} searches "
        f"of {given.epochs} epochs each, mean and standard deviation. Made by `bench/optimisers_properties.py`."
    )
    parts = [PARTS[name](rows, given.seeds, given.epochs) for name in given.only]
    publish("optimisers-properties", {"rows": rows.known}, "\n\n".join([head, *parts]), PAGE)


if __name__ == "__main__":
    one_thread()
    main()
