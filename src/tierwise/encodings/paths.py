"""What lies on the live paths of a cell: columns that stay the same where the network stays the same."""

from __future__ import annotations

import math
import threading
from itertools import chain, combinations_with_replacement, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures, Archs, Genes, Graphs
from tierwise.encoding import Encoding, batch
from tierwise.encodings.cost_tensor import type_codes
from tierwise.errors import BadSetting
from tierwise.space import Space, mix

_ROWS = 16_384  # whose graphs are looked at together
_RUNS = 2**21  # hops of all paths of all rows, at a time: some dozens of MB
_MOST_PATHS = 4_096  # of all rows that are looked at together
_MOST_ALIKE = 256  # of rows that are wired alike, where all together have more
_MOST_PAIRS = 64  # letters; of more, pairs are not counted
_MOST_BAGS = 512
_FEW_KINDS = 16  # up to here one comparison a kind is faster than counting by place
_LAST = threading.local()  # the last batch of each thread: several encodings read the same counts
_NO_OPERATION = ("", "input", "sum", "output")

Ints = NDArray[np.integer[Any]]
Bools = NDArray[np.bool_]


class LivePaths(Encoding):
    """Counts over the paths from a cell's first node to its last that no missing operation cuts.

    The word of such a live path is its operations in order, without identities. With A operations and words
    of at most H letters the float32 columns of a row count

    * paths by how often each operation occurs, A(H + 1), and by word length, H + 1;
    * paths by first and by last letter, 2A; letters, A; pairs of neighbouring letters, A², up to 64 letters;
    * paths by their letters regardless of order: one column a bag of letters, at most the 512 shortest bags;
    * all paths, and the largest and smallest count of each operation and of all letters on a path, 2A + 3;
    * each operation on any live path, A: shared by several paths it counts once. Always 0 for the space's
      weightless ``shared`` operations, because one and the same network may hold one or several of them.

    So networks that are equal by the rules of ``Edges.canonical`` have equal rows.
    Raises BadSetting where there are more than 4,096 different paths: of rows that are wired alike, or, where
    differently wired ones have more together, 256 of rows that are wired alike.

    From: White et al., "BANANAS: Bayesian Optimization with Neural Architectures for Neural Architecture
    Search" (2021), which has one column a path. Leaving out identities and counting parts of words is ours.

    >>> from tierwise.spaces.nasbench201 import NASBench201
    >>> LivePaths().transform(NASBench201().at([0, 6111])).shape
    (2, 66)
    """

    def transform(self, archs: Archs) -> NDArray[np.float32]:
        """The columns, (n, d)."""
        rows = batch(archs)
        seen: tuple[Space, Genes, NDArray[np.float32]] | None = getattr(_LAST, "batch", None)
        if seen and seen[0] == rows.space and np.array_equal(seen[1], rows.genes):
            return seen[2].copy()
        found = np.concatenate([_columns(rows[:0]), *(_columns(part) for part in rows.chunks(_ROWS))])
        _LAST.batch = (rows.space, rows.genes, found.copy()) if len(rows) <= _ROWS else None
        return found

    def feature_names(self, space: Space) -> list[str]:
        """What is counted in each column."""
        graphs = space.graphs(space.sample(1, np.random.default_rng(0)))
        return _names(_letters(graphs.ops, space), graphs.node_op.shape[1] - 1)

    def groups(self, space: Space) -> NDArray[np.int64]:
        """(d,) columns of one kind: counts of paths, neighbours and ends of words, letters and extremes, bags."""
        graphs = space.graphs(space.sample(1, np.random.default_rng(0)))
        letters, longest = len(_letters(graphs.ops, space)), graphs.node_op.shape[1] - 1
        pairs = letters**2 if letters <= _MOST_PAIRS else 0
        sizes = [(longest + 1) * (letters + 1), 2 * letters, letters, pairs]
        bags = len(self.feature_names(space)) - sum(sizes) - (3 * letters + 3)
        return np.repeat([0, 1, 2, 1, 3, 2], [*sizes, bags, 3 * letters + 3])


def _columns(rows: Architectures, limit: int = _MOST_PATHS) -> NDArray[np.float32]:
    """The columns of some rows. Inside, rows are the last axis and numbers are small: that is what makes it fast."""
    graphs = rows.space.graphs(rows)
    names = _letters(graphs.ops, rows.space)
    letter = np.array([0, *(names.index(op) + 1 if op in names else 0 for op in graphs.ops)], dtype=np.int16)
    hops = np.ascontiguousarray(np.moveaxis(type_codes(graphs), 0, 2))  # (v, v, n)
    paths = _paths(np.asarray((hops > 0).any(2)), limit)
    if not paths:
        wired = np.packbits((hops > 0).reshape(-1, len(rows)), axis=0).T
        kinds, kind = np.unique(wired, axis=0, return_inverse=True)
        if len(kinds) < 2 or limit == _MOST_ALIKE:
            raise BadSetting("paths through a cell", f"over {limit}", f"at most {limit} where they are counted")
        alike = np.argsort(kind.ravel(), kind="stable")  # rows that are wired differently have many paths between them
        parts = np.split(alike, np.cumsum(np.bincount(kind.ravel()))[:-1])
        columns = np.concatenate([_columns(rows[part], _MOST_ALIKE) for part in parts])
        return columns[np.argsort(alike, kind="stable")]
    most = _RUNS // (len(paths) * len(hops)) + 1
    if len(rows) > most:
        return np.concatenate([_columns(rows[start : start + most], limit) for start in range(0, len(rows), most)])
    live = np.stack([(hops[path[:-1], path[1:]] > 0).all(0) for path in paths])
    words = _words(letter[hops], paths) * live
    own = np.array([op not in rows.space.shared for op in names], dtype=np.bool_)
    operations = letter[_on_live_paths(graphs, paths, live)]
    columns = [*_path_columns(words, live, len(names)), _count(operations, len(names)) * own[:, None]]
    return np.concatenate([part.astype(np.float32) for part in columns]).T


def _paths(hop: Bools, most: int) -> list[tuple[int, ...]]:
    """Every way from the first node to the last over the hops (v, v) that any row has; at least the direct one.

    None at all where there are more than `most`.
    """
    last = len(hop) - 1
    found: list[tuple[int, ...]] = []
    begun: list[tuple[int, ...]] = [(0,)]
    while begun:
        path = begun.pop()
        for node in np.flatnonzero(hop[path[-1]]).tolist():
            (found if node == last else begun).append((*path, node))
        if len(found) + len(begun) > most:
            return []
    return found or [(0, last)]


def _words(letters: Ints, paths: list[tuple[int, ...]]) -> Ints:
    """(H, paths, n) the letters 1 to A of each path in order, then zeros; from the letters (v, v, n) of edges."""
    longest = len(letters) - 1
    words = np.zeros((longest, len(paths), letters.shape[2]), dtype=letters.dtype)
    for p, path in enumerate(paths):
        words[: len(path) - 1, p] = letters[path[:-1], path[1:]]
    for end in range(longest - 1, 0, -1):  # identities are letter 0: they move to the end
        for k in range(end):
            gap = words[k] == 0
            words[k] += words[k + 1] * gap
            words[k + 1] *= ~gap
    return words


def _on_live_paths(graphs: Graphs, paths: list[tuple[int, ...]], live: Bools) -> Ints:
    """(..., n) operation codes of the edges and of the nodes that they lead to; 0 off the live paths."""
    n, nodes = graphs.node_op.shape
    used = np.zeros((nodes, nodes, n), dtype=np.bool_)
    for p, path in enumerate(paths):
        used[path[:-1], path[1:]] |= live[p]
    edges = (np.moveaxis(graphs.edge_op, 0, 2) * used).reshape(nodes * nodes, n)
    return np.concatenate([edges, graphs.node_op.T * used.any(0)])


def _path_columns(words: Ints, live: Bools, letters: int) -> list[Ints]:
    """Columns (..., n) of the words (H, paths, n) of live paths, all 0 on the others."""
    longest = len(words)
    times = np.stack(
        [*((words == a).sum(0, dtype=np.int16) for a in range(1, letters + 1)), (words > 0).sum(0, dtype=np.int16)]
    )
    last = words[0]
    for following in words[1:]:
        last = np.where(following > 0, following, last)
    pairs = letters**2 if letters <= _MOST_PAIRS else 0
    pair = np.where(words[1:] > 0, (words[:-1].astype(np.int32) - 1) * letters + words[1:], 0)
    alive = live.sum(0)[None]
    smallest = np.where(live, times, longest).min(1) * (alive > 0)
    return [
        *(((times == k) & live).sum(1) for k in range(longest + 1)),
        *(_count(codes, letters) for codes in (words[0], last, words)),
        _count(pair, pairs),
        _bags(times[:-1], live, longest),
        alive,
        times.max(1),
        smallest,
    ]


def _bags(times: Ints, live: Bools, longest: int) -> Ints:
    """(bags, n) live paths by their letters regardless of order; `times` is (A, paths, n) letter counts."""
    digit = _digits(len(times), longest)
    sizes = (combinations_with_replacement(digit, k) for k in range(longest + 1))
    known = np.sort([np.sum(bag, dtype=np.uint64) for bag in islice(chain.from_iterable(sizes), _MOST_BAGS)])
    keys = np.zeros(live.shape, dtype=np.uint64)
    for count, value in zip(times, digit, strict=True):
        keys += count.astype(np.uint64) * value
    place = np.searchsorted(known[:-1], keys)
    return _count(np.where(live & (known[place] == keys), place + 1, 0), len(known))


def _count(codes: Ints, kinds: int) -> Ints:
    """(kinds, n) how often each of 1 to `kinds` occurs in a column of `codes`, (..., n)."""
    n = codes.shape[-1]
    flat = codes.reshape(int(np.prod(codes.shape[:-1])), n)
    if kinds <= _FEW_KINDS:
        return np.array(
            [(flat == kind).sum(0, dtype=np.int32) for kind in range(1, kinds + 1)], dtype=np.int32
        ).reshape(kinds, n)
    cells = flat + (kinds + 1) * np.arange(n)
    return np.bincount(cells.ravel(), minlength=n * (kinds + 1)).reshape(n, kinds + 1)[:, 1:].T


def _letters(ops: tuple[str, ...], space: Space) -> list[str]:
    """The operations that are letters of words."""
    return [op for op in ops if op not in (*_NO_OPERATION, space.identity_op)]


def _names(letters: list[str], longest: int) -> list[str]:
    """What each of the columns of `_path_columns`, and each operation on live paths, counts."""
    counted = [*letters, "operations"]
    first, last = ([f"paths that {verb} with {op}" for op in letters] for verb in ("begin", "end"))
    pairs = [f"{a} followed by {b}" for a in letters for b in letters] if len(letters) <= _MOST_PAIRS else []
    return [
        *(_times(k, op) for k in range(longest + 1) for op in counted),
        *first,
        *last,
        *(f"{op} over all paths" for op in letters),
        *pairs,
        *(f"paths of exactly {bag}" for bag in _bag_names(letters, longest)),
        "live paths",
        *(f"{most} {op} on a path" for most in ("most", "fewest") for op in counted),
        *(f"{op} in the network" for op in letters),
    ]


def _times(k: int, op: str) -> str:
    return f"paths with {k} {'operation' if op == 'operations' and k == 1 else op}" if k else f"paths without {op}"


def _bag_names(letters: list[str], longest: int) -> list[str]:
    """The bags in the order of their columns."""
    sizes = (combinations_with_replacement(range(len(letters)), k) for k in range(longest + 1))
    bags = list(islice(chain.from_iterable(sizes), _MOST_BAGS))
    digit = _digits(len(letters), longest)
    order = np.argsort([np.sum(digit[list(bag)], dtype=np.uint64) for bag in bags], kind="stable")
    words = [" + ".join(f"{bag.count(a)} {letters[a]}" for a in sorted(set(bag))) for bag in bags]
    return [words[k] or "no operation" for k in order]


def _digits(letters: int, longest: int) -> NDArray[np.uint64]:
    """(letters,) what a letter counts in the key of a bag: exact place values where they fit, else scattered ones."""
    if letters * math.log2(longest + 1) < 62:
        return np.array([(longest + 1) ** a for a in range(letters)], dtype=np.uint64)
    return mix(np.arange(letters, dtype=np.uint64))
