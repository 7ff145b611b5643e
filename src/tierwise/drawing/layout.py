"""Where the parts of a small graph go: layers from left to right, and curves that pass beside the nodes.

A node lies in the layer of the longest way to it. An edge over several layers gets a slot of its own in each
layer between, so that it runs level past the nodes there. The orders within layers are improved by swaps:
first few crossings, then short curves.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from itertools import combinations, pairwise

NODE_HEIGHT = 28.0
SLOT = 50.0
MARGIN = 8.0
GAP = 52.0  # between columns without labels
LABEL_ROOM = 34.0  # beside a label: for the curve and the arrow head
LABEL_HEIGHT = 20.0
STARTS, MANY_EDGES = 4, 16  # with many edges one search has to do
CROSSING = 100.0  # a crossing is worse than any detour
Point = tuple[float, float]
Ends = list[tuple[int, int]]
Key = tuple[str, int]  # ("node", v), or ("edge", k) for the slot of a passing edge
Order = list[list[Key]]


@dataclass(frozen=True, slots=True)
class Box:
    """A node: centre and size."""

    x: float
    y: float
    width: float
    height: float = NODE_HEIGHT


@dataclass(frozen=True, slots=True)
class Route:
    """An edge: SVG path data, points along it, the arrow's tip and the centre of the label."""

    path: str
    points: list[Point]
    tip: Point
    label: Point


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything in pixels."""

    boxes: list[Box]
    routes: list[Route]
    width: float
    height: float


def layout(widths: list[float], ends: Ends, labels: list[float]) -> Layout:
    """Places for nodes of these widths and edges (source < target) with labels of these widths (0 = none)."""
    layer = _layers(len(widths), ends)
    order = _order(layer, ends)
    xs, columns = _columns(widths, ends, labels, layer)
    rows = {(at, key): _slot(k, len(keys)) * SLOT for at, keys in enumerate(order) for k, key in enumerate(keys)}
    top = min(rows.values(), default=0.0) - NODE_HEIGHT / 2 - MARGIN
    boxes = [Box(xs[at], rows[at, ("node", v)] - top, widths[v]) for v, at in enumerate(layer)]
    routes: list[Route] = []
    ports = _ports(layer, ends, rows)
    for k, (i, j) in enumerate(ends):
        passing = [
            (xs[at] - columns[at] / 2, xs[at] + columns[at] / 2, rows[at, ("edge", k)] - top)
            for at in range(layer[i] + 1, layer[j])
        ]
        routes.append(_route(boxes[i], boxes[j], passing, ports[k]))
    return Layout(
        boxes,
        _labelled(routes, boxes, labels),
        xs[-1] + columns[-1] / 2 + MARGIN,
        max(rows.values(), default=0.0) - top + NODE_HEIGHT / 2 + MARGIN,
    )


def _layers(n: int, ends: Ends) -> list[int]:
    """The longest way to each node; only the first is in layer 0, and the last has a layer to itself."""
    layer = [0] + [1] * (n - 1)
    for i, j in sorted(ends, key=lambda e: e[1]):
        layer[j] = max(layer[j], layer[i] + 1)
    if n > 2:
        layer[-1] = max(layer[-1], max(layer[:-1]) + 1)
    return layer


def _order(layer: list[int], ends: Ends) -> Order:
    """Keys of every layer from top to bottom: the best of a few local searches."""
    first: Order = [[] for _ in range(max(layer, default=0) + 1)]
    gaps: list[list[tuple[Key, Key]]] = [[] for _ in first]
    for v, at in enumerate(layer):
        first[at].append(("node", v))
    for k, (i, j) in enumerate(ends):
        chain: list[Key] = [("node", i), *[("edge", k)] * (layer[j] - layer[i] - 1), ("node", j)]
        for at, (a, b) in enumerate(pairwise(chain), start=layer[i]):
            gaps[at].append((a, b))
            if b[0] == "edge":
                first[at + 1].append(b)
    tries: list[tuple[float, Order]] = []
    for start in range(STARTS if len(ends) < MANY_EDGES else 1):
        order = [list(keys) for keys in first]
        for keys in order:
            random.Random(start).shuffle(keys)
        _improve(order, gaps)
        tries.append((sum(_cost(order, gaps, at) for at in range(len(order))), order))
    return min(tries, key=lambda t: t[0])[1]


def _improve(order: Order, gaps: list[list[tuple[Key, Key]]]) -> None:
    """Swap two keys of a layer as long as that helps."""
    better = True
    while better:
        better = False
        for at, keys in enumerate(order):
            for a, b in combinations(range(len(keys)), 2):
                before = _cost(order, gaps, at - 1) + _cost(order, gaps, at)
                keys[a], keys[b] = keys[b], keys[a]
                if _cost(order, gaps, at - 1) + _cost(order, gaps, at) < before - 1e-9:
                    better = True
                else:
                    keys[a], keys[b] = keys[b], keys[a]


def _cost(order: Order, gaps: list[list[tuple[Key, Key]]], at: int) -> float:
    """Crossings and detours between layers `at` and `at + 1`; nodes off the middle cost a little."""
    if not 0 <= at < len(order):
        return 0.0
    place = {key: _slot(k, len(order[at])) for k, key in enumerate(order[at])}
    cost = sum(0.3 * abs(y) for key, y in place.items() if key[0] == "node")
    if at + 1 < len(order):
        after = {key: _slot(k, len(order[at + 1])) for k, key in enumerate(order[at + 1])}
        spans = [(place[a], after[b]) for a, b in gaps[at]]
        cost += sum((a - b) ** 2 for a, b in spans)
        cost += CROSSING * sum((a - c) * (b - d) < 0 for (a, b), (c, d) in combinations(spans, 2))
    return cost


def _slot(k: int, n: int) -> float:
    return k - (n - 1) / 2


def _columns(widths: list[float], ends: Ends, labels: list[float], layer: list[int]) -> tuple[list[float], list[float]]:
    """Centre and width of every column; a gap is as wide as the labels that can only lie in it."""
    columns = [max(w for w, at in zip(widths, layer, strict=True) if at == k) for k in range(max(layer) + 1)]
    xs = [MARGIN + columns[0] / 2]
    for at, (left, right) in enumerate(pairwise(columns)):
        inside = [w for w, (i, j) in zip(labels, ends, strict=True) if layer[i] == at and layer[j] == at + 1 and w]
        gap = max([GAP, *(w + LABEL_ROOM for w in inside)])
        xs.append(xs[-1] + left / 2 + gap + right / 2)
    return xs, columns


def _ports(layer: list[int], ends: Ends, rows: dict[tuple[int, Key], float]) -> list[tuple[float, float]]:
    """How far off the middle each edge leaves its source and reaches its target, without crossings."""
    leave, reach = [0.0] * len(ends), [0.0] * len(ends)
    for v in range(len(layer)):
        going = {k: (layer[i] + 1, j) for k, (i, j) in enumerate(ends) if i == v}
        coming = {k: (layer[j] - 1, i) for k, (i, j) in enumerate(ends) if j == v}
        for side, shift in ((going, leave), (coming, reach)):
            row = {k: rows[at, ("node", w) if layer[w] == at else ("edge", k)] for k, (at, w) in side.items()}
            step = min(9.0, 18.0 / max(len(side) - 1, 1))
            for place, k in enumerate(sorted(side, key=lambda k: row[k])):
                shift[k] = _slot(place, len(side)) * step
    return list(zip(leave, reach, strict=True))


def _route(source: Box, target: Box, passing: list[tuple[float, float, float]], port: tuple[float, float]) -> Route:
    """From the right of one node, level across the columns between, to the left of the other."""
    start = source.x + source.width / 2 - _inset(port[0]), source.y + port[0]
    tip = target.x - target.width / 2 + _inset(port[1]), target.y + port[1]
    stops = [start, *[p for left, right, y in passing for p in ((left, y), (right, y))], (tip[0] - 6, tip[1])]
    path, points = f"M{start[0]:.1f} {start[1]:.1f}", [start]
    for k, (a, b) in enumerate(pairwise(stops)):
        if k % 2:
            path += f"H{b[0]:.1f}"
            points += [((a[0] + b[0]) / 2, a[1]), b]
            continue
        middle = (a[0] + b[0]) / 2
        path += f"C{middle:.1f} {a[1]:.1f} {middle:.1f} {b[1]:.1f} {b[0]:.1f} {b[1]:.1f}"
        points += [_bezier(a, b, t / 12) for t in range(1, 13)]
    return Route(path, points, tip, points[len(points) // 2])


def _inset(shift: float) -> float:
    """How much further in the rounded end of a node begins, off its middle."""
    return NODE_HEIGHT / 2 - math.sqrt((NODE_HEIGHT / 2) ** 2 - shift**2)


def _bezier(a: Point, b: Point, t: float) -> Point:
    """The curve from `a` to `b` that is level at both ends."""
    middle, s = (a[0] + b[0]) / 2, 1 - t
    x = s**3 * a[0] + 3 * s * t * middle + t**3 * b[0]
    return x, (s**3 + 3 * s * s * t) * a[1] + (3 * s * t * t + t**3) * b[1]


def _labelled(routes: list[Route], boxes: list[Box], labels: list[float]) -> list[Route]:
    """Every label at the point of its edge where it covers nothing else, near the middle if it can be."""
    taken = list(boxes)
    placed = list(routes)
    for k in sorted(range(len(routes)), key=lambda k: routes[k].points[-1][0] - routes[k].points[0][0]):
        if not labels[k]:
            continue
        others = [p for other, route in enumerate(routes) if other != k for p in route.points[1:-1]]
        points, half = routes[k].points, len(routes[k].points) / 2
        costs: dict[Point, float] = {}
        for place, (x, y) in enumerate(points):
            box = Box(x, y, labels[k], LABEL_HEIGHT)
            covered = sum(abs(px - x) < box.width / 2 + 2 and abs(py - y) < box.height / 2 + 2 for px, py in others)
            costs[x, y] = 1000 * sum(_touch(box, t) for t in taken) + 5 * covered + 4 * abs(place / half - 1)
        x, y = min(costs, key=lambda p: costs[p])
        taken.append(Box(x, y, labels[k], LABEL_HEIGHT))
        placed[k] = Route(routes[k].path, points, routes[k].tip, (x, y))
    return placed


def _touch(a: Box, b: Box) -> bool:
    return abs(a.x - b.x) < (a.width + b.width) / 2 + 4 and abs(a.y - b.y) < (a.height + b.height) / 2 + 3
