"""Shards: each (method, data set, seed, ...) is one line of JSON, written when it is done; a stopped run goes on."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any, cast

from tierwise.errors import BadTable, WorkerDied

Shard = dict[str, Any]
Progress = Callable[[int, int], None]  # shards done, shards in all
Key = tuple[str, str]
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def run_shards(
    path: Path,
    shards: Sequence[Shard],
    settings: Callable[[Shard], str],
    work: Callable[[Shard], Shard],
    processes: int,
    *,
    note: Shard,
    progress: Progress | None = None,
) -> list[Shard]:
    """A line for every shard, computing those that the file lacks.

    settings: of a shard, what its figures depend on; a line with others does not count. work: picklable, gives the
    figures. note: written into every new line. A line that was cut off by a kill is dropped.
    Raises WorkerDied; what is done stays done.
    """
    known = {_key(line["shard"], line["settings"]): line for line in read_lines(path, repair=True)}
    keys = [_key(shard, settings(shard)) for shard in shards]
    todo = [k for k, key in enumerate(keys) if key not in known]
    done = len(shards) - len(todo)
    if progress:
        progress(done, len(shards))
    with _one_thread(), _pool(min(processes, len(todo))) as pool:
        futures = {pool.submit(work, shards[k]): k for k in todo}
        for future in as_completed(futures):
            k = futures[future]
            known[keys[k]] = line = {"shard": shards[k], "settings": keys[k][1], **note, **future.result()}
            _append(path, line)
            done += 1
            if progress:
                progress(done, len(shards))
    return [known[key] for key in keys]


@contextlib.contextmanager
def _pool(processes: int) -> Generator[ProcessPoolExecutor]:
    """Processes that start at the first shard; after a failure the shards that wait are given up."""
    pool = ProcessPoolExecutor(max(processes, 1), mp_context=get_context("spawn"), initializer=_watch_parent)
    try:
        yield pool
    except BrokenProcessPool as error:
        raise WorkerDied("a benchmark process was killed; what is done is kept, run the claim again") from error
    finally:
        pool.shutdown(cancel_futures=True)


def read_lines(path: Path, *, repair: bool = False) -> list[Shard]:
    """The lines of a shard file, () where there is none; `repair` drops a last line that was cut off.

    Raises BadTable, naming the line.
    """
    if not path.exists():
        return []
    raw = path.read_bytes()
    whole = raw[: raw.rfind(b"\n") + 1]
    if repair and len(whole) < len(raw):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    lines: list[Shard] = []
    for number, text in enumerate(whole.splitlines(), start=1):
        try:
            line: Any = json.loads(text)
            if not {"shard", "settings", "figures"} <= set(cast(Iterable[str], line)):
                raise ValueError("not a line of shard, settings and figures")
        except (ValueError, TypeError) as error:
            raise BadTable(path, f"line {number}: {error}; delete the line, its shard is then computed anew") from error
        lines.append(line)
    return lines


def _append(path: Path, line: Shard) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")


def _key(shard: Shard, settings: str) -> Key:
    return json.dumps(shard, sort_keys=True), settings


@contextlib.contextmanager
def _one_thread() -> Generator[None]:
    """One thread a process: fastest on few cores, and its CPU time is honest. New processes read it as they start."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, old in before.items():
            if old is None:
                del os.environ[name]
            else:
                os.environ[name] = old


def _watch_parent() -> None:
    """A worker ends with the process above it, even when that is killed."""
    above = parent_process()
    if above is not None:
        threading.Thread(target=_end_with, args=(above,), daemon=True).start()


def _end_with(process: Any) -> None:
    process.join()
    os._exit(1)
