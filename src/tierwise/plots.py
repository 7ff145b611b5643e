"""Figures: plain arrays in, one matplotlib Axes out, in one quiet style.

Each draws into `ax`, or makes a figure of its own (``ax.figure.savefig("curve.svg")``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from tierwise.errors import BadSetting, MissingExtra
from tierwise.metrics import ranks

try:
    from matplotlib import rc_context
    from matplotlib.axes import Axes
    from matplotlib.colors import LinearSegmentedColormap, to_rgba
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter
except ImportError as error:
    raise MissingExtra("plots", "matplotlib", "plots") from error

INK = "#1c2530"  # texts and axes; a web page may replace it by its own colour of text
QUIET = "#7d8794"  # baselines: reads on light and on dark
FIND, MARK = "#0072b2", "#d55e00"  # blue and vermilion of Okabe and Ito
Column = NDArray[np.float64]
WIDTH, HEIGHT = 6.4, 3.7  # inches
STYLE: Any = {
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "font.family": ["DejaVu Sans"],
    "font.size": 10.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.titlesize": 10.5,
    "axes.titleweight": "normal",
    "axes.titlelocation": "left",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "lines.linewidth": 1.9,
}


def _axes(ax: Axes | None, height: float = HEIGHT, width: float = WIDTH) -> Axes:
    return ax if ax is not None else Figure(figsize=(width, height), layout="constrained").add_subplot()


def search_curve(
    best: ArrayLike,
    mean: ArrayLike | None = None,
    band: ArrayLike | None = None,
    *,
    optimum: float | None = None,
    label: str = "accuracy",
    ax: Axes | None = None,
) -> Axes:
    """Best value so far against evaluations, beside random search.

    best: (n,) of the search.
    mean, band: of random search, the expected best (m,), and its 10 and 90 % quantiles (2, m).
    optimum: the best value there is. label: of the value, with its unit.
    The lowest part of the first, steep evaluations is cut off.
    """
    with rc_context(STYLE):
        ax = _axes(ax)
        found = np.asarray(best, dtype=np.float64)
        seen = [
            float(np.nanmin(found[len(found) // 8 :])),
            float(np.nanmax(found)),
        ]  # values that must be inside the frame
        if band is not None:
            low, high = np.asarray(band, dtype=np.float64)
            ax.fill_between(_counts(low), low, high, color=QUIET, alpha=0.22, lw=0, label="random, 10–90 %")
            seen.append(float(low[len(low) // 12]))
        if mean is not None:
            ax.plot(_counts(mean), np.asarray(mean), color=QUIET, ls=(0, (5, 2)), label="random, mean")
        ax.step(_counts(found), found, where="post", color=FIND, lw=2.4, label="this search")
        ax.plot(len(found), found[-1], "o", color=FIND, ms=6, clip_on=False, zorder=9)
        if optimum is not None:
            ax.axhline(optimum, color=MARK, lw=1.1, ls=":", label="best in the table")
            seen.append(optimum)
        room = (max(seen) - min(seen)) or 1.0
        ax.set(xlim=(1, max(len(found), 2)), ylim=(min(seen) - 0.03 * room, max(seen) + 0.05 * room))
        ax.set(xlabel="evaluations", ylabel=label, title="Best found so far")
        ax.grid(axis="y", color=QUIET, alpha=0.25, lw=0.6)
        ax.legend(loc="lower right")
        return ax


def learning_curve(curve: Sequence[Mapping[str, float]], *, ax: Axes | None = None) -> Axes:
    """Accuracy over the epochs of one training; losses on an axis of their own, if they were reported.

    curve: what ``Study.curve`` gives, a dict a step.
    """
    with rc_context(STYLE):
        ax = _axes(ax)
        steps = [entry["step"] for entry in curve]
        ax.plot(steps, [entry.get("accuracy", np.nan) for entry in curve], color=FIND, label="validation accuracy")
        ax.set(xlabel="epochs", ylabel="accuracy (%)")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        losses = {"train_loss": "training loss", "loss": "validation loss"}
        if shown := {name: label for name, label in losses.items() if all(name in entry for entry in curve)}:
            right = ax.twinx()
            for (name, label), dashes in zip(shown.items(), ("-", "--"), strict=False):
                right.plot(steps, [entry[name] for entry in curve], dashes, color=QUIET, label=label)
            right.set_ylabel("loss")
            right.spines["right"].set_visible(True)
            lines = [*ax.get_lines(), *right.get_lines()]
            ax.legend(lines, [str(line.get_label()) for line in lines], loc="center right", frameon=False)
    return ax


def _counts(values: ArrayLike) -> NDArray[np.int64]:
    return np.arange(1, np.size(values) + 1)


def tier_distributions(values: ArrayLike, tiers: ArrayLike, *, label: str = "FLOPs", ax: Axes | None = None) -> Axes:
    """How a cost is distributed in each tier: one ridge a tier, the best on top, with its median.

    values: (n,) costs. tiers: (n,) tier of each, 0 = best. An empty tier has an empty row. Raises BadSetting.
    """
    column, tier = np.asarray(values, dtype=np.float64), np.asarray(tiers, dtype=np.int64)
    if column.shape != tier.shape or not len(column) or tier.min() < 0 or not np.isfinite(column).all():
        raise BadSetting("tiers", (column.shape, tier.shape), "finite costs and as many tiers, 0 = best")
    count = int(tier.max()) + 1
    with rc_context(STYLE):
        ax = _axes(ax)
        span = float(np.ptp(column)) or 1.0
        grid = np.linspace(column.min() - 0.08 * span, column.max() + 0.04 * span, 300)
        for k in range(count):
            _ridge(ax, count - 1 - k, column[tier == k], grid, 1 - 0.65 * k / max(count - 1, 1))
        names = [f"tier {t + 1}" + (" (best)" if t == 0 else "") for t in reversed(range(count))]
        ax.set(yticks=np.arange(count) + 0.16, yticklabels=names)
        ax.set(ylim=(-0.05, count + 0.05), xlim=(grid[0], grid[-1]))
        ax.set(xlabel=label, title=f"{label.split(' (')[0]} by predicted tier (line: median)")
        ax.spines["left"].set_visible(False)
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x", color=QUIET, alpha=0.25, lw=0.6)
        return ax


def _ridge(ax: Axes, row: int, values: Column, grid: Column, strength: float) -> None:
    """The density of `values` on the line at height `row`, with its median; lower rows lie in front."""
    ax.axhline(row, color=QUIET, lw=0.6, alpha=0.5)
    number = f"n = {len(values):,}"
    place = ax.get_yaxis_transform()
    ax.text(1.0, row + 0.1, number, transform=place, ha="right", fontsize=8.5, color=QUIET)
    if not len(values):
        return
    curve = row + 0.92 * _density(values, grid)
    ax.fill_between(grid, row, curve, color=FIND, alpha=0.5 * strength, lw=0, zorder=2 - 0.01 * row)
    ax.plot(grid, curve, color=FIND, alpha=strength, lw=1.3, zorder=2 - 0.01 * row)
    middle = float(np.median(values))
    top = float(np.interp(middle, grid, curve))
    ax.plot([middle, middle], [row, top], color=INK, lw=1.4, zorder=3)


def rank_agreement(
    predicted: ArrayLike,
    truth: ArrayLike,
    *,
    tau: float,
    ceiling: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Predicted against true rank of every architecture as a density; 1 = best, at the lower left.

    predicted, truth: (n,) scores, higher is better.
    tau, ceiling: Kendall's tau and the noise ceiling, for the title.
    """
    x, y = ranks(predicted), ranks(truth)
    n = len(x)
    with rc_context(STYLE):
        ax = _axes(ax, height=4.6, width=4.9)
        ink = LinearSegmentedColormap.from_list("ink", [to_rgba(FIND, 0.05), to_rgba(FIND, 1.0)])
        ax.hexbin(x, y, gridsize=38, bins="log", mincnt=1, cmap=ink, linewidths=0, extent=(1, n, 1, n))
        ax.plot([1, n], [1, n], color=MARK, lw=1.1, ls=(0, (4, 3)))
        ax.set(xlim=(1, n), ylim=(1, n), xlabel="predicted rank (1 = best)", ylabel="true rank")
        ax.set_aspect("equal")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(4, integer=True))
            axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        beside = "" if ceiling is None else f" · noise ceiling {ceiling:.3f}"
        ax.set_title(f"Kendall’s τ {tau:.3f}{beside} · n = {n:,}")
        return ax


def trade_off(
    cost: ArrayLike,
    value: ArrayLike,
    front: ArrayLike,
    knee: int,
    *,
    cost_label: str = "latency",
    value_label: str = "accuracy",
    ax: Axes | None = None,
) -> Axes:
    """Value against cost of every result, and the front of the best as steps.

    cost, value: (n,), a value higher better, a cost lower. front: (n,) which rows are in the front, one at least; with
    further costs some of them lie below the steps. knee: the row that is labelled so, or -1.
    Values far below the upper half of the front are cut off, and counted in the legend.
    """
    x, y = np.asarray(cost, dtype=np.float64), np.asarray(value, dtype=np.float64)
    best = np.asarray(front, dtype=np.bool_)
    with rc_context(STYLE):
        ax = _axes(ax)
        shown = (y >= _lowest_shown(y, best)) | (np.arange(len(y)) == knee)
        hidden = int((~shown).sum())
        label = "finished" + (f" ({hidden:,} more below)" if hidden else "")
        ax.plot(x[shown & ~best], y[shown & ~best], "o", color=QUIET, alpha=0.5, ms=4, mew=0, label=label)
        order = np.flatnonzero(best)[np.lexsort((y[best], x[best]))]
        ends = np.append(x[order], x.max()), np.maximum.accumulate(np.append(y[order], y[best].max()))
        ax.step(*ends, where="post", color=FIND, lw=1.6)
        ax.plot(x[shown & best], y[shown & best], "o", color=FIND, ms=6, mew=0, label="front", zorder=4)
        if knee >= 0:
            ax.plot(x[knee], y[knee], "o", mfc="none", mec=MARK, mew=1.8, ms=11, label="knee", zorder=5)
        for column, limits in ((x[shown], ax.set_xlim), (y[shown], ax.set_ylim)):
            room = 0.05 * (float(np.ptp(column)) or 1.0)
            limits(float(column.min()) - room, float(column.max()) + room)
        named = [label.split(" (")[0] for label in (value_label, cost_label)]
        ax.set(xlabel=cost_label, ylabel=value_label, title=" against ".join(named))
        ax.grid(color=QUIET, alpha=0.25, lw=0.6)
        ax.legend(loc="lower right")
        return ax


def _lowest_shown(values: Column, front: NDArray[np.bool_]) -> float:
    """Three times farther below the best than the middle of the front is."""
    best = float(values[front].max())
    return best - 3 * (best - float(np.median(values[front])))


def _density(values: Column, at: Column) -> Column:
    """A smooth density of `values`, scaled to a highest point of 1; flat where they do not vary."""
    if len(values) < 2 or np.ptp(values) == 0:
        return np.zeros(len(at))
    curve = np.asarray(stats.gaussian_kde(values, bw_method=0.2)(at), dtype=np.float64)
    return curve / (curve.max() or 1.0)
