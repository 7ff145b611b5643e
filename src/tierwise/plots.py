"""Figures: plain arrays in, one matplotlib Axes out, in one quiet style.

Each draws into `ax`, or makes a figure of its own (``ax.figure.savefig("curve.svg")``).
"""

from __future__ import annotations

from collections.abc import Callable
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
        x = np.arange(1, len(found) + 1)
        lowest = [np.nanmin(found[len(found) // 8 :])]
        if band is not None:
            low, high = np.asarray(band, dtype=np.float64)
            ax.fill_between(
                np.arange(1, len(low) + 1), low, high, color=QUIET, alpha=0.22, lw=0, label="random, 10–90 %"
            )
            lowest.append(low[len(low) // 12])
        if mean is not None:
            expected = np.asarray(mean, dtype=np.float64)
            ax.plot(
                np.arange(1, len(expected) + 1), expected, color=QUIET, ls=(0, (5, 2)), label="random, mean"
            )
        ax.step(x, found, where="post", color=FIND, lw=2.4, label="this search")
        ax.plot(x[-1], found[-1], "o", color=FIND, ms=6, clip_on=False, zorder=9)
        top = np.nanmax(found)
        if optimum is not None:
            ax.axhline(optimum, color=MARK, lw=1.1, ls=":", label="best in the table")
            top = max(top, optimum)
        low_end = min(lowest)
        room = (top - low_end) or 1.0
        ax.set(xlim=(1, max(len(found), 2)), ylim=(low_end - 0.03 * room, top + 0.05 * room))
        ax.set(xlabel="evaluations", ylabel=label, title="Best found so far")
        ax.grid(axis="y", color=QUIET, alpha=0.25, lw=0.6)
        ax.legend(loc="lower right")
        return ax


def tier_distributions(
    values: ArrayLike, tiers: ArrayLike, *, label: str = "FLOPs", ax: Axes | None = None
) -> Axes:
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
        for t in reversed(range(count)):  # the lowest ridge last, so that it lies in front
            row = count - 1 - t
            inside = column[tier == t]
            shade = _between(FIND, QUIET, t / max(count - 1, 1))
            if len(inside):
                curve = row + 0.92 * _density(inside, grid)
                ax.fill_between(grid, row, curve, color=shade, alpha=0.45, lw=0, zorder=count - row)
                ax.plot(grid, curve, color=shade, lw=1.3, zorder=count - row)
                middle = float(np.median(inside))
                ax.plot(
                    [middle] * 2,
                    [row, row + 0.92 * _density(inside, np.array([middle]), grid)[0]],
                    color=INK,
                    lw=1.4,
                    zorder=99,
                )
            ax.axhline(row, color=QUIET, lw=0.6, alpha=0.5)
            ax.text(
                1.0,
                row + 0.1,
                f"n = {len(inside):,}",
                transform=ax.get_yaxis_transform(),
                ha="right",
                fontsize=8.5,
                color=QUIET,
            )
        names = [f"tier {t + 1}" + (" (best)" if t == 0 else "") for t in reversed(range(count))]
        ax.set(
            yticks=np.arange(count) + 0.16,
            yticklabels=names,
            ylim=(-0.05, count + 0.05),
            xlim=(grid[0], grid[-1]),
        )
        ax.set(xlabel=label, title=f"{label.split(' (')[0]} by predicted tier (line: median)")
        ax.spines["left"].set_visible(False)
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x", color=QUIET, alpha=0.25, lw=0.6)
        return ax


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
        beside = "" if ceiling is None else f"   noise ceiling {ceiling:.3f}"
        ax.set_title(f"Kendall’s τ {tau:.3f}{beside}   n = {n:,}")
        return ax


def _density(
    values: NDArray[np.float64], at: NDArray[np.float64], grid: NDArray[np.float64] | None = None
) -> Any:
    """A smooth density of `values`, scaled so that its highest point (on `grid`) is 1."""
    spread = np.ptp(values) if len(values) > 1 else 0.0
    where: Callable[[Any], Any] = (
        stats.gaussian_kde(values, bw_method=0.2) if spread > 0 else lambda x: np.zeros(len(x))
    )
    top = np.max(where(at if grid is None else grid))
    return where(at) / (top or 1.0)


def _between(a: str, b: str, share: float) -> tuple[float, ...]:
    return tuple((1 - share) * np.array(to_rgba(a)) + share * np.array(to_rgba(b)))
