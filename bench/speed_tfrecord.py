"""Reading and converting NAS-Bench-101 records, against the package ``tfrecord`` with protobuf, in one run.

The file has three records for each of many real cells, in the official format; the accuracies of the labelled cells are
real, those of the others are theirs over again. Both sides read the same file, and both results are compared.
Figures are CPU seconds, the best of several turns; the sides take turns.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from stopwatch import DATA, markdown, publish

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.importers import nasbench101_files as files

from tierwise.importers import nasbench101_records, tfrecord
from tierwise.importers.convert import add
from tierwise.spaces.nasbench101 import NASBench101

ONLY108, FULL = 423_624 * 3, 423_624 * 12
Result = tuple[list[str], np.ndarray, np.ndarray]  # hashes, (n, 8) figures, parameters
Graph = tuple[np.ndarray, list[str]]  # adjacency, operations


def make(path: Path, cells: int) -> int:
    """Write the file; the number of its records."""
    real = files.nb101()
    rows = np.sort(np.random.default_rng(0).choice(len(real["bits"]), cells, replace=False))
    space = NASBench101()
    hashes = space.hashes(space.at(rows))
    labelled = len(real["labelled_val108"])
    with path.open("wb") as file:
        for k, (row, digest) in enumerate(zip(rows.tolist(), hashes, strict=True)):
            adjacency, ops = files.cell(row)
            text = "".join(map(str, adjacency.ravel().tolist()))
            operations = ",".join(["input", *(files.NAMES[op] for op in ops), "output"])
            accuracy = float(real["labelled_val108"][k % labelled])
            seconds = float(real["labelled_train_time108"][k % labelled])
            for repeat in range(3):
                best = max(0.0, accuracy - 0.004 * repeat)
                final = (seconds + repeat, min(1.0, best + 0.03), best, max(0.0, best - 0.006))
                half = (seconds / 2, best * 0.9, best * 0.85, best * 0.84)
                params = int(real["params"][row])
                training = files.Training(row, digest, 108, text, operations, params, half, final)
                file.write(files.framed(training.record()))
    return 3 * cells


def by_packages(path: Path) -> Result:
    """The plain way: the package's iterator, JSON, base64 and protobuf, one record after the other."""
    return read_by_packages(path)[0]


def read_by_packages(path: Path) -> tuple[Result, list[Graph]]:
    """The same with the graphs of the records."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tfrecord.reader import tfrecord_iterator
    message = files.message_class()
    hashes: list[str] = []
    figures: list[list[float]] = []
    params: list[int] = []
    graphs: list[Graph] = []
    for data in tfrecord_iterator(str(path)):
        digest, _, adjacency, operations, raw = json.loads(bytes(data))
        metrics = message.FromString(base64.b64decode(raw))
        side = int(np.sqrt(len(adjacency)))
        graphs.append((np.array([int(bit) for bit in adjacency], np.int8).reshape(side, side), operations.split(",")))
        half, final = metrics.evaluation_data[1], metrics.evaluation_data[2]
        figures.append(
            [
                value
                for step in (half, final)
                for value in (step.training_time, step.train_accuracy, step.validation_accuracy, step.test_accuracy)
            ]
        )
        hashes.append(digest)
        params.append(metrics.trainable_parameters)
    return (hashes, np.array(figures), np.array(params)), graphs


def frames_by_package(path: Path) -> int:
    """Framing alone, which the package does without looking at the checksums."""
    from tfrecord.reader import tfrecord_iterator

    return sum(len(data) for data in tfrecord_iterator(str(path)))


def by_tierwise(path: Path) -> Result:
    """Records to arrays, every checksum compared."""
    runs = []
    number = 0
    for batch in tfrecord.batches(path, 0, 0):
        runs.append(nasbench101_records.read(path, batch, number))
        number += len(batch.start)
    keys = np.concatenate([run.key for run in runs])
    return (
        [f"{key:016x}" for key in keys.tolist()],
        np.concatenate([run.figures for run in runs]),
        np.concatenate([run.params for run in runs]),
    )


def frames_by_tierwise(path: Path) -> int:
    """Framing alone, with checksums."""
    return sum(int((batch.end - batch.start).sum()) for batch in tfrecord.batches(path, 0, 0))


def convert(path: Path) -> None:
    """The whole of ``tierwise bench add``: checksums, rows of the space, shards, the table."""
    with tempfile.TemporaryDirectory() as folder:
        add([path], folder=Path(folder))


def convert_by_packages(path: Path) -> None:
    """The same table in the plain way: checksum of the file, rows by our own look-up in batches, one Parquet file."""
    with path.open("rb") as file:
        hashlib.file_digest(file, "sha256").hexdigest()
    (hashes, figures, params), graphs = read_by_packages(path)
    first: dict[str, int] = {}
    for k, digest in enumerate(hashes):
        first.setdefault(digest, k)
    space, names = NASBench101(), np.array(files.NAMES)
    cells = [graphs[k] for k in first.values()]
    matrix, ops = np.zeros((len(cells), 7, 7), np.uint8), np.full((len(cells), 5), -1, np.int8)
    for c, (adjacency, operations) in enumerate(cells):
        place = [*range(len(operations) - 1), 6]
        matrix[c][np.ix_(place, place)] = adjacency
        ops[c, : len(operations) - 2] = [int(np.flatnonzero(names == op)[0]) for op in operations[1:-1]]
    row_of = dict(zip(first, space.index(space.encode(matrix, ops)).tolist(), strict=True))
    table = np.full((3, 8, space.size), np.nan, np.float32)
    counts, parameters = dict.fromkeys(first, 0), np.full(space.size, np.nan)
    for digest, figure, number in zip(hashes, figures, params.tolist(), strict=True):
        table[counts[digest], :, row_of[digest]] = figure
        counts[digest] += 1
        parameters[row_of[digest]] = number
    columns = {f"{metric}#{repeat}": table[repeat, metric] for repeat in range(3) for metric in range(8)}
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(pa.table({**columns, "params": parameters}), Path(folder) / "t.parquet", compression="zstd")


def seconds(work: Callable[[Path], Any], path: Path) -> float:
    """CPU time of one call, all threads together."""
    started = time.process_time()
    work(path)
    return time.process_time() - started


def memory(path: Path) -> dict[str, float]:
    """Largest memory of a process that converts the file, and of one that only has the libraries, in MB."""
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from tierwise.importers.convert import add\n"
        "if sys.argv[1]: add([sys.argv[1]], folder=Path(sys.argv[2]))\n"
        "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])"
    )
    root = Path(__file__).parent.parent
    used: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, file in (("libraries", ""), ("converting", str(path))):
            command = [sys.executable, "-c", code, file, folder]
            run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
            used[name] = round(float(run.stdout) / 1024, 1)
    return used


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=150_000)
    parser.add_argument("--turns", type=int, default=2)
    args = parser.parse_args()
    if not (DATA / "nb101.npz").is_file():
        sys.exit("this benchmark needs the cells of nb101.npz in the folder TIERWISE_DATA names")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "only108.tfrecord"
        records = make(path, args.cells)
        theirs, ours = by_packages(path), by_tierwise(path)
        assert [digest[:16] for digest in theirs[0]] == ours[0]
        np.testing.assert_array_equal(theirs[1], ours[1])
        np.testing.assert_array_equal(theirs[2], ours[2])
        del theirs, ours
        works = (by_packages, by_tierwise, frames_by_package, frames_by_tierwise, convert_by_packages, convert)
        turns = [[seconds(work, path) for work in works] for _ in range(args.turns)]
        best = dict(zip((work.__name__ for work in works), np.min(turns, axis=0).tolist(), strict=True))
        content = {"records": records, "bytes": path.stat().st_size, "turns": args.turns, "seconds": best}
        content["memory_mb"] = memory(path)
        content["against"] = {name: version(name) for name in ("tfrecord", "protobuf")}
    content["ratios"] = {
        "reading": best["by_packages"] / best["by_tierwise"],
        "framing": best["frames_by_package"] / best["frames_by_tierwise"],
        "converting": best["convert_by_packages"] / best["convert"],
    }
    per = {name: f"{1e6 * value / records:.2f}" for name, value in best.items()}
    rows = [
        ("tfrecord + protobuf: records to numbers", per["by_packages"], "1"),
        ("tierwise: records to numbers, checksums compared", per["by_tierwise"], f"{content['ratios']['reading']:.1f}"),
        ("tfrecord: framing alone, no checksums", per["frames_by_package"], ""),
        (
            "tierwise: framing alone, checksums compared",
            per["frames_by_tierwise"],
            f"{content['ratios']['framing']:.1f}",
        ),
        ("tfrecord + protobuf: checksum, rows of the space, Parquet", per["convert_by_packages"], "1"),
        (
            "tierwise: the same, in shards that resume",
            per["convert"],
            f"{content['ratios']['converting']:.1f}",
        ),
    ]
    text = [
        "## Reading NAS-Bench-101's records",
        f"{records:,} records, {content['bytes'] / 1e6:.0f} MB, CPU time, best of {args.turns} turns. Both give the "
        "same numbers. Made by `bench/speed_tfrecord.py`.",
        markdown(("", "microseconds a record", "times as fast"), rows),
        f"Peak memory: {content['memory_mb']} MB. The official file of 108 epochs has {ONLY108:,} records, the full "
        f"one {FULL:,}.",
    ]
    publish("speed-tfrecord", content, "\n\n".join(text))


if __name__ == "__main__":
    main()
