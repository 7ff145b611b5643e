"""What the pictures of all kinds of claims share: colours, lines, axes of a budget."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from tierwise.errors import MissingExtra
from tierwise.harness.protocol import Claim
from tierwise.harness.run import value
from tierwise.harness.shards import Shard
from tierwise.plots import QUIET

try:
    from matplotlib.axes import Axes
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
DASHES: dict[str, Any] = {"random": (0, (1, 2)), "params": (0, (4, 2)), "flops": (0, (7, 3)), "trees": "-"}


def line_style(claim: Claim, method: str) -> dict[str, Any]:
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


def values(lines: list[Shard], method: str, at: int, figure: str) -> np.ndarray[Any, Any]:
    """A figure of every run of a method that has it."""
    found = [value(line, at, figure) for line in lines if line["shard"]["method"] == method]
    return np.array([v for v in found if v is not None], dtype=float)


def budget_axis(ax: Axes, at: list[int], name: str) -> None:
    """A horizontal axis of labels, evaluations or seconds, marked at these."""
    least = min((t for t in at if t), default=1)  # 0 labels have a place too
    ax.set_xscale("symlog", linthresh=least) if 0 in at else ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator(at))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.set_xlabel(name)
    ax.grid(axis="y", color=QUIET, alpha=0.25, lw=0.6)
