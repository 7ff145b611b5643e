"""The picture of a claim: order against labels, what a search finds and when, or what a protocol finds."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.errors import MissingExtra
from tierwise.harness.picture_style import DASHES, budget_axis, line_style, values
from tierwise.harness.protocol import Claim
from tierwise.harness.search_pictures import search_figure
from tierwise.harness.shards import Shard
from tierwise.harness.tables import judged
from tierwise.plots import INK, QUIET, STYLE

try:
    from matplotlib import rc_context
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, StrMethodFormatter
except ImportError as error:
    raise MissingExtra("the pictures of a report", "matplotlib", "plots") from error

PUBLISHED, HONEST = "#d55e00", "#0072b2"
LEADERS = 6  # curves at full strength; the others are thin and pale
COLUMNS = 3  # panels side by side, if there is one a data set
ENTRIES = 8  # of a legend below the panels; a longer one is beside them
TICKS = (0.0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
Panel = Callable[[Claim, list[Shard], dict[str, Any], "Axes"], None]
HIGHEST = 0.99  # drawn; 1 is infinitely far


def draw(claim: Claim, lines: list[Shard], facts: dict[str, Any], path: Path) -> None:
    """Write the picture of a claim as SVG, one panel a data set or more; equal results give equal files."""
    with rc_context({**STYLE, "svg.hashsalt": "tierwise", "font.size": 9.0}):
        figure = (search_figure if claim.kind == "search" else _figure)(claim, lines, facts)
        if claim.data.note:
            figure.suptitle(claim.data.note, fontsize=8.5, color=INK)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None}, facecolor="white")


def _figure(claim: Claim, lines: list[Shard], facts: dict[str, Any]) -> Figure:
    learning = [name for name in _standing(claim, lines) if claim.methods[name].baseline not in DASHES]
    ranking = functools.partial(_ranking, leaders=learning[:LEADERS])
    panel: Panel = ranking if claim.kind == "ranking" else _published
    figure, axes = _panels(claim)
    for dataset, ax in zip(claim.data.datasets, axes, strict=True):
        panel(claim, [line for line in lines if line["shard"]["dataset"] == dataset], facts[dataset], ax)
        ax.set_title(dataset)
    _legend(figure, claim, lines)
    return figure


def _panels(claim: Claim) -> tuple[Figure, list[Axes]]:
    """A figure, and for each data set its axes."""
    count = len(claim.data.datasets)
    ranking = claim.kind == "ranking"
    columns = min(count, COLUMNS) if ranking else count
    rows = -(-count // columns)
    height = 2.75 * rows if ranking else 0.6 + 0.32 * len(claim.methods)
    beside = 1.5 if ranking and len(claim.methods) > ENTRIES else 0.0
    single = 4.6 if count == 1 else 3.3  # wide
    if beside and rows == 1:
        height = max(height, 0.19 * len(claim.methods))
    size = (max(single * columns + beside, 5.2), height + 0.75)
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    axes = figure.subplots(rows, columns, squeeze=False, sharey="all" if ranking else "row").ravel()
    for spare in axes[count:]:
        spare.set_axis_off()
    return figure, list(axes[:count])


def _legend(figure: Figure, claim: Claim, lines: list[Shard]) -> None:
    """Below the panels; a long one beside them, in the order of the curves."""
    found = [zip(*ax.get_legend_handles_labels(), strict=True) for ax in figure.axes]
    handles = {label: handle for pairs in found for handle, label in pairs}
    if claim.kind != "ranking" or len(claim.methods) <= ENTRIES:
        figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=4, fontsize=8.5)
        return
    order = [name for name in _standing(claim, lines) if name in handles]
    order += [label for label in handles if label not in order]
    figure.legend([handles[name] for name in order], order, loc="outside right upper", fontsize=8.5)


def _standing(claim: Claim, lines: list[Shard]) -> list[str]:
    """The methods of a ranking, best first by mean tau at their most labels; of another kind of claim none."""
    mean: dict[str, float] = {}
    if claim.kind != "ranking":
        return []
    for name, method in claim.methods.items():
        found = values(lines, name, max(method.labels or claim.labels), "tau")
        if len(found):
            mean[name] = float(found.mean())
    return sorted(mean, key=mean.__getitem__, reverse=True)


def _curve(ax: Axes, claim: Claim, lines: list[Shard], method: str, leads: bool) -> None:
    """Mean tau against labels, with a band of one standard deviation for a leader."""
    every = {n: values(lines, method, n, "tau") for n in claim.labels}
    places = [n for n in claim.labels if len(every[n])]
    if not places:
        return
    mean = np.array([every[n].mean() for n in places])
    style = line_style(claim, method)
    if not leads and style["marker"]:
        style |= {"lw": 1.0, "ms": 3.0, "alpha": 0.55, "zorder": 3}
    ax.plot(places, np.minimum(mean, HIGHEST), label=method, **style)
    if leads:
        sd = np.array([every[n].std(ddof=1) if len(every[n]) > 1 else 0.0 for n in places])
        low, high = np.minimum(mean - sd, HIGHEST), np.minimum(mean + sd, HIGHEST)
        ax.fill_between(places, low, high, color=style["color"], alpha=0.12, lw=0)


def _ranking(claim: Claim, lines: list[Shard], facts: dict[str, Any], ax: Axes, *, leaders: Sequence[str]) -> None:
    for method in claim.methods:
        _curve(ax, claim, lines, method, method in leaders)
    if claim.data.truth != claim.data.label:
        ceiling = min(facts["ceiling"], HIGHEST)
        ax.axhline(ceiling, color=INK, lw=1.0, ls=":", label=f"ceiling: validation\nagainst {judged(claim)}")
    if facts["ceiling_seeds"] is not None:
        ax.axhline(facts["ceiling_seeds"], color=INK, lw=1.0, ls="-.", label="ceiling: seed\nagainst seed")
    # the scale of Fisher's z: near the ceiling a small step is a large gain
    ax.set_yscale("function", functions=(_fisher, np.tanh))
    ax.yaxis.set_major_locator(FixedLocator(TICKS))
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    budget_axis(ax, claim.labels, "labels")
    if ax.get_subplotspec().is_first_col():  # pyright: ignore[reportOptionalMemberAccess]
        ax.set_ylabel("Kendall’s τ, scale of Fisher’s z")


def _fisher(tau: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.arctanh(np.clip(tau, -HIGHEST, HIGHEST))


def _published(claim: Claim, lines: list[Shard], facts: dict[str, Any], ax: Axes) -> None:
    """Mean and spread of what was found at the largest k, as published and honestly chosen."""
    k, names = max(claim.k), list(claim.methods)
    bounded = [line for line in lines if line["shard"]["bounds"] == claim.bounds[0]]
    tested = judged(claim) == "test"
    shown = [("test_as_published", "best by test, as published", PUBLISHED, -0.14)] if tested else []
    honest = ("test_of_best_validation", "test of the best validation, honest", HONEST, 0.14)
    shown.append(honest if tested else ("validation", "best validation", HONEST, 0.0))
    for figure, label, colour, shift in shown:
        found = [(row, values(bounded, name, k, figure)) for row, name in enumerate(names)]
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
