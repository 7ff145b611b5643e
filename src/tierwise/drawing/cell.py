"""A small cell graph as a picture: a self-contained SVG that reads on light and on dark pages."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Collection
from html import escape

from tierwise.drawing.layout import LABEL_HEIGHT, NODE_HEIGHT, Layout, Point, Route, layout

# Every colour carries white text at 4.5:1 and stands out from a white and a black page at 3:1.
# The hues are those of Okabe and Ito, which colour-blind readers tell apart.
NEUTRAL, SKIP = "#5f6b7a", "#6b7480"
POOL, CONV_3X3, CONV_1X1 = "#bd5000", "#0072b2", "#00805d"
OTHERS = ("#a8447f", "#7a5cb8", "#8a6a10", "#3f7d20", "#b3404a")
PLAIN_NODES = {"input": "input", "output": "output", "sum": "+", "add": "+", "": ""}
LONGEST_LABEL = 16
FONT = "font:600 12px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif"


def short_name(op: str) -> str:
    """A readable name: "conv 3×3" for ``nor_conv_3x3``, "skip" for ``skip_connect``."""
    text = re.sub(r"^nor_|[-_]bn[-_]relu$|_connect$", "", op)
    text = re.sub(r"(max|avg|sep|dil)_?(pool|conv)", r"\1 \2", text)
    text = re.sub(r"(\d+)x(\d+)", r" \1×\2", text)
    return re.sub(r"[\s_-]+", " ", text).strip() or op


def colour(op: str) -> str:
    """The colour of an operation (or plain node), by its family; an unknown name always gets the same one."""
    name = op.lower()
    if name in PLAIN_NODES:
        return NEUTRAL
    if "skip" in name or "identity" in name:
        return SKIP
    if "pool" in name:
        return POOL
    if "conv" in name and "3x3" in name:
        return CONV_3X3
    if "conv" in name and "1x1" in name:
        return CONV_1X1
    return OTHERS[zlib.crc32(name.encode()) % len(OTHERS)]


def svg(nodes: tuple[str, ...], edges: tuple[tuple[int, int, str], ...], *, title: str = "") -> str:
    """The graph, left to right, as SVG text; what is on no way from the first to the last node is pale.

    nodes: names or operations in topological order.
    edges: (source, target, operation), source < target; the operation "" is a plain edge.
    title: what a screen reader says; by default a summary of the operations.
    """
    names = [PLAIN_NODES.get(n.lower(), label_of(n)) for n in nodes]
    labels = [label_of(op) if op else "" for _, _, op in edges]
    ends = [(i, j) for i, j, _ in edges]
    picture = layout([node_width(n) for n in names], ends, [pill_width(x) if x else 0.0 for x in labels])
    live = _live(len(nodes), ends)
    kept = [k for k, (i, j) in enumerate(ends) if i in live and j in live]
    pale = _parts(
        nodes,
        edges,
        names,
        labels,
        picture,
        set(range(len(nodes))) - live,
        set(range(len(edges))) - set(kept),
    )
    parts = [
        *(['<g opacity="0.35">', *pale, "</g>"] if pale else []),
        *_parts(nodes, edges, names, labels, picture, live, kept),
    ]
    width, height = f"{picture.width:.0f}", f"{picture.height:.0f}"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" style="{FONT};max-width:100%;height:auto">'
    )
    return "\n".join([head, f"<title>{escape(title or _summary(nodes, edges))}</title>", *parts, "</svg>"])


def label_of(op: str) -> str:
    """A readable name, cut where it is long."""
    name = short_name(op)
    return name if len(name) <= LONGEST_LABEL else name[: LONGEST_LABEL - 1] + "…"


def node_width(name: str) -> float:
    """Of a node with this name."""
    return NODE_HEIGHT if len(name) <= 1 else pill_width(name) + 4


def pill_width(label: str) -> float:
    """Of a label."""
    return 6.9 * len(label) + 16


def _live(n: int, ends: list[tuple[int, int]]) -> set[int]:
    """Nodes on a way from the first to the last."""
    ahead, back = {0}, {n - 1}
    for i, j in sorted(ends):
        if i in ahead:
            ahead.add(j)
    for i, j in sorted(ends, key=lambda e: e[1], reverse=True):
        if j in back:
            back.add(i)
    return (ahead & back) | {0, n - 1}


def _summary(nodes: tuple[str, ...], edges: tuple[tuple[int, int, str], ...]) -> str:
    ops = [n for n in nodes if n.lower() not in PLAIN_NODES] + [op for _, _, op in edges if op]
    counts = ", ".join(f"{k} × {short_name(op)}" for op, k in Counter(ops).items())
    return f"Cell of {len(nodes)} nodes: {counts or 'no operations'}"


def _parts(
    nodes: tuple[str, ...],
    edges: tuple[tuple[int, int, str], ...],
    names: list[str],
    labels: list[str],
    picture: Layout,
    which_nodes: Collection[int],
    which_edges: Collection[int],
) -> list[str]:
    """These edges and nodes, back to front: lines, nodes, labels."""
    lines = [line(edges[k][2], picture.routes[k]) for k in which_edges]
    boxes = [(v, picture.boxes[v]) for v in which_nodes]
    circles = [pill(nodes[v], names[v], (box.x, box.y), box.width, box.height) for v, box in boxes]
    labelled = [k for k in which_edges if labels[k]]
    pills = [
        pill(edges[k][2], labels[k], picture.routes[k].label, pill_width(labels[k]), LABEL_HEIGHT) for k in labelled
    ]
    return [*lines, *circles, *pills]


def line(op: str, route: Route) -> str:
    """A line and its arrow head; the head is drawn by itself, so that no element needs an id."""
    tint, dash = colour(op), ' stroke-dasharray="5 4"' if colour(op) == SKIP else ""
    x, y = route.tip
    return (
        f'<path d="{route.path}" fill="none" stroke="{tint}" stroke-width="2"{dash}/>'
        f'<path d="M{x:.1f} {y:.1f}l-8 -4.2l1.6 4.2l-1.6 4.2z" fill="{tint}"/>'
    )


def pill(op: str, label: str, at: Point, width: float, height: float) -> str:
    """A rounded box with a label, in the colour of its operation."""
    x, y = at
    size = ' font-size="17"' if label == "+" else ""
    return (
        f"<g><title>{escape(op)}</title>"
        f'<rect x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'rx="{height / 2:.1f}" fill="{colour(op)}"/>'
        f'<text x="{x:.1f}" y="{y:.1f}" dy="0.35em" text-anchor="middle" fill="#fff"{size}>'
        f"{escape(label)}</text></g>"
    )
