"""Several cells in one arrangement, so that what is the same lies in the same place; what differs is marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from tierwise.drawing.cell import FONT, PLAIN_NODES, label_of, line, node_width, pill, pill_width
from tierwise.drawing.layout import LABEL_HEIGHT, Layout, Route, layout

MARK = "#d6336c"  # stands out from a white and a black page at 3:1; every mark has a sign as well
ADDED, CHANGED, GONE = "+", "≠", "−"


@dataclass(frozen=True)
class Placed:
    """A cell on common places. nodes: place -> name. edges: (source, target) -> operation, "" a plain one."""

    nodes: Mapping[int, str]
    edges: Mapping[tuple[int, int], str]


def compared(cells: Sequence[Placed], titles: Sequence[str]) -> list[str]:
    """An SVG text for each; marked is what the first has not, has otherwise, or has alone.

    Places are in topological order, the first and the last one are in every cell.
    """
    places = sorted({place for cell in cells for place in cell.nodes})
    rank = {place: k for k, place in enumerate(places)}
    ends = sorted({ends for cell in cells for ends in cell.edges})
    widths = [max(node_width(_name(c.nodes[p])) for c in cells if p in c.nodes) for p in places]
    labels = [max(_label_width(c.edges[e]) for c in cells if e in c.edges) for e in ends]
    picture = layout(widths, [(rank[i], rank[j]) for i, j in ends], labels)
    return [_svg(cell, cells[0], picture, rank, ends, title) for cell, title in zip(cells, titles, strict=True)]


def _svg(
    cell: Placed, first: Placed, picture: Layout, rank: Mapping[int, int], ends: Sequence[tuple[int, int]], title: str
) -> str:
    lines, pills = list[str](), list[str]()
    for k, pair in enumerate(ends):
        route, own, other = picture.routes[k], cell.edges.get(pair), first.edges.get(pair)
        if own is None and other is None:
            continue
        mark = _mark(own, other)
        lines.append(line(own, route) if own is not None else _ghost(route))
        if own:
            pills.append(pill(own, label_of(own), route.label, pill_width(label_of(own)), LABEL_HEIGHT))
        if mark:
            width = pill_width(label_of(own)) if own else LABEL_HEIGHT
            pills.append(_ring(route.label, width, LABEL_HEIGHT, mark, own or "", other or ""))
    for place, k in rank.items():
        box, own, other = picture.boxes[k], cell.nodes.get(place), first.nodes.get(place)
        if own is not None:
            pills.append(pill(own, _name(own), (box.x, box.y), node_width(_name(own)), box.height))
        if mark := _mark(own, other):
            pills.append(_ring((box.x, box.y), box.width, box.height, mark, own or "", other or ""))
    width, height = f"{picture.width:.0f}", f"{picture.height:.0f}"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" style="{FONT};max-width:100%;height:auto">'
    )
    return "\n".join([head, f"<title>{escape(title)}</title>", *lines, *pills, "</svg>"])


def _mark(own: str | None, other: str | None) -> str:
    """How a cell differs from the first one at a place; "" where it does not."""
    if own == other:
        return ""
    return ADDED if other is None else GONE if own is None else CHANGED


def _ring(at: tuple[float, float], width: float, height: float, mark: str, own: str, other: str) -> str:
    """Around what differs, with a sign at its corner."""
    x, y = at
    words = {ADDED: f"{own or 'an edge'}, new", GONE: f"{other or 'an edge'}, gone", CHANGED: f"{own}, was {other}"}[
        mark
    ]
    dash = ' stroke-dasharray="3 3"' if mark == GONE else ""
    w, h = width + 8, height + 8
    return (
        f"<g><title>{escape(words)}</title>"
        f'<rect x="{x - w / 2:.1f}" y="{y - h / 2:.1f}" width="{w:.1f}" height="{h:.1f}" rx="{h / 2:.1f}" '
        f'fill="none" stroke="{MARK}" stroke-width="2.5"{dash}/>'
        f'<circle cx="{x + w / 2 - 3:.1f}" cy="{y - h / 2 + 3:.1f}" r="8" fill="{MARK}"/>'
        f'<text x="{x + w / 2 - 3:.1f}" y="{y - h / 2 + 3:.1f}" dy="0.35em" text-anchor="middle" fill="#fff">'
        f"{mark}</text></g>"
    )


def _ghost(route: Route) -> str:
    """Where the first one has an edge."""
    return f'<path d="{route.path}" fill="none" stroke="{MARK}" stroke-width="1.5" stroke-dasharray="2 5"/>'


def _name(op: str) -> str:
    return PLAIN_NODES.get(op.lower(), label_of(op))


def _label_width(op: str) -> float:
    return pill_width(label_of(op)) if op else 0.0
