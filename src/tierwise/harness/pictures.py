"""The picture of a claim: order against labels, regret against evaluations, or what a protocol finds."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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

# the same in every picture; baselines are grey, told apart by their dashes. First colours of Okabe and Ito, then of Tol
COLOURS = dict(
    pair.split()
    for pair in (
        *("auto #0072b2", "tier #d55e00", "nar #cc79a7", "gp #009e73", "forest #117733", "trees #e69f00"),
        *("stacking #56b4e9", "general #882255", "arch2vec #999933", "graph_network #332288"),
        *("graph_transformer #aa4499", "ranknas #44aa99", "weaknas #661100", "assessor #6699cc", "ctnas #cc6677"),
        *("acenas #997700", "tiers #0072b2", "evolution #d55e00", "perfect #882255"),
    )
)
MARKERS = ("o", "s", "D", "^", "v", "P", "X")
PUBLISHED, HONEST = "#d55e00", "#0072b2"
LEADERS = 6  # curves at full strength; the others are thin and pale
COLUMNS = 3  # panels side by side, if there is one a data set
ENTRIES = 8  # of a legend below the panels; a longer one is beside them
TICKS = (0.0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
Panel = Callable[[Claim, list[Shard], dict[str, Any], "list[Axes]"], None]
HIGHEST = 0.99  # drawn; 1 is infinitely far
DASHES: dict[str, Any] = {"random": (0, (1, 2)), "params": (0, (4, 2)), "flops": (0, (7, 3)), "trees": "-"}
LEAST = 0.02  # regrets are drawn from here on, so that a regret of zero has a place on the axis


def draw(claim: Claim, lines: list[Shard], facts: dict[str, Any], path: Path) -> None:
    """Write the picture of a claim as SVG, one panel a data set; equal results give equal files."""
    learning = [name for name in _standing(claim, lines) if claim.methods[name].baseline not in DASHES]
    ranking = functools.partial(_ranking, leaders=learning[:LEADERS])
    panel: Panel = {"ranking": ranking, "search": _search, "published": _published}[claim.kind]
    names = claim.data.datasets
    with rc_context({**STYLE, "svg.hashsalt": "tierwise", "font.size": 9.0}):
        figure, panels = _panels(claim)
        for dataset, axes in zip(names, panels, strict=True):
            mine = [line for line in lines if line["shard"]["dataset"] == dataset]
            panel(claim, mine, facts[dataset], axes)
            axes[0].set_title(dataset)
        _legend(figure, claim, lines)
        if claim.data.note:
            figure.suptitle(claim.data.note, fontsize=8.5, color=INK)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None}, facecolor="white")


def _panels(claim: Claim) -> tuple[Figure, list[list[Axes]]]:
    """A figure, and for each data set its axes."""
    count = len(claim.data.datasets)
    columns = min(count, COLUMNS) if claim.kind == "ranking" else count
    rows = {"ranking": -(-count // columns), "search": 2, "published": 1}[claim.kind]
    height = 0.6 + 0.32 * len(claim.methods) if claim.kind == "published" else 2.75 * rows
    beside = 1.5 if claim.kind == "ranking" and len(claim.methods) > ENTRIES else 0.0
    single = 4.6 if count == 1 else 3.3  # wide
    if beside and rows == 1:
        height = max(height, 0.19 * len(claim.methods))
    size = (max(single * columns + beside, 5.2), height + 0.75)
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    share: Any = {"ranking": "all", "published": "row", "search": False}[claim.kind]
    axes = figure.subplots(rows, columns, squeeze=False, sharey=share)
    if claim.kind != "ranking":
        return figure, [list(axes[:, k]) for k in range(count)]
    for spare in axes.ravel()[count:]:
        spare.set_axis_off()
    return figure, [[ax] for ax in axes.ravel()[:count]]


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
        found = _values(lines, name, max(method.labels or claim.labels), "tau")
        if len(found):
            mean[name] = float(found.mean())
    return sorted(mean, key=mean.__getitem__, reverse=True)


def _style(claim: Claim, method: str) -> dict[str, Any]:
    """Baselines grey and dashed; others have the colour of what they use, and their own marker if several use it."""
    given = claim.methods[method]
    if given.baseline in DASHES:
        return {"color": QUIET, "ls": DASHES[str(given.baseline)], "lw": 1.3, "marker": "", "zorder": 2}

    def used(name: str) -> str:
        m = claim.methods[name]
        return str(m.predictor or m.strategy or m.baseline)

    fallback = list(COLOURS.values())[zlib.crc32(used(method).encode()) % len(COLOURS)]
    alike = [name for name, m in claim.methods.items() if m.baseline not in DASHES and used(name) == used(method)]
    k = alike.index(method)
    dashes = ("-", (0, (6, 2)), (0, (2, 1)), (0, (6, 1, 1, 1)))[k % 4]
    colour, marker = COLOURS.get(used(method), fallback), MARKERS[k % len(MARKERS)]
    return {"color": colour, "ls": dashes, "lw": 1.9, "marker": marker, "ms": 4.5, "zorder": 4}


def _values(lines: list[Shard], method: str, at: int, figure: str) -> np.ndarray[Any, Any]:
    found = [value(line, at, figure) for line in lines if line["shard"]["method"] == method]
    return np.array([v for v in found if v is not None], dtype=float)


def _curve(ax: Axes, claim: Claim, lines: list[Shard], method: str, leads: bool) -> None:
    """Mean tau against labels, with a band of one standard deviation for a leader."""
    every = {n: _values(lines, method, n, "tau") for n in claim.labels}
    places = [n for n in claim.labels if len(every[n])]
    if not places:
        return
    mean = np.array([every[n].mean() for n in places])
    style = _style(claim, method)
    if not leads and style["marker"]:
        style |= {"lw": 1.0, "ms": 3.0, "alpha": 0.55, "zorder": 3}
    ax.plot(places, np.minimum(mean, HIGHEST), label=method, **style)
    if leads:
        sd = np.array([every[n].std(ddof=1) if len(every[n]) > 1 else 0.0 for n in places])
        low, high = np.minimum(mean - sd, HIGHEST), np.minimum(mean + sd, HIGHEST)
        ax.fill_between(places, low, high, color=style["color"], alpha=0.12, lw=0)


def _budget(ax: Axes, at: list[int], name: str) -> None:
    least = min((t for t in at if t), default=1)  # 0 labels have a place too
    ax.set_xscale("symlog", linthresh=least) if 0 in at else ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator(at))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.set_xlabel(name)
    ax.grid(axis="y", color=QUIET, alpha=0.25, lw=0.6)


def _ranking(
    claim: Claim, lines: list[Shard], facts: dict[str, Any], axes: list[Axes], *, leaders: Sequence[str]
) -> None:
    ax = axes[0]
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
    _budget(ax, claim.labels, "labels")
    if ax.get_subplotspec().is_first_col():  # pyright: ignore[reportOptionalMemberAccess]
        ax.set_ylabel("Kendall’s τ, scale of Fisher’s z")


def _fisher(tau: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.arctanh(np.clip(tau, -HIGHEST, HIGHEST))


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
    shown = [("test_as_published", "best by test, as published", PUBLISHED, -0.14)] if tested else []
    honest = ("test_of_best_validation", "test of the best validation, honest", HONEST, 0.14)
    shown.append(honest if tested else ("validation", "best validation", HONEST, 0.0))
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
