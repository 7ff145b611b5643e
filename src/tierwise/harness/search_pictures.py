"""The picture of a search: who has found the best and when, and regret against evaluations and simulated seconds."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from tierwise.errors import MissingExtra
from tierwise.harness.checks import ONE_TRAINING
from tierwise.harness.picture_style import DASHES, budget_axis, line_style, values
from tierwise.harness.protocol import Claim
from tierwise.harness.run import value
from tierwise.harness.shards import Shard
from tierwise.harness.tables import judged, present
from tierwise.plots import INK, QUIET

try:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter, NullLocator, StrMethodFormatter
except ImportError as error:
    raise MissingExtra("the pictures of a report", "matplotlib", "plots") from error

SHOWN = "auto"  # the strategy that stands out
LEADERS = 5  # curves at full strength, those that are found best; the others are thin and pale
COLUMNS = 3  # panels side by side
LEAST = 0.02  # regrets are drawn from here on, so that a regret of zero has a place on the axis
FIRST = 10  # evaluations from which on curves are drawn
POINTS = 60
Column = NDArray[np.float64]
# one each, for strategies stand side by side; the first of Okabe and Ito, the others of Tol
COLOURS = dict(
    pair.split()
    for pair in (
        *("auto #0072b2", "tiers #e69f00", "evolution #d55e00", "local #009e73", "bananas #cc79a7", "weaknas #661100"),
        *("acenas #997700", "arch2vec-bo #999933", "arch2vec-rl #ddcc77", "ctnas #cc6677", "dcnas #44aa99"),
        *("dsmnas #aa4499", "epnas #117733", "lissnas #56b4e9", "novelty #6699cc", "ranknas #882255"),
        *("nsga2 #332288", "halving #999999"),
    )
)


@dataclass(frozen=True)
class Case:
    """One column of panels: a data set, perhaps under a limit; its lines and what can be found there."""

    title: str
    lines: list[Shard]
    facts: dict[str, Any]


def search_figure(claim: Claim, lines: list[Shard], facts: dict[str, Any]) -> Figure:
    """A column of panels for each data set; of many columns only the regret of what is judged."""
    cases = _cases(claim, lines, facts)
    order = _standing(claim, cases)
    learning = [name for name in order if claim.methods[name].baseline not in DASHES]
    leaders = {*learning[:LEADERS], *(name for name in learning if _used(claim, name) == SHOWN)}
    styles = {name: _style(claim, name, name in leaders) for name in claim.methods}
    many = len(cases) > COLUMNS
    kinds = ["test"] if many else _rows(claim, lines)
    columns = min(len(cases), COLUMNS)
    rows = -(-len(cases) // columns) if many else len(kinds)
    size = (max((4.6 if columns == 1 else 3.1) * columns + 1.5, 5.2), max(2.4 * rows, 0.2 * len(order)) + 0.5)
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    axes = figure.subplots(rows, columns, squeeze=False, sharey="all" if many else "row")
    for spare in axes.ravel()[len(cases) :] if many else ():
        spare.set_axis_off()
    places = [[ax] for ax in axes.ravel()] if many else axes.T.tolist()
    for case, column in zip(cases, places, strict=False):
        column[0].set_title(case.title)
        for kind, ax in zip(kinds, column, strict=True):
            _panel(ax, claim, case, kind, {name: styles[name] for name in reversed(order)})
    for ax in figure.axes:
        if ax.get_yscale() == "log":  # only now, for panels of a row share an axis
            ax.set_ylim(bottom=LEAST)
    found = [zip(*ax.get_legend_handles_labels(), strict=True) for ax in figure.axes]
    handles = {label: handle for pairs in found for handle, label in pairs}
    names = [*(name for name in order if name in handles), *(name for name in handles if name not in order)]
    figure.legend([handles[name] for name in names], names, loc="outside right upper", fontsize=8.5)
    return figure


def _cases(claim: Claim, lines: list[Shard], facts: dict[str, Any]) -> list[Case]:
    cases: list[Case] = []
    for dataset in claim.data.datasets:
        mine, known = [line for line in lines if line["shard"]["dataset"] == dataset], facts[dataset]
        if not claim.limits:
            cases.append(Case(dataset, mine, known))
        for limit in claim.limits:
            within = [line for line in mine if line["shard"]["limit"] == limit]
            title = f"{limit} ≤ {known['limits'][limit]['limits'][limit]:.4g}"
            cases.append(Case(f"{dataset}, {title}", within, known["limits"][limit]))
    return cases


def _rows(claim: Claim, lines: list[Shard]) -> list[str]:
    """What is drawn for each data set, from top to bottom."""
    timed = not claim.seconds and all("step_seconds" in line for line in lines)
    tests = ["test", "seconds"] if timed else ["test"]
    if claim.until:
        return ["found", *tests]
    told = claim.data.label not in (claim.data.truth, ONE_TRAINING)  # which has another best in every run
    return ["validation", *tests] if told else tests


def _standing(claim: Claim, cases: list[Case]) -> list[str]:
    """The methods, best first by their mean rank in the cases: by mean evaluations to the best, else by regret."""
    last, figure = claim.stops[-1], "evaluations_to_best" if claim.until else "test_regret"
    places: dict[str, list[float]] = {}
    for case in cases:
        names = present(claim, case.lines)
        means = [float(np.mean(values(case.lines, name, last, figure))) for name in names]
        for name, place in zip(names, rankdata(means), strict=True):
            places.setdefault(name, []).append(float(place))
    return sorted(places, key=lambda name: np.mean(places[name]))


def _used(claim: Claim, name: str) -> str:
    method = claim.methods[name]
    return str(method.strategy or method.baseline)


def _style(claim: Claim, name: str, leads: bool) -> dict[str, Any]:
    """Baselines grey and dashed; the one that stands out thick, leaders plain, others thin and pale."""
    if claim.methods[name].baseline in DASHES:
        return {**line_style(claim, name), "lw": 1.1}
    used = _used(claim, name)
    colour = COLOURS.get(used, list(COLOURS.values())[zlib.crc32(used.encode()) % len(COLOURS)])
    alike = [each for each in claim.methods if _used(claim, each) == used]
    dashes = ("-", (0, (6, 2)), (0, (2, 1)))[alike.index(name) % 3]
    weight: dict[str, Any] = {"lw": 1.6, "zorder": 4} if leads else {"lw": 0.9, "alpha": 0.6, "zorder": 3}
    if used == SHOWN:
        weight = {"lw": 2.6, "zorder": 5}
    return {"color": colour, "ls": dashes, **weight}


def _panel(ax: Axes, claim: Claim, case: Case, kind: str, styles: dict[str, dict[str, Any]]) -> None:
    """One kind of curve of every method in one case."""
    each = {name: [line for line in case.lines if line["shard"]["method"] == name] for name in styles}
    each = {name: mine for name, mine in each.items() if mine}
    if kind == "found":
        _found(ax, claim, each, styles)
        return
    figure = "validation" if kind == "validation" else "test"
    at = _seconds(each) if kind == "seconds" else _places(claim, case.lines)
    best = case.facts[f"best_{figure}"]
    for name, mine in each.items():
        rows = [[_held(line, t, figure, in_seconds=kind == "seconds") for t in at] for line in mine]
        _regret(ax, name, at, best - np.array(rows, dtype=float), styles[name], banded=_used(claim, name) == SHOWN)
    _regret_axis(ax, claim, case, kind, at)


def _found(ax: Axes, claim: Claim, each: dict[str, list[Shard]], styles: dict[str, dict[str, Any]]) -> None:
    """Share of the runs that have evaluated the best label there is, after so many evaluations."""
    most = claim.trials or 0
    for name, mine in each.items():
        at = np.sort([line["best_evaluated_at"] or np.inf for line in mine])
        steps = np.r_[1, at[np.isfinite(at)], most]
        share = np.r_[0, np.arange(1, len(steps) - 1), len(steps) - 2] / len(at)
        ax.step(steps, share, where="post", label=name, **styles[name])
    budget_axis(ax, _marks(1, most), "evaluations")
    ax.set_xlim(1, most)
    ax.set_ylim(0, 1.02)
    _name(ax, "share of runs with the best")


def _regret(
    ax: Axes, name: str, at: Column, regret: NDArray[np.float64], style: dict[str, Any], *, banded: bool
) -> None:
    """Mean regret (runs, places) of the best found so far; a band from the 10 % to the 90 % quantile of the runs."""
    known = np.isfinite(regret).all(0)  # every run has a result by then
    if not known.any():
        return
    ax.plot(at[known], np.maximum(regret[:, known].mean(0), LEAST), label=name, clip_on=False, **style)
    if banded:
        low, high = np.maximum(np.quantile(regret[:, known], [0.1, 0.9], axis=0), LEAST)
        ax.fill_between(at[known], low, high, color=style["color"], alpha=0.12, lw=0)


def _regret_axis(ax: Axes, claim: Claim, case: Case, kind: str, at: Column) -> None:
    floor = case.facts["best_test"] - case.facts["test_of_best_validation"]
    if kind != "validation" and floor > LEAST:
        ax.axhline(floor, color=INK, lw=1.0, ls=":", label="the best\nvalidation’s")
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.yaxis.set_minor_locator(NullLocator())
    if kind == "seconds":
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator())
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_xlabel("simulated training seconds")
        ax.grid(axis="y", color=QUIET, alpha=0.25, lw=0.6)
    else:
        marks = claim.stops if len(claim.stops) > 1 else _marks(FIRST, int(at[-1]))
        budget_axis(ax, marks, "simulated seconds" if claim.seconds else "evaluations")
    if len(at) > 1:
        ax.set_xlim(at[0], at[-1])
    _name(ax, f"{'validation' if kind == 'validation' else judged(claim)} regret, ≥ {LEAST} points")


def _marks(first: int, last: int) -> list[int]:
    """Round numbers on a logarithmic axis of evaluations."""
    return [t for t in (1, 3, 10, 30, 100) if first <= t and 2 * t <= last] + [last]


def _name(ax: Axes, text: str) -> None:
    if ax.get_subplotspec().is_first_col():  # pyright: ignore[reportOptionalMemberAccess]
        ax.set_ylabel(text)


def _places(claim: Claim, lines: list[Shard]) -> Column:
    """Where curves are drawn: everywhere if every line has its steps, else at the checkpoints."""
    stops = claim.stops
    if not all("curve" in line for line in lines):
        return np.array(stops, dtype=float)
    first = max(stops) // 50 if claim.seconds else FIRST
    between = np.geomspace(min(first, min(stops)), max(stops), POINTS)
    return np.unique(np.r_[np.floor(between), stops])


def _seconds(each: dict[str, list[Shard]]) -> Column:
    """From the time by which every run has its first result to the least that a method spends in its longest run."""
    first = max(line["step_seconds"][0] for mine in each.values() for line in mine)
    last = min(max(line["seconds"] for line in mine) for mine in each.values())
    return np.geomspace(first, max(last, 2 * first), POINTS)


def _held(line: Shard, at: float, figure: str, *, in_seconds: bool) -> float:
    """What a run holds at a place, NaN before its first result."""
    if "curve" not in line:
        found = value(line, int(at), figure)
        return float("nan") if found is None else found
    times = line["step_seconds"] if in_seconds else [step[0] for step in line["curve"]]
    k = int(np.searchsorted(times, at, side="right"))
    return line["curve"][k - 1][1 if figure == "validation" else 2] if k else float("nan")
