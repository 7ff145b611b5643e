"""What lies on the live paths of a cell: columns that stay the same where the network stays the same."""

from __future__ import annotations

from itertools import chain, combinations, combinations_with_replacement, islice

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures, Archs, Graphs
from tierwise.encoding import Encoding, batch
from tierwise.encodings.cost_tensor import type_codes
from tierwise.errors import BadSetting

_RUNS = 2**20  # of nodes times rows, at a time: some dozens of MB
_MOST_NODES = 14
_MOST_BAGS = 512
_NO_OPERATION = ("", "input", "sum", "output")

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class LivePaths(Encoding):
    """Counts over the paths from a cell's first node to its last that no missing operation cuts.

    The word of such a live path is its operations in order, without identities. With A operations and words
    of at most H letters the float32 columns of a row count

    * paths by how often each operation occurs, A(H + 1), and by word length, H + 1;
    * paths by first and by last letter, 2A; letters, A; pairs of neighbouring letters, A²;
    * paths by their letters regardless of order: one column a bag of letters, at most the 512 shortest bags;
    * all paths, and the largest and smallest count of each operation and of all letters on a path, 2A + 3;
    * each operation on any live path, A: shared by several paths it counts once. Always 0 for the space's
      weightless ``shared`` operations, because one and the same network may hold one or several of them.

    So networks that are equal by the rules of ``Edges.canonical`` have equal rows.
    Raises BadSetting for cells of more than 14 nodes.

    From: White et al., "BANANAS: Bayesian Optimization with Neural Architectures for Neural Architecture
    Search" (2021), which has one column a path. Leaving out identities and counting parts of words is ours.

    >>> from tierwise.spaces.nasbench201 import NASBench201
    >>> LivePaths().transform(NASBench201().at([0, 6111])).shape
    (2, 66)
    """

    def transform(self, archs: Archs) -> NDArray[np.float32]:
        """The columns, (n, d)."""
        rows = batch(archs)
        nodes = rows.space.graphs(rows[:0]).node_op.shape[1]
        if nodes > _MOST_NODES:
            raise BadSetting("nodes of a cell", nodes, f"at most {_MOST_NODES} where paths are counted")
        parts = [_columns(rows[:0]), *(_columns(part) for part in rows.chunks(_RUNS // 2**nodes))]
        return np.concatenate(parts).astype(np.float32)


def _columns(rows: Architectures) -> Ints:
    graphs = rows.space.graphs(rows)
    names = [op for op in graphs.ops if op not in (*_NO_OPERATION, rows.space.identity_op)]
    letter = np.array([0, *(names.index(op) + 1 if op in names else 0 for op in graphs.ops)])
    hops = type_codes(graphs)
    paths = _paths(hops.shape[1])
    live = np.stack([(hops[:, path[:-1], path[1:]] > 0).all(1) for path in paths], 1)
    words = _words(letter[hops], paths) * live[:, :, None]
    own = [op not in rows.space.shared for op in names]
    operations = letter[_on_live_paths(graphs, paths, live)]
    return np.concatenate([*_path_columns(words, live, len(names)), _count(operations, len(names)) * own], 1)


def _paths(nodes: int) -> list[tuple[int, ...]]:
    """Every increasing run of nodes from the first to the last."""
    between = range(1, nodes - 1)
    return [(0, *middle, nodes - 1) for k in range(nodes - 1) for middle in combinations(between, k)]


def _words(letters: Ints, paths: list[tuple[int, ...]]) -> Ints:
    """(n, paths, H) the letters 1 to A of each path in order, then zeros; from the letters (n, v, v) of edges."""
    words = np.zeros((len(letters), len(paths), letters.shape[1] - 1), dtype=np.int64)
    for p, path in enumerate(paths):
        words[:, p, : len(path) - 1] = letters[:, path[:-1], path[1:]]
    identities_last = np.argsort(words == 0, axis=2, kind="stable")
    return np.take_along_axis(words, identities_last, 2)


def _on_live_paths(graphs: Graphs, paths: list[tuple[int, ...]], live: Bools) -> Ints:
    """(n, ...) operation codes of the edges, or of the nodes where edges are plain; 0 off the live paths."""
    used = np.zeros(graphs.edge_op.shape, dtype=np.bool_)
    for p, path in enumerate(paths):
        used[:, path[:-1], path[1:]] |= live[:, [p]]
    plain = "" in graphs.ops
    return (graphs.node_op * used.any(1) if plain else graphs.edge_op * used).astype(np.int64)


def _path_columns(words: Ints, live: Bools, letters: int) -> list[Ints]:
    longest = words.shape[2]
    length = (words > 0).sum(2)
    times = np.stack([*((words == a).sum(2) for a in range(1, letters + 1)), length], 2)
    last = np.take_along_axis(words, np.maximum(length[:, :, None] - 1, 0), 2)
    pairs = np.where(words[:, :, 1:] > 0, (words[:, :, :-1] - 1) * letters + words[:, :, 1:], 0)
    alive = live.sum(1)[:, None]
    smallest = np.where(live[:, :, None], times, longest).min(1) * (alive > 0)
    return [
        *(((times == k) & live[:, :, None]).sum(1) for k in range(longest + 1)),
        *(_count(codes, letters) for codes in (words[:, :, 0], last, words)),
        _count(pairs, letters**2),
        _bags(times[:, :, :-1], live, longest),
        alive,
        times.max(1),
        smallest,
    ]


def _bags(times: Ints, live: Bools, longest: int) -> Ints:
    """(n, bags) live paths by their letters regardless of order; `times` is (n, paths, A) letter counts."""
    digit = (longest + 1) ** np.arange(times.shape[2])
    sizes = (combinations_with_replacement(digit.tolist(), k) for k in range(longest + 1))
    known = np.sort([sum(bag) for bag in islice(chain.from_iterable(sizes), _MOST_BAGS)])
    keys = times @ digit
    place = np.searchsorted(known[:-1], keys)
    return _count(np.where(live & (known[place] == keys), place + 1, 0), len(known))


def _count(codes: Ints, kinds: int) -> Ints:
    """(n, kinds) how often each of 1 to `kinds` occurs in a row of `codes`, (n, ...)."""
    n = len(codes)
    cells = codes.reshape(n, int(np.prod(codes.shape[1:]))) + (kinds + 1) * np.arange(n)[:, None]
    return np.bincount(cells.ravel(), minlength=n * (kinds + 1)).reshape(n, kinds + 1)[:, 1:]
