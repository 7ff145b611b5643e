"""The picture of a claim: order against labels, regret against evaluations, or what a protocol finds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tierwise.errors import MissingExtra
from tierwise.harness import search
from tierwise.harness.protocol import Claim
from tierwise.harness.run import value
from tierwise.harness.sections import judged
from tierwise.harness.shards import Shard
from tierwise.plots import INK, QUIET, STYLE

try:
    from matplotlib import rc_context
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter
except ImportError as error:
    raise MissingExtra("the pictures of a report", "matplotlib", "plots") from error

# colours of Okabe and Ito that read on white, for what is no baseline; baselines are grey, told apart by their dashes
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = ("o", "s", "D", "^", "v", "P")
DASHES: dict[str, Any] = {"random": (0, (1, 2)), "params": (0, (4, 2)), "flops": (0, (7, 3)), "trees": "-"}
LEAST = 0.02  # regrets are drawn from here on, so that a regret of zero has a place on the axis


def draw(claim: Claim, lines: list[Shard], facts: dict[str, Any], path: Path) -> None:
    """Write the picture of a claim as SVG, one panel a data set; equal results give equal files."""
    panel = {"ranking": _ranking, "search": _search, "published": _published}[claim.kind]
    names, rows = claim.data.datasets, 2 if claim.kind == "search" else 1
    height = 0.6 + 0.32 * len(claim.methods) if claim.kind == "published" else 2.75 * rows
    with rc_context({**STYLE, "svg.hashsalt": "tierwise", "font.size": 9.0}):
        size = (max(3.3 * len(names), 5.2), height + 0.75)
        figure = Figure(figsize=size, layout="constrained", facecolor="white")
        axes = figure.subplots(rows, len(names), squeeze=False, sharey="row" if claim.kind != "search" else False)
        for k, dataset in enumerate(names):
            mine = [line for line in lines if line["shard"]["dataset"] == dataset]
            panel(claim, mine, facts[dataset], list(axes[:, k]))
            axes[0, k].set_title(dataset)
        handles = {
            label: handle for ax in axes.ravel() for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
        }
        figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=4, fontsize=8.5)
        if claim.data.note:
            figure.suptitle(claim.data.note, fontsize=8.5, color=INK)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None}, facecolor="white")


def _style(claim: Claim, method: str) -> dict[str, Any]:
    """Baselines grey and dashed, the others each with a colour and a marker."""
    baseline = claim.methods[method].baseline
    if baseline in DASHES:
        return {"color": QUIET, "ls": DASHES[str(baseline)], "lw": 1.3, "marker": "", "zorder": 2}
    others = [name for name, m in claim.methods.items() if m.baseline not in DASHES]
    k = others.index(method) % len(COLOURS)
    return {"color": COLOURS[k], "ls": "-", "lw": 1.9, "marker": MARKERS[k], "ms": 4.5, "zorder": 4}


def _values(lines: list[Shard], method: str, at: int, figure: str) -> np.ndarray[Any, Any]:
    found = [value(line, at, figure) for line in lines if line["shard"]["method"] == method]
    return np.array([v for v in found if v is not None], dtype=float)


def _curve(ax: Axes, claim: Claim, lines: list[Shard], method: str, at: list[int], figure: str, least: float) -> None:
    """Mean against budget, with a band of one standard deviation for what is no baseline."""
    every = {t: _values(lines, method, t, figure) for t in at}
    places = [t for t in at if len(every[t])]
    if not places:
        return
    mean = np.array([every[t].mean() for t in places])
    style = _style(claim, method)
    ax.plot(places, np.maximum(mean, least), label=method, clip_on=False, **style)
    if style["marker"]:
        sd = np.array([every[t].std(ddof=1) if len(every[t]) > 1 else 0.0 for t in places])
        low, high = np.maximum(mean - sd, least), np.maximum(mean + sd, least)
        ax.fill_between(places, low, high, color=style["color"], alpha=0.15, lw=0)


def _budget(ax: Axes, at: list[int], name: str) -> None:
    least = min((t for t in at if t), default=1)  # 0 labels have a place too
    ax.set_xscale("symlog", linthresh=least) if 0 in at else ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator(at))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.set_xlabel(name)
    ax.grid(axis="y", color=QUIET, alpha=0.25, lw=0.6)


def _ranking(claim: Claim, lines: list[Shard], facts: dict[str, Any], axes: list[Axes]) -> None:
    ax = axes[0]
    for method in claim.methods:
        _curve(ax, claim, lines, method, claim.labels, "tau", -1.0)
    if claim.data.truth != claim.data.label:
        ax.axhline(facts["ceiling"], color=INK, lw=1.0, ls=":", label=f"ceiling: validation against {judged(claim)}")
    if facts["ceiling_seeds"] is not None:
        ax.axhline(facts["ceiling_seeds"], color=INK, lw=1.0, ls="-.", label="ceiling: seed against seed")
    ax.set_ylim(-0.03, 1.0)
    _budget(ax, claim.labels, "labels")
    if ax.get_subplotspec().is_first_col():  # pyright: ignore[reportOptionalMemberAccess]
        ax.set_ylabel("Kendall’s τ")


def _search(claim: Claim, lines: list[Shard], facts: dict[str, Any], axes: list[Axes]) -> None:
    at = _places(claim, lines)
    for ax, figure in zip(axes, ("validation", "test"), strict=True):
        best = facts["best_validation"] if figure == "validation" else facts["best_test"]
        for method in claim.methods:
            _regret(ax, claim, [x for x in lines if x["shard"]["method"] == method], at, figure, best)
        floor = best - facts["test_of_best_validation"] if figure == "test" else 0.0
        if floor > LEAST:
            ax.axhline(floor, color=INK, lw=1.0, ls=":", label="of the best validation accuracy there is")
        ax.set_yscale("log")
        ax.set_ylim(bottom=LEAST)
        ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        ax.yaxis.set_minor_locator(NullLocator())
        _budget(ax, search.checkpoints(claim), "simulated seconds" if claim.seconds else "evaluations")
        ax.set_xlim(min(at), max(at))
        if ax.get_subplotspec().is_first_col():  # pyright: ignore[reportOptionalMemberAccess]
            ax.set_ylabel(f"{judged(claim) if figure == 'test' else figure} regret, points (foot: ≤ {LEAST})")


def _places(claim: Claim, lines: list[Shard]) -> list[int]:
    """Where curves are drawn: everywhere if every line has its steps, else at the checkpoints."""
    stops = search.checkpoints(claim)
    if not all("curve" in line for line in lines):
        return stops
    first = 10 if not claim.seconds else max(stops) // 50
    return sorted({int(t) for t in np.geomspace(min(first, min(stops)), max(stops), 60)} | set(stops))


def _regret(ax: Axes, claim: Claim, mine: list[Shard], at: list[int], figure: str, best: float) -> None:
    """Mean regret of the best found so far, with a band from the 10 % to the 90 % quantile of the seeds."""
    if not mine:
        return
    rows = [[_held(line, t, figure) for t in at] for line in mine]
    regret = best - np.array(rows, dtype=float)
    if np.isnan(regret).all(0).any():
        return
    method = mine[0]["shard"]["method"]
    style: dict[str, Any] = {**_style(claim, method), "marker": ""}
    ax.plot(at, np.maximum(np.nanmean(regret, 0), LEAST), label=method, clip_on=False, **style)
    if style["color"] != QUIET:
        low, high = np.maximum(np.nanquantile(regret, [0.1, 0.9], axis=0), LEAST)
        ax.fill_between(at, low, high, color=style["color"], alpha=0.12, lw=0)


def _held(line: Shard, at: int, figure: str) -> float:
    if "curve" not in line:
        found = value(line, at, figure)
        return float("nan") if found is None else found
    done = [step for step in line["curve"] if step[0] <= at]
    return done[-1][1 if figure == "validation" else 2] if done else float("nan")


def _published(claim: Claim, lines: list[Shard], facts: dict[str, Any], axes: list[Axes]) -> None:
    """Mean and spread of what was found at the largest k, as published and honestly chosen."""
    ax, k, names = axes[0], max(claim.k), list(claim.methods)
    bounded = [line for line in lines if line["shard"]["bounds"] == claim.bounds[0]]
    tested = judged(claim) == "test"
    shown = [("test_as_published", "best by test, as published", COLOURS[1], -0.14)] if tested else []
    honest = ("test_of_best_validation", "test of the best validation, honest", COLOURS[0], 0.14)
    shown.append(honest if tested else ("validation", "best validation", COLOURS[0], 0.0))
    for figure, label, colour, shift in shown:
        found = [(row, _values(bounded, name, k, figure)) for row, name in enumerate(names)]
        found = [(row, v) for row, v in found if len(v)]
        mean, sd = [v.mean() for _, v in found], [v.std(ddof=1) if len(v) > 1 else 0.0 for _, v in found]
        style: dict[str, Any] = {
            "fmt": "o",
            "color": colour,
            "ms": 5,
            "lw": 1.4,
            "capsize": 2,
            "label": f"{label}, k = {k}",
        }
        ax.errorbar(mean, [row + shift for row, _ in found], xerr=sd, **style)
    ax.axvline(facts["best_test"], color=INK, lw=1.0, ls=":", label=f"best {judged(claim)} accuracy there is")
    ax.set(
        yticks=range(len(names)),
        yticklabels=names,
        ylim=(len(names) - 0.5, -0.5),
        xlabel=f"{judged(claim)} accuracy, %",
    )
    ax.grid(axis="x", color=QUIET, alpha=0.25, lw=0.6)
