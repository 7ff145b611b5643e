"""The same as ``proxies_nasbench201.py`` for NAS-Bench-101, on the cells of ``nb101_zc500.parquet``.

That file repeats cells, some with other accuracies: means over the repeats are taken. Networks are large, so there are
fewer of them, and batches are smaller.

    python bench/proxies_nasbench101.py [cells]
"""

from __future__ import annotations

import sys

import numpy as np
from proxies_nasbench201 import SEED, Published
from stopwatch import DATA, one_thread

CELLS, BATCH = 37, 16


def published() -> Published:
    """All cells of the file, with their validation accuracy after 108 epochs."""
    from pyarrow import parquet

    from tierwise.spaces.nasbench101 import NASBench101

    table = parquet.read_table(DATA / "nb101_zc500.parquet")
    columns = {name: np.array(table[name].to_pylist()) for name in table.column_names}
    index, group = np.unique(columns.pop("space_index"), return_inverse=True)
    drawn = np.random.default_rng(SEED).permutation(len(index))
    means = {name: (np.bincount(group, column) / np.bincount(group))[drawn] for name, column in columns.items()}
    return Published(
        "proxies-nasbench101",
        NASBench101(),
        index[drawn].tolist(),
        means,
        means["val_accuracy"],
        "## NAS-Bench-101, CIFAR-10",
        "The same over {cells} random cells of the published file, with the validation accuracy that it gives, and "
        "batches of 16 random images. A network is built without dead operations in any case. Made by "
        "`bench/proxies_nasbench101.py`.",
        BATCH,
    )


if __name__ == "__main__":
    one_thread()
    published().compare(int(sys.argv[1]) if len(sys.argv) > 1 else CELLS)
