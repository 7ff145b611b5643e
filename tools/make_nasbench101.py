"""Makes src/tierwise/spaces/nasbench101.npz: the cells of NAS-Bench-101, enumerated again by its published algorithm.

    python -m tools.make_nasbench101 [FILE]        about one minute, from the root of the repository

Every DAG of 2 to 7 vertices and at most 9 edges in which each vertex is on a way from input to output, with every
labelling, in the order of vertices, adjacency bits, labels; the first of each isomorphism class stands for it. Rows are
sorted by the benchmark's MD5 hash: its official order. Ying et al., "NAS-Bench-101: Towards Reproducible Neural
Architecture Search" (2019).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tools.packed import save

from tierwise.spaces import nasbench101_graphs as graphs

OUT = Path(__file__).parents[1] / "src" / "tierwise" / "spaces" / "nasbench101.npz"
LABELS = 3


def labelled_graphs(vertices: int) -> NDArray[np.uint32]:
    """Words (see ``from_words``) of all labelled graphs with that many vertices, in enumeration order."""
    adjacency = full_dags(vertices).astype(np.uint32) | np.uint32(vertices << 21)
    labels = np.arange(LABELS ** (vertices - 2), dtype=np.uint32) << np.uint32(24)
    return (adjacency[:, None] | labels).ravel()


def full_dags(vertices: int) -> NDArray[np.int64]:
    """Adjacency bits, at most nine: every vertex is entered (but the input) and left (but the output)."""
    bits = np.arange(2 ** (vertices * (vertices - 1) // 2))
    into = [bits >> (y * (y - 1) // 2) & (1 << y) - 1 for y in range(1, vertices)]
    sources = np.bitwise_or.reduce(into)  # all vertices that are left
    edges = sum(bits >> k & 1 for k in range(vertices * (vertices - 1) // 2))
    full = (sources == (1 << vertices - 1) - 1) & np.all([mask > 0 for mask in into], axis=0)
    return bits[full & (edges <= graphs.MOST_EDGES)]


def representatives() -> NDArray[np.uint32]:
    """Words of the first labelled graph of every class, in enumeration order."""
    words = np.concatenate([labelled_graphs(v) for v in range(2, graphs.VERTICES + 1)])
    _, first = np.unique(graphs.isomorphism_keys(*graphs.from_words(words)), return_index=True)
    return words[np.sort(first)]


def main() -> None:
    """Enumerate, hash, sort, write."""
    parser = argparse.ArgumentParser(description="Write the cells of NAS-Bench-101 in their official order.")
    parser.add_argument("file", type=Path, nargs="?", default=OUT)
    words = representatives()
    hashes = np.array(graphs.fingerprints(*graphs.from_words(words)))
    save(parser.parse_args().file, {"words": words[np.argsort(hashes)]})


if __name__ == "__main__":
    main()
