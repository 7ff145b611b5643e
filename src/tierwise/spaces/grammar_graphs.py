"""Terms as graphs of bounded size: the upper levels unfolded, what lies below a level in one node each."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tierwise.errors import BadSetting
from tierwise.spaces.edges import MOST_OPS
from tierwise.spaces.grammar_places import Bools, Ints, Picks, Places
from tierwise.spaces.grammar_rules import Production, Rules
from tierwise.spaces.grammar_terms import Term
from tierwise.spaces.grammar_topologies import wiring

MOST_NODES = 48  # of a graph
_LINKS = 2**24  # of all rows, looked at together

Floats = NDArray[np.float64]
Ways = tuple[Ints, Ints, Floats, Floats]  # where a term begins and ends, nodes (n, m), and their places in the order


@dataclass(frozen=True)
class Folded:
    """Graphs of a grammar: operations on nodes, and plain edges.

    Places down to a level are unfolded into operations and wiring; each place on it is one node, called by the
    production that it takes. The level is the last with which no graph has more than `MOST_NODES` nodes. A shared
    symbol is a node wherever it is used, and is unfolded once, behind the whole. Feature sums are left out: what enters
    one is linked with what leaves it.

    own: (p,) the first node of each place's own, sums: (p,) and its first feature sum. size: how many there are.
    """

    places: Places
    rules: Rules
    level: int
    names: tuple[str, ...]
    own: Ints
    sums: Ints
    size: tuple[int, int]

    @classmethod
    def of(cls, places: Places, rules: Rules) -> Folded:
        """The largest that is small enough. Raises BadSetting for too many names."""
        level, deepest = 0, int(places.level.max()) + 1
        needed = np.zeros((2, len(places.end)), dtype=np.int64)
        for group in places.groups:
            needed[:, group.places] = np.max([_needed(option, rules) for option in group.options], axis=0)[:, None]
        while level < deepest and _nodes(places, needed, level + 1)[0].sum() + 2 <= MOST_NODES:
            level += 1
        each = _nodes(places, needed, level)
        options = [option for group in places.groups for option in group.options]
        names = [leaf for option in options for leaf in option.term.leaves() if leaf not in rules.productions]
        names += [*rules.shared, *(str(option.term) for option in options)]
        names = list(dict.fromkeys(names))
        if len(names) > MOST_OPS:
            raise BadSetting(f"operations and productions of {rules.name}", len(names), f"at most {MOST_OPS} in graphs")
        own, sums = each.cumsum(1) - each
        size = int(each[0].sum()), int(each[1].sum()) + len(places.roots) - 1
        return cls(places, rules, level, (*names, "input", "output", ""), own, size[0] + sums, size)

    def __call__(self, picks: Picks) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """(n, v) operations and (n, v, v) edges."""
        v = self.size[0] + 2
        step = max(1, _LINKS // (v + self.size[1]) ** 2)
        found = [self._some(picks[start : start + step]) for start in range(0, len(picks), step)]
        node_op = np.concatenate([np.zeros((0, v), np.uint8), *(each[0] for each in found)])
        return node_op, np.concatenate([np.zeros((0, v, v), np.uint8), *(each[1] for each in found)])

    def _some(self, picks: Picks) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        drawing = _Drawing.of(self, picks)
        operations = self.size[0]
        for node in range(operations, operations + self.size[1]):
            drawing.links |= drawing.links[:, :, node, None] & drawing.links[:, node, None, :]
        ends = [operations + self.size[1], operations + self.size[1] + 1]
        kept = np.array([ends[0], *range(operations), ends[1]])
        order = kept[np.argsort(drawing.order[:, kept], axis=1, kind="stable")]
        rows = np.arange(len(picks))[:, None]
        links = drawing.links[rows[:, None], order[:, :, None], order[:, None, :]]
        return drawing.codes[rows, order], links.astype(np.uint8) * np.uint8(len(self.names))


@dataclass
class _Drawing:
    """Nodes of n graphs: operations, then sums, then input and output.

    codes: (n, v) names. links: (n, v, v). order: (n, v) growing along every way.
    """

    folded: Folded
    codes: NDArray[np.uint8]
    links: Bools
    order: Floats

    @classmethod
    def of(cls, folded: Folded, picks: Picks) -> _Drawing:
        places, n = folded.places, len(picks)
        v, names = sum(folded.size) + 2, len(folded.names)
        drawing = cls(folded, np.zeros((n, v), np.uint8), np.zeros((n, v, v), np.bool_), np.full((n, v), 2.0))
        drawing.codes[:, -2:] = names - 2, names - 1
        drawing.order[:, -2:] = -1.0, 3.0
        used = places.used(picks)
        ways = np.zeros((4, *picks.shape))
        joints = [v - 2, *range(v - 1 - len(places.roots), v - 2), v - 1]
        for k, root in enumerate(places.roots.values()):
            ways[:, :, root] = np.array([joints[k], joints[k + 1], k, k + 1])[:, None]
        ways[2:] /= len(places.roots)
        for group in reversed(places.groups):
            for k, option in enumerate(group.options):
                shown = group.places[places.level[group.places] <= folded.level]
                numbers = np.flatnonzero(places.level[group.places] <= folded.level)
                taken = used[:, shown] & (picks[:, shown] == k)
                if taken.any():
                    parts = [part[numbers] for part in group.parts[k]]
                    drawing.place(option, shown, parts, taken, ways)
        return drawing

    def place(self, option: Production, places: Ints, parts: list[Ints], taken: Bools, ways: Floats) -> None:
        """Draw a production where it is taken, and say where its parts are to be drawn."""
        first, last, low, high = ways[:, :, places]
        way = first.astype(np.int64), last.astype(np.int64), low, high
        folded = self.folded
        deep = folded.places.level[places] == folded.level
        own, sums = folded.own[places], folded.sums[places]
        self._node(str(option.term), way, own, taken & deep)
        taken = taken & ~deep
        below, count, inner = iter(parts), itertools.count(), itertools.count()

        def draw(term: Term, way: Ways) -> None:
            if not term.args:
                part = next(below) if term.head in option.uses else None
                if part is None or term.head in folded.rules.shared:
                    self._node(term.head, way, own + next(count), taken)
                else:
                    ways[:, :, part] = np.where(taken, np.stack(way), ways[:, :, part])
                return
            edges = wiring(term.head, len(term.args), folded.rules.topologies)
            end = max(target for _, target in edges)
            nodes = [way[0], *(np.broadcast_to(sums + next(inner), taken.shape) for _ in range(end - 1)), way[1]]
            at = [way[2] + (way[3] - way[2]) * k / end for k in range(end + 1)]
            for arg, (source, target) in zip(term.args, edges, strict=True):
                draw(arg, (nodes[source], nodes[target], at[source], at[target]))

        draw(option.term, way)

    def _node(self, name: str, way: Ways, nodes: Ints, taken: Bools) -> None:
        """An operation between where its way begins and ends."""
        row, m = np.nonzero(taken)
        node = nodes[m]
        self.codes[row, node] = self.folded.names.index(name) + 1
        self.order[row, node] = (way[2] + way[3])[row, m] / 2
        self.links[row, way[0][row, m], node] = True
        self.links[row, node, way[1][row, m]] = True


def _needed(option: Production, rules: Rules) -> tuple[int, int]:
    """How many nodes and feature sums of its own a production needs where it is unfolded."""
    leaves = [leaf for leaf in option.term.leaves() if leaf not in rules.productions or leaf in rules.shared]
    return len(leaves), _inner(option.term, rules)


def _inner(term: Term, rules: Rules) -> int:
    if not term.args:
        return 0
    edges = wiring(term.head, len(term.args), rules.topologies)
    return max(target for _, target in edges) - 1 + sum(_inner(arg, rules) for arg in term.args)


def _nodes(places: Places, needed: Ints, level: int) -> Ints:
    """(2, p) nodes and feature sums of each place where all are unfolded down to this level."""
    return np.where(places.level < level, needed, np.where(places.level == level, [[1], [0]], 0))
