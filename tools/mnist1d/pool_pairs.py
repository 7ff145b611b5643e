"""Cells that differ only by where a sum is pooled: equal networks in real arithmetic, trained apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tierwise.benchmarks.mnist1d_cells import distinct
from tierwise.spaces.edges import edge_list, live_terms, term_keys
from tierwise.spaces.nasbench201 import OPS, NASBench201

DEPTHS = 4  # a signal is pooled three times at most
EDGES = edge_list(4)
# a term is the input or a convolution, pooled 0 to 3 times: pooled inputs, pooled and plain convolutions, the input
TERMS = DEPTHS - 1 + DEPTHS * len(EDGES) + 1
SKIP, POOL = OPS.index("skip_connect"), OPS.index("avg_pool_3x3")


def pairs() -> NDArray[np.int64]:
    """(pairs, 2) classes that are one network if a pool of a sum is the sum of pools."""
    keys = _keys(NASBench201().at(distinct()[1]).genes)
    order = np.argsort(keys, kind="stable")
    same = keys[order][1:] == keys[order][:-1]
    return np.sort(np.stack([order[:-1][same], order[1:][same]], axis=1), axis=1)


def _keys(genes: NDArray[np.int16]) -> NDArray[np.uint64]:
    value = np.zeros((len(genes), 4, TERMS), dtype=np.int64)
    source = np.zeros((len(genes), TERMS, TERMS), dtype=np.int64)
    code = np.full((len(genes), TERMS), POOL, dtype=np.uint64)
    code[:, -1] = len(OPS)  # the input
    value[:, 0, -1] = 1
    pooled = np.array([_pooled(term) for term in range(TERMS)])
    for term, after in enumerate(pooled):
        if after >= 0:
            source[:, after, term] = 1
    for gene, (i, j) in enumerate(EDGES):
        op, entering = genes[:, gene], value[:, i]
        there = entering.any(1)
        skipped = (op == SKIP) & there
        value[skipped, j] += entering[skipped]
        for term in np.flatnonzero(pooled >= 0):
            value[op == POOL, j, pooled[term]] += entering[op == POOL, term]
        convolved = np.flatnonzero((op != 0) & (op != SKIP) & (op != POOL) & there)
        own = DEPTHS - 1 + DEPTHS * gene
        code[convolved, own] = op[convolved]
        source[convolved, own] = entering[convolved]
        value[convolved, j, own] += 1
    return term_keys(code, value[:, -1], source, live_terms(value[:, -1], source))


def _pooled(term: int) -> int:
    """The term that is this one pooled once more, -1 where that is more often than can be."""
    if term == TERMS - 1:
        return 0
    last_of_its_kind = (term - (DEPTHS - 1)) % DEPTHS == DEPTHS - 1
    return -1 if last_of_its_kind else term + 1
