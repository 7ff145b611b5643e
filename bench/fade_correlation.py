"""Do FaDE ranks agree with what architectures are worth when each is trained alone, and do they beat counting?

Every path of every region is trained from several seeds; every supernet from several seeds under every setting. A
setting is how a supernet is trained, and how its candidates are then weighed:

weights         what the optimiser learnt
alone           the loss with a candidate alone in its stage, all others mixed (each supernet trained once more)
recalibrated    mean loss on validation data of the discrete networks that a candidate is in, their batch norms on the
                statistics of those data (each candidate equally often)
running         the same on the running statistics of the supernet
direct          no weights: every path on validation data with the weights that it inherits

Each training is a row of a JSONL file; rows that are there are not computed again.

    python bench/fade_correlation.py [--regions "digits 2x5 a" ...] [--settings fair ...] [--runs 8] [--seeds 6]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fade_regions import CLASSES, DATA, MAIN, REGIONS, Data
from rows import Rows
from stopwatch import HERE, markdown, one_thread, publish

from tierwise import metrics
from tierwise.errors import TrainingFailed
from tierwise.evaluators.dataset import Arrays, Splits
from tierwise.evaluators.recipe import Recipe
from tierwise.registry import make
from tierwise.supernets.correlation import ceiling, counted, partial, retrained
from tierwise.supernets.fade import AGGREGATIONS, FadeRanks, fade_ranks
from tierwise.supernets.inherited import inherited_scores
from tierwise.supernets.region import Region
from tierwise.supernets.search import search
from tierwise.supernets.stages import StagedSupernet, supernet

ROUNDS = 20  # of discrete networks, in which every candidate is looked at once or more
SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "one_level": ("one_level", {}),
    "one_level, no warm-up": ("one_level", {"warmup": 0.0}),
    "first_order": ("first_order", {}),
    "gdas": ("gdas", {}),
    "fair": ("fair", {}),
    "equal": ("equal", {}),
}
FEW = ("second_order", "balenas", "entrans", "gold", "ista", "zarts")  # in the regions of the claim, weights alone
FEW_RUNS = 4
LOOKED_AT = ("one_level", "fair", "equal")  # candidate by candidate as well
READINGS = ("weights", "alone", "recalibrated", "running")
CLAIMS = ("fair / alone / log-sum", "fair / weights / log-sum", "fair / direct")
COUNTING = ("log width", "params", "flops", "zico")
MINIMUM = 0.75  # ceiling of a region that counts


def truth(region: Region, data: Splits, recipe: Recipe, seed: int) -> list[float]:
    """(n,) accuracy of every path on test data, from one seed."""
    found = retrained(region, region.paths(), data, classes=CLASSES, seeds=1, recipe=recipe, seed=seed)
    return found[:, 0].tolist()


def searched(region: Region, data: Splits, about: Data, setting: str, run: int) -> dict[str, Any]:
    """For each reading the weights of the candidates of each stage."""
    net, row = fitted(region, data, about, setting, run)
    if "failed" in row:
        return row
    assert isinstance(data.validation, Arrays)
    direct = inherited_scores(net, region.paths(), data.validation).tolist()
    return (
        row | {"direct": direct} | {name: discrete(net, region, data, name == "running", run) for name in READINGS[2:]}
    )


def fitted(region: Region, data: Splits, about: Data, setting: str, run: int) -> tuple[StagedSupernet, dict[str, Any]]:
    """A trained supernet, and the weights of the candidates of each stage that its optimiser learnt."""
    net = supernet(region, shape=data.train.shape, classes=CLASSES, batch=about.recipe.batch, seed=run)
    name, settings = SETTINGS.get(setting, (setting, {}))
    started = time.process_time()
    try:
        found = search(
            net, data, make("optimiser", name, **settings), epochs=about.epochs, seed=run, recipe=about.recipe
        )
    except TrainingFailed as error:
        return net, {"failed": str(error)}
    spent = time.process_time() - started
    return net, {"cpu_seconds": round(spent, 2), "weights": [own.tolist() for own in found.weights]}


def alone(region: Region, data: Splits, about: Data, setting: str, run: int) -> dict[str, Any]:
    """The weights of the candidates of each stage, as they come from the library."""
    name, settings = SETTINGS[setting]
    given: Any = {"classes": CLASSES, "epochs": about.epochs, "recipe": about.recipe, "seed": run}
    try:
        found = fade_ranks(region, data, runs=1, optimiser=make("optimiser", name, **settings), **given)
    except TrainingFailed as error:
        return {"failed": str(error)}
    return {"alone": [own.tolist() for own in found.weights]}


@torch.no_grad()
def discrete(net: StagedSupernet, region: Region, data: Splits, running: bool, seed: int) -> list[list[float]]:
    """The softmax of less the mean validation loss, over paths that take every candidate equally often."""
    rng, held = np.random.default_rng(seed), data.validation
    assert isinstance(held, Arrays)
    lost = [np.zeros(count) for count in region.counts]
    net.train(not running)
    for _ in range(ROUNDS):
        for path in np.stack([rng.permutation(count) for count in region.counts], 1):
            loss = float(torch.nn.functional.cross_entropy(net(held.x, net.one_hot(path.tolist())), held.y))
            for own, number in zip(lost, path, strict=True):
                own[number] += loss / ROUNDS
    return [torch.tensor(-own).softmax(0).tolist() for own in lost]


def judged(scores: np.ndarray, by_run: np.ndarray, accuracies: np.ndarray, width: np.ndarray) -> dict[str, Any]:
    """How scores (n,), and those of each run (runs, n), agree with the mean accuracies of paths (n,)."""
    given = partial(scores, accuracies, width, np.random.default_rng(0))
    return {
        "spearman": metrics.spearman(scores, accuracies),
        "tau": metrics.kendall_tau(scores, accuracies),
        "by run": [metrics.spearman(own, accuracies) for own in by_run],
        "true rank of the first": metrics.best_rank_at(scores, accuracies, 1),
        "given log width": [given.value, given.low, given.high],
    }


def by_stage(ranks: FadeRanks, accuracies: np.ndarray) -> list[float]:
    """Of each stage, the agreement of its weights with the mean accuracies of paths by candidate."""
    grid = accuracies.reshape(ranks.region.counts)
    others = [tuple(j for j in range(grid.ndim) if j != k) for k in range(grid.ndim)]
    return [metrics.spearman(own, grid.mean(axes)) for own, axes in zip(ranks.weights, others, strict=True)]


def of_region(name: str, rows: Rows, settings: list[str], runs: int, seeds: int) -> dict[str, Any]:
    """All that is known of one region."""
    data_name, draw = REGIONS[name]
    region, about = draw(), DATA[data_name]
    data = about.load()
    each = [rows.of(name, "truth", s, make=lambda s=s: truth(region, data, about.recipe, s)) for s in range(seeds)]
    accuracies = np.array(each).T
    counts = rows.of(name, "counted", make=lambda: _lists(counted(region, region.paths(), data, classes=CLASSES)))
    mean, rng = accuracies.mean(1), np.random.default_rng(0)
    result: dict[str, Any] = {
        "ceiling": ceiling(accuracies, rng),
        "accuracies": [float(np.quantile(mean, q)) for q in (0, 0.5, 1)],
        "counting": {kind: metrics.spearman(column, mean) for kind, column in counts.items()},
        "settings": {},
        "cpu_seconds": {},
    }
    for setting in settings:
        found = [
            rows.of(name, setting, run, make=lambda run=run, s=setting: searched(region, data, about, s, run))
            for run in range(runs)
        ]
        if setting in LOOKED_AT:
            found = [
                row | rows.of(name, setting, "alone", k, make=lambda k=k, s=setting: alone(region, data, about, s, k))
                for k, row in enumerate(found)
            ]
        sound, width = [row for row in found if "failed" not in row], np.array(counts["log width"])
        if sound:
            direct = np.array([row["direct"] for row in sound])
            result["settings"][f"{setting} / direct"] = judged(direct.mean(0), direct, mean, width)
        for reading in (own for own in READINGS if sound and own in sound[0]):
            weights = tuple(np.array([row[reading][k] for row in sound]) for k in range(len(region.counts)))
            for aggregation in AGGREGATIONS:
                ranks = FadeRanks(region, weights, aggregation)
                scores, each = ranks.score(region.paths()), ranks.score_by_run(region.paths())
                stages = {"by stage": by_stage(ranks, mean), "between runs": ranks.reliability(rng)}
                result["settings"][f"{setting} / {reading} / {aggregation}"] = (
                    judged(scores, each, mean, width) | stages
                )
        result["cpu_seconds"][setting] = float(np.mean([row["cpu_seconds"] for row in sound]))
    for setting in FEW if name in MAIN else ():
        found = [
            rows.of(
                name, setting, "learnt", run, make=lambda run=run, s=setting: fitted(region, data, about, s, run)[1]
            )
            for run in range(FEW_RUNS)
        ]
        sound, width = [row for row in found if "failed" not in row], np.array(counts["log width"])
        weights = tuple(np.array([row["weights"][k] for row in sound]) for k in range(len(region.counts)))
        ranks = FadeRanks(region, weights, "log-sum")
        scores, each = ranks.score(region.paths()), ranks.score_by_run(region.paths())
        result["settings"][f"{setting} / weights / log-sum"] = judged(scores, each, mean, width)
        result["cpu_seconds"][setting] = float(np.mean([row["cpu_seconds"] for row in sound]))
    return result


def _lists(columns: dict[str, np.ndarray]) -> dict[str, list[float]]:
    return {name: column.tolist() for name, column in columns.items()}


def table(results: dict[str, Any]) -> str:
    """One line a region: the ceiling, the best counting, and the claimed readings, also given the width."""
    lines: list[list[str]] = []
    for name, result in results.items():
        counting = [_figure(result["counting"][kind]) for kind in COUNTING]
        found = [result["settings"][key] for key in CLAIMS]
        given = found[0]["given log width"]
        partial_text = "" if not np.isfinite(given[0]) else "{:.2f} ({:.2f} to {:.2f})".format(*given)
        lines.append(
            [name, f"{result['ceiling']:.2f}", *counting, *(f"{f['spearman']:.2f}" for f in found), partial_text]
        )
    header = ["region", "ceiling", *COUNTING, *CLAIMS, f"{CLAIMS[0]}, given the width (95 %)"]
    return markdown(header, lines)


def _figure(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "all equal"


def tried(results: dict[str, Any]) -> str:
    """One line a setting: the mean over the main regions of every reading, weights along a path by their log-sum."""
    main = [results[name] for name in MAIN]
    lines: list[list[str]] = []
    for setting in (*SETTINGS, *FEW):
        keys = [f"{setting} / {reading} / log-sum" for reading in READINGS] + [f"{setting} / direct"]
        found = [np.mean([result["settings"].get(key, {}).get("spearman", np.nan) for result in main]) for key in keys]
        alone = np.mean([np.mean(result["settings"][keys[0]]["by run"]) for result in main])
        first = np.mean([result["settings"][keys[0]]["true rank of the first"] for result in main])
        seconds = np.mean([result["cpu_seconds"][setting] for result in main])
        told = ["" if np.isnan(value) else f"{value:.2f}" for value in found]
        lines.append([setting, f"{alone:.2f}", *told, f"{first:.1f}", f"{seconds:.1f}"])
    head = ["supernet trained by", "weights of one", *READINGS, "direct", "true rank of the first by weights", "CPU s"]
    return markdown(head, lines)


def claim(results: dict[str, Any]) -> str:
    """The bar: means over the main regions of the claimed readings, of the ceiling and of counting."""
    main = [results[name] for name in MAIN if name in results and results[name]["ceiling"] >= MINIMUM]
    low = [name for name in MAIN if name in results and results[name]["ceiling"] < MINIMUM]
    main = [result for result in main if all(key in result["settings"] for key in CLAIMS)]
    if not main:
        return "no region of the claim is there yet"
    top = np.mean([result["ceiling"] for result in main])
    reached = {key: np.mean([result["settings"][key]["spearman"] for result in main]) for key in CLAIMS}
    fade = ", ".join(f"{key} {value:.2f} ({value / top:.2f} of the ceiling)" for key, value in reached.items())
    counting = {kind: np.mean([r["counting"][kind] for r in main]) for kind in main[0]["counting"]}
    told = ", ".join(f"{kind} {value:.2f}" for kind, value in counting.items())
    aside = f" Below a ceiling of {MINIMUM} and not counted: {', '.join(low)}." if low else ""
    return f"Mean Spearman of {len(main)} regions with a mean ceiling of {top:.2f}: {fade}; counting: {told}.{aside}"


def main() -> None:
    """Compute what is missing; print the table; publish it once it is whole."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--regions", nargs="+", choices=REGIONS, default=list(REGIONS))
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--rows", type=Path, default=HERE / "results" / "fade-correlation.jsonl")
    given = parser.parse_args()
    one_thread()
    rows = Rows(given.rows)
    results = {name: of_region(name, rows, given.settings, given.runs, given.seeds) for name in given.regions}
    words = (
        "Means over the regions of the claim, of all that was tried. *weights*: what the optimiser learnt. *alone*: "
        "the loss on one batch of validation data with a candidate alone in its stage, the others mixed equally. "
        "*recalibrated*, *running*: the mean loss of the discrete networks that a candidate is in, batch norms on the "
        "statistics of validation data or of the supernet. *direct*: every path on validation data with the weights "
        f"that it inherits, no ranks by stage. From `second_order` on the weights of {FEW_RUNS} supernets alone."
    )
    text = f"{claim(results)}\n\n{table(results)}\n\n{words}\n\n{tried(results)}"
    if set(given.regions) == set(REGIONS) and set(given.settings) == set(SETTINGS):
        about = (
            f"## FaDE: do ranks agree with trainings?\n\nEvery path trained alone from {given.seeds} seeds, scores "
            f"from the mean of {given.runs} supernets; Spearman correlations, log-sum of weights along a path.\n\n"
        )
        publish("fade-correlation", {"regions": results}, f"{about}{text}\n\n`python bench/fade_correlation.py`\n")
    else:
        print(text)


if __name__ == "__main__":
    main()
