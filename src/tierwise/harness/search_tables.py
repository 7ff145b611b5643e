"""The tables of a search: evaluations to the best, what was found at each checkpoint, and what a proposal costs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tierwise.harness.checks import ONE_TRAINING
from tierwise.harness.protocol import Claim
from tierwise.harness.shards import Shard
from tierwise.harness.tables import NONE, ceiling, judged, label_of, mean_sd, noted, present, table, taken

FOUND = {"validation": "validation", "test": "its test", "oracle_test": "best test seen"}
REGRETS = {"validation_regret": "validation regret", "test_regret": "test regret"}


def search_tables(claim: Claim, dataset: str, lines: list[Shard], facts: dict[str, Any]) -> list[str]:
    """Of one data set; under limits, of each of them after an overview."""
    if not claim.limits:
        return [noted(claim, dataset, _facts(claim, facts)), *_tables(claim, lines)]
    parts = _overview(claim, dataset, lines)
    for limit in claim.limits:
        mine, known = [line for line in lines if line["shard"]["limit"] == limit], facts["limits"][limit]
        within = f"{limit} ≤ {known['limits'][limit]:.4g}, {known['architectures']:,} of {facts['architectures']:,}"
        parts += [noted(claim, f"{dataset}, {limit}", f"{within}; {_best(claim, known)}"), *_tables(claim, mine)]
    return parts


def _facts(claim: Claim, facts: dict[str, Any]) -> str:
    equal = "every architecture is a network of its own" if claim.duplicates else "of equal networks one is evaluated"
    parts = [f"{facts['architectures']:,} architectures", equal, _best(claim, facts), ceiling(claim, facts)]
    return "; ".join(parts)


def _best(claim: Claim, facts: dict[str, Any]) -> str:
    """The best there is; labels of one training have another best in every run."""
    if claim.data.label == ONE_TRAINING:
        return f"labels of one training, which one by the seed of the run; best test {facts['best_test']:.2f}"
    best = f"best there is: validation {facts['best_validation']:.2f}"
    if claim.data.truth == claim.data.label:
        return best
    return f"{best}, its test {facts['test_of_best_validation']:.2f}, best test {facts['best_test']:.2f}"


def _tables(claim: Claim, lines: list[Shard]) -> list[str]:
    stops = claim.stops if not claim.until else claim.checkpoints
    parts = [_until(claim, lines)] if claim.until else []
    if len(stops) > 1:
        parts.append(_checkpoints(claim, lines, stops))
    return [*parts, _end(claim, lines, with_found=len(stops) < 2)]


def _shown(claim: Claim, figures: dict[str, str]) -> dict[str, str]:
    """Without the test figures where the truth is what was learnt from."""
    if claim.data.truth != claim.data.label:
        return figures
    return {figure: head for figure, head in figures.items() if "test" not in figure}


def _until(claim: Claim, lines: list[Shard]) -> str:
    """Evaluations to the best and to the top; a run without success counts with all it was allowed, as a bound."""
    goals = {"best": "the best", "top": f"the best {claim.top:g} %"}
    head = ["evaluations to", *(f"{goal}: {k}" for goal in goals.values() for k in ("mean", "median", "95 %", "found"))]
    rows: list[list[object]] = []
    for name in present(claim, lines):
        mine = [line for line in lines if line["shard"]["method"] == name]
        row: list[object] = [label_of(claim, name)]
        for goal in goals:
            row += evaluations([line[f"{goal}_evaluated_at"] for line in mine], claim.trials or 0)
        rows.append(row)
    return table(head, rows)


def evaluations(found: list[int | None], most: int) -> list[str]:
    """Mean, median, 95 % quantile and how many of the runs have found it; quantiles are figures of single runs."""
    runs = sorted(math.inf if at is None else at for at in found)
    missed = sum(at is None for at in found)
    mean = np.mean(np.minimum(runs, most))
    cells = [f"{'at least ' if missed else ''}{mean:.1f}"]
    for share in (0.5, 0.95):
        at = runs[math.ceil(share * len(runs)) - 1]
        cells.append(f"at least {most}" if math.isinf(at) else f"{at:.0f}")
    return [*cells, f"{len(runs) - missed} of {len(runs)}"]


def _checkpoints(claim: Claim, lines: list[Shard], stops: list[int]) -> str:
    """What was found after each budget, side by side."""
    figures = _shown(claim, FOUND)
    unit = "simulated seconds" if claim.seconds else "evaluations"
    head = [f"after … {unit}", *(f"{at:,}: {text}" for at in stops for text in figures.values())]
    rows = [
        [label_of(claim, name), *(mean_sd(taken(lines, name, at, key), 2) for at in stops for key in figures)]
        for name in present(claim, lines)
    ]
    return table(head, rows)


def _end(claim: Claim, lines: list[Shard], *, with_found: bool) -> str:
    """What is left to find at the end, and what it took."""
    last, unit = claim.stops[-1], "seconds" if claim.seconds else "evaluations"
    figures = _shown(claim, {**(FOUND if with_found else {}), **REGRETS})
    rows, timed = list[list[object]](), all("seconds" in line for line in lines)
    for name in present(claim, lines):
        mine = [line for line in lines if line["shard"]["method"] == name]
        labels = f"{np.mean([line['labels'] for line in mine]):,.0f}"
        cells = [mean_sd(taken(lines, name, last, key), 2) for key in figures]
        costs = [line.get("cpu_seconds", line["wall_seconds"]) / line["labels"] for line in mine]
        found = [] if claim.until else [_reached(mine)]
        hours = [f"{np.mean([line['seconds'] for line in mine]) / 3600:.1f}"] if timed else []
        rows.append([label_of(claim, name), labels, *cells, *found, *hours, f"{np.mean(costs):.2g}"])
    at = "at the end" if claim.until else f"after {last:,} {unit}"
    more = [] if claim.until else ["evaluation of the best (runs)"]
    more += ["simulated hours"] if timed else []
    return table([at, "labels", *figures.values(), *more, "CPU s an evaluation"], rows)


def _reached(mine: list[Shard]) -> str:
    """Mean number of the evaluation that was the best there is, of the runs that came to it."""
    at = [line["best_evaluated_at"] for line in mine]
    reached = [k for k in at if k is not None]
    return f"{np.mean(reached):.0f} ({len(reached)} of {len(at)})" if reached else f"{NONE} (0 of {len(at)})"


def _overview(claim: Claim, dataset: str, lines: list[Shard]) -> list[str]:
    """The accuracy by which searches are judged, under every limit."""
    last, figure = claim.stops[-1], "test" if "test" in _shown(claim, FOUND) else "validation"
    shares = ", ".join(f"{share:.0%}".replace("%", " %") for share in dict.fromkeys(claim.limits.values()))
    text = f"{judged(claim)} accuracy of the best validation after {last:,} evaluations"
    text += f"; each limit alone, at its quantile of {shares}"
    rows = [
        [label_of(claim, name), *(mean_sd(taken(lines, name, last, figure, limit=limit), 2) for limit in claim.limits)]
        for name in present(claim, lines)
    ]
    return [noted(claim, f"{dataset}, every limit", text), table(["method", *claim.limits], rows)]
