"""Zero-cost proxies of real networks of NAS-Bench-201, against published ones and against the accuracy on CIFAR-10.

Reads ``nb201_zc13_subset.parquet`` (13 proxies of NAS-Bench-Suite-Zero, computed on CIFAR-10; those of one source, as
two are not to be pooled) and ``nb201.npz``. Here images are normal random numbers and labels are random.

Each cell is measured twice: as it is drawn, as the published proxies were, and as the smallest equal network, as
tierwise does. What is done is kept in ``results/proxies-nasbench201.json``: stopped at any time, it goes on when run
again.

    python bench/proxies_nasbench201.py [cells]
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from stopwatch import DATA, HERE, markdown, one_thread

from tierwise.architecture import Architectures
from tierwise.distinct_networks import distinct
from tierwise.harness.agreement import FIGURES, agreement
from tierwise.harness.report import put_section
from tierwise.harness.run import environment
from tierwise.metrics import spearman
from tierwise.space import Space

CELLS, SEED, SOURCE = 200, 0, "archvizd3"
PAGE = HERE.parent / "docs" / "proxies.md"
BOTH = ("drawn", "distinct")
FLOPS, PARAMS, SMALLEST = "FLOPs", "parameters", "FLOPs of the smallest equal cell"
# what columns are called in the published files
ELSEWHERE = {"naswot": "nwot", "jacob_cov": "jacov", FLOPS: "flops", PARAMS: "params"}


@dataclass(frozen=True)
class Published:
    """Cells in a random order, the published columns (n,) of each and their accuracies (n,); title, note: of the page.

    name: of the results. batch: random images that a pass reads.
    """

    name: str
    space: Space
    index: list[int]
    columns: dict[str, Any]
    accuracy: Any
    title: str
    note: str
    batch: int = 32

    def compare(self, cells: int) -> None:
        """Measure what is missing of the first cells, and write the section of the page."""
        wanted, path = self.index[:cells], HERE / "results" / f"{self.name}.json"
        kept: dict[str, Any] = json.loads(path.read_text())["cells"] if path.is_file() else {}
        for done, index in enumerate(wanted, start=1):
            if str(index) not in kept:
                kept[str(index)] = self._measured(index)
                self._keep(kept, path)
                print(f"{done} of {len(wanted)} cells", file=sys.stderr)
        self._keep(kept, path)
        text = "\n\n".join([self.title, self.note.format(cells=len(wanted)), self._table(kept, wanted)])
        PAGE.write_text(put_section(PAGE.read_text(), self.name, text))
        print(text)

    def _keep(self, kept: dict[str, Any], path: Path) -> None:
        head = {"benchmark": self.name, "environment": environment(HERE), "seed": SEED, "batch": self.batch}
        part = path.with_name(path.name + ".part")
        part.write_text(json.dumps({**head, "cells": kept}, indent=1) + "\n")
        part.replace(path)

    def _measured(self, index: int) -> dict[str, dict[str, float]]:
        """Every installed proxy of a cell as drawn, and of the smallest equal network."""
        from tierwise import zero_cost
        from tierwise.networks.passes import reproducible

        names, cell, found = zero_cost.installed(), self.space.at([index]), {}
        for kind, rows in zip(BOTH, (cell, distinct(cell)), strict=True):
            if kind == "drawn" or rows[0] != cell[0]:
                with reproducible(index):
                    network = self.space.build(rows[0], classes=10, shape=(3, 32, 32))
                columns = zero_cost.measure([network], names, seed=SEED, batch=self.batch)
                found[kind] = {name: float(column[0]) for name, column in columns.items()}
        return {"distinct": found["drawn"], **found}

    def _table(self, kept: dict[str, Any], wanted: list[int]) -> str:
        """A row for each proxy: agreement with the published column, then with the accuracy."""
        from tierwise import zero_cost

        names, archs = zero_cost.installed(), self.space.at(wanted)
        found = {kind: {n: np.array([kept[str(k)][kind][n] for k in wanted]) for n in names} for kind in BOTH}
        scores, costs = found["distinct"], self._costs(archs)
        scores["az_nas"] = zero_cost.az_nas(*(scores[name] for name in zero_cost.AZ_NAS), costs[SMALLEST])
        rows: list[list[str]] = []
        for name, score in {**scores, **costs}.items():
            other = self.columns.get(ELSEWHERE.get(name, name), np.full(len(wanted), np.nan))[: len(wanted)]
            known = [spearman(found[kind].get(name, score), other) for kind in BOTH]
            values = agreement(score, self.accuracy[: len(wanted)], costs[FLOPS]).values()
            cells = (f"{value:.3f}" if np.isfinite(value) else "–" for value in (*known, *values))
            rows.append([name if name in costs else f"`{name}`", *cells])
        return markdown(["", "published, as drawn", "published, smallest", *FIGURES], rows)

    def _costs(self, archs: Architectures) -> dict[str, Any]:
        flops, params = self.space.totals(archs).T
        return {FLOPS: flops, PARAMS: params, SMALLEST: self.space.totals(distinct(archs))[:, 0]}


def published() -> Published:
    """Of one source on CIFAR-10, with the test accuracy after 200 epochs."""
    from pyarrow import parquet

    from tierwise.spaces.nasbench201 import NASBench201

    table = parquet.read_table(DATA / "nb201_zc13_subset.parquet")
    columns = {name: np.array(table[name].to_pylist()) for name in table.column_names}
    rows = np.flatnonzero((columns["dataset"] == "c10") & (columns["src"] == SOURCE))
    drawn = np.random.default_rng(SEED).permutation(rows)
    index = columns["space_index"][drawn]
    with np.load(DATA / "nb201.npz", allow_pickle=False) as arrays:
        accuracy = arrays["c10_test200_mean"][index]
    return Published(
        "proxies-nasbench201",
        NASBench201(),
        index.tolist(),
        {name: column[drawn] for name, column in columns.items()},
        accuracy,
        "## NAS-Bench-201, CIFAR-10",
        "Spearman's rank correlation over {cells} random cells: with the published column, of the networks as drawn "
        "and of the smallest equal ones; and of the latter with the test accuracy after 200 epochs. Made by "
        "`bench/proxies_nasbench201.py`.",
    )


if __name__ == "__main__":
    one_thread()
    published().compare(int(sys.argv[1]) if len(sys.argv) > 1 else CELLS)
