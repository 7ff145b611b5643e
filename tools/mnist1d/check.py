"""Checks the trainer and the table of the benchmark mnist1d, and prints every figure of docs/mnist1d.md.

python -m tools.mnist1d.check [--shards FOLDER] [--reference 30] [--card docs/mnist1d.md]
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tools.mnist1d import reference
from tools.mnist1d.engine import Engine, pruned
from tools.mnist1d.pool_pairs import pairs
from tools.mnist1d.protocol import batches, initial
from torch.nn.functional import cross_entropy

from tierwise.benchmarks.mnist1d import EPOCHS, EVERY_CLASS, FILE, accuracies, arrays, load
from tierwise.benchmarks.mnist1d_cells import DATA, DATA_SHA256, TEST, costs, distinct, signals
from tierwise.metrics import kendall_tau, spearman
from tierwise.spaces.nasbench201 import OPS, NASBench201

Column = NDArray[np.float64]
TIERS, DRAW = 5, 0


def main() -> None:
    """Every part that was asked for, printed and, with --card, written into the page."""
    parser = argparse.ArgumentParser(description="Check the benchmark mnist1d.")
    parser.add_argument("--shards", type=Path, help="where the compiled trainer is kept: checks the trainer")
    parser.add_argument("--reference", type=int, default=0, help="networks to train in PyTorch, ten seconds each")
    parser.add_argument("--card", type=Path, help="the page whose figures are brought up to date")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    parts: dict[str, Callable[[], Iterator[str]]] = {part.__name__: part for part in TABLE}
    if arguments.shards:
        parts["trainer"] = lambda: trainer(Engine(arguments.shards))
    if arguments.reference:
        parts["references"] = lambda: references(arguments.reference)
    for name, part in parts.items():
        print(f"\n{name}")
        lines: list[str] = []
        for line in part():
            print(f"  {line}", flush=True)
            lines.append(f"{line}\n")
        if arguments.card:
            _write(arguments.card, name, "".join(lines))


def _write(card: Path, name: str, lines: str) -> None:
    """Replaces what stands between the marks of one part."""
    begin, end = f"<!-- check {name} -->\n", "<!-- end -->"
    before, mark, after = card.read_text().partition(begin)
    if not mark:
        raise SystemExit(f"{card} has no line {begin.strip()}")
    part = card.with_suffix(".part")
    part.write_text(f"{before}{begin}```text\n{lines}```\n{end}{after.partition(end)[2]}")
    part.replace(card)


def files() -> Iterator[str]:
    """Files and checksums."""
    for path in (FILE, DATA):
        yield f"{path.name}: {path.stat().st_size:,} bytes, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}"
    yield f"x and y: sha256 {DATA_SHA256}"
    for made_with in json.loads(str(arrays()["made_with"])):
        yield ", ".join(f"{name} {value}" for name, value in made_with.items())


def counts() -> Iterator[str]:
    """What is trained, and how good it is."""
    val, seconds = accuracies(arrays(), EPOCHS[-1]), arrays()["seconds"].astype(np.float64)
    yield f"{len(val):,} classes; trained by seed: {np.isfinite(val).sum(0).tolist()}"
    yield f"seconds of a training: mean {np.nanmean(seconds):.3f}, all trainings {np.nansum(seconds) / 3600:.2f} h"
    table = load()
    cell = _rows(table.space.enumerate())
    test = table.truth["test_accuracy"]
    yield f"cells with a result: {len(test):,} of {len(distinct()[0]):,}, in {np.unique(cell).size:,} classes"
    for name, column in (("validation", table.metrics["accuracy"]), ("test", test)):
        yield f"{name} accuracy of cells: {_quartiles(column)}; of classes: {_quartiles(_of_classes(column, cell))}"
    for k, name in enumerate(("FLOPs", "parameters")):
        by_class, by_cell = (costs(NASBench201().at(rows))[:, k] for rows in (distinct()[1], np.arange(15_625)))
        ends = f"{by_class.min():,} to {by_class.max():,}"
        yield f"{name}: {ends}, mean of classes {by_class.mean():,.0f}, of cells {by_cell.mean():,.0f}"


def seeds_agree() -> Iterator[str]:
    """How far two seeds agree; every class counts once, but where cells are named."""
    val, test = accuracies(arrays(), EPOCHS[-1]), _test()
    found: list[float] = []
    for a, b in itertools.combinations(range(EVERY_CLASS), 2):
        both = np.flatnonzero(np.isfinite(val[:, [a, b]]).all(1))
        if len(both) < 100:
            yield f"seeds {a} and {b}: {len(both)} classes have both, too few"
            continue
        of_cells = distinct()[0][np.isin(distinct()[0], both)]
        cells = f"of cells {spearman(*val[of_cells][:, [a, b]].T):.3f}"
        yield f"seeds {a} and {b}, {len(both):,} classes: " + ", ".join(
            [*_agreement(val[both], test[both], a, b), cells]
        )
        found.append(spearman(*val[both][:, [a, b]].T))
    if found:
        mean, many = np.mean(found), EVERY_CLASS
        whole = many * mean / (1 + (many - 1) * mean)  # Spearman-Brown
        yield f"the mean of {many} seeds would agree with that of {many} others to {whole:.3f} (validation, Spearman)"
    yield from _rank_bands(val)


def _agreement(val: Column, test: Column, a: int, b: int) -> Iterator[str]:
    for name, column in (("validation", val), ("test", test)):
        x, y = column[:, a], column[:, b]
        yield f"{name} Spearman {spearman(x, y):.3f}, Kendall {kendall_tau(x, y):.3f}"
    both = val[:, [a, b]]
    for name, quantile in (("top half", 0.5), ("top quarter", 0.75)):
        kept = both.mean(1) >= np.quantile(both.mean(1), quantile)
        yield f"{name} {spearman(*both[kept].T):.3f}"
    first, second = (np.searchsorted(np.quantile(c, np.arange(1, TIERS) / TIERS), c, side="right") for c in both.T)
    apart = np.abs(first - second)
    yield f"tier of five equal {(apart == 0).mean():.1%}, within one {(apart <= 1).mean():.1%}"
    yield f"validation against test of one seed {spearman(val[:, a], test[:, a]):.3f}"


def _rank_bands(val: Column) -> Iterator[str]:
    """Standard deviation of one training's accuracy, in bands of the first seeds' mean."""
    first = val[:, :EVERY_CLASS]
    full = np.isfinite(first).all(1)
    if full.sum() < 100:
        return
    rank = np.argsort(np.argsort(-first[full].mean(1))) / full.sum()
    for low, high in ((0, 0.1), (0.1, 0.25), (0.25, 0.5), (0.5, 1)):
        band = first[full][(rank >= low) & (rank < high)]
        noise = np.sqrt(band.var(1, ddof=1).mean())
        yield f"ranks {low:.0%} to {high:.0%}: validation {band.mean():.2f}, of one training ± {noise:.2f}"


def pool_pairs_agree() -> Iterator[str]:
    """Whether equal networks that were trained apart differ as two seeds do."""
    val, found = accuracies(arrays(), EPOCHS[-1]), pairs()
    apart = (val[found[:, 0]] - val[found[:, 1]])[:, :EVERY_CLASS]
    yield f"{len(found)} pairs; the two of a pair under one seed differ by {_spread(apart)}"
    members = val[np.unique(found)][:, :EVERY_CLASS]
    two = itertools.combinations(range(EVERY_CLASS), 2)
    seeds = np.stack([members[:, a] - members[:, b] for a, b in two], axis=1)
    yield f"the same classes under two seeds differ by {_spread(seeds)}"


def _spread(differences: Column) -> str:
    known = differences[np.isfinite(differences)]
    if not len(known):
        return "nothing yet: not trained"
    size = np.abs(known)
    return (
        f"{size.mean():.2f} points on average, median {np.median(size):.2f}, mean {known.mean():+.2f} (n={len(known)})"
    )


def early_epochs() -> Iterator[str]:
    """What fewer epochs tell."""
    table = load()
    cell = _rows(table.space.enumerate())
    test = _of_classes(table.truth["test_accuracy"], cell)
    for epochs in EPOCHS:
        early = _of_classes(load(label=f"validation@{epochs}").metrics["accuracy"], cell)
        yield f"epoch {epochs}: median {np.median(early):.1f}, Spearman with the final test {spearman(early, test):.3f}"


def known_beforehand() -> Iterator[str]:
    """Spearman of what needs no training with the test accuracy."""
    table = load()
    cell, test = _rows(table.space.enumerate()), table.truth["test_accuracy"]
    for name, column in table.known_columns.items():
        column = np.asarray(column, dtype=np.float64)
        by_class = spearman(_of_classes(column, cell), _of_classes(test, cell))
        by_cell = spearman(column, test)
        yield f"{name}: Spearman with the test accuracy {by_cell:.3f} of cells, {by_class:.3f} of classes"


def trainer(engine: Engine) -> Iterator[str]:
    """The trainer against finite differences, and against PyTorch in double precision."""
    rng, x = np.random.default_rng(DRAW), torch.from_numpy(signals()[0]).double()
    y, rows = torch.from_numpy(signals()[1]).long(), batches(0)[0, 0]
    for class_id in rng.choice(len(distinct()[1]), 5, replace=False).tolist():
        ops = pruned(NASBench201().at(distinct()[1][[class_id]]).genes)[0]
        names = [OPS[op] for op in ops]
        values = initial(names, 0, class_id)
        loss, gradient = engine.gradient(ops, values, rows)
        made = reference.network(names, 0, class_id).double()
        exact = cross_entropy(made(x[torch.from_numpy(rows).long()]), y[torch.from_numpy(rows).long()])
        exact.backward()
        theirs = np.concatenate([p.grad.numpy().ravel() for p in made.parameters() if p.grad is not None])
        norm = np.linalg.norm(theirs)
        yield (
            f"class {class_id}: loss differs by {abs(loss - exact.item()):.1e}, "
            f"gradient by {np.linalg.norm(theirs - gradient) / norm:.1e} of its norm; "
            f"finite differences along 200 directions correlate {_finite_differences(engine, ops, values, rows):.4f}"
        )


def _finite_differences(
    engine: Engine, ops: NDArray[np.int8], values: NDArray[np.float32], rows: NDArray[np.int32]
) -> float:
    rng, step, gradient = np.random.default_rng(DRAW), np.float32(0.01), engine.gradient(ops, values, rows)[1]
    found: list[tuple[float, float]] = []
    for _ in range(200):
        way = rng.normal(size=len(values)).astype(np.float32)
        way *= step / np.linalg.norm(way)
        rise = engine.gradient(ops, values + way, rows)[0] - engine.gradient(ops, values - way, rows)[0]
        found.append((rise, float(way @ gradient)))
    return float(np.corrcoef(np.array(found).T)[0, 1])


def references(many: int) -> Iterator[str]:
    """Networks trained in PyTorch with seed 0 against the table."""
    val, test = accuracies(arrays(), EPOCHS[-1]), _test()
    trained = np.flatnonzero(np.isfinite(val[:, 0]))
    chosen = np.sort(np.random.default_rng(DRAW).choice(trained, many, replace=False))
    found: list[tuple[float, float]] = []
    for class_id in chosen.tolist():
        ops = [OPS[op] for op in pruned(NASBench201().at(distinct()[1][[class_id]]).genes)[0]]
        made = reference.network(ops, 0, class_id)
        for _ in reference.train(made, 0):
            pass
        found.append(reference.accuracies(made))
    theirs = np.array(found).T
    for name, ours, torch_s in zip(("validation", "test"), (val, test), theirs, strict=True):
        one, mean = ours[chosen, 0], np.nanmean(ours[chosen, :EVERY_CLASS], axis=1)
        yield (
            f"{name}, {many} classes: PyTorch less table (seed 0) {(torch_s - one).mean():+.2f} points on average, "
            f"absolute {np.abs(torch_s - one).mean():.2f}; Spearman with the table's mean {spearman(torch_s, mean):.3f}"
        )


def _test() -> Column:
    hits = arrays()["test_hits"].astype(np.float64)
    return np.where(np.isfinite(accuracies(arrays(), EPOCHS[-1])), hits * 100 / TEST, np.nan)


def _rows(archs: object) -> NDArray[np.int64]:
    """(n,) class of each cell."""
    return distinct()[0][NASBench201().index(archs)]  # type: ignore[arg-type]


def _of_classes(column: Column, cell: NDArray[np.int64]) -> Column:
    """Each class once."""
    return column[np.unique(cell, return_index=True)[1]]


def _quartiles(column: Column) -> str:
    least, low, middle, high, most = np.quantile(column, [0, 0.25, 0.5, 0.75, 1])
    return f"{least:.2f} to {most:.2f}, quartiles {low:.2f} {middle:.2f} {high:.2f}"


TABLE = (files, counts, seeds_agree, pool_pairs_agree, early_epochs, known_beforehand)

if __name__ == "__main__":
    main()
