"""What every executor must do."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable, Collection
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from tierwise.architecture import Architecture
from tierwise.errors import WorkerDied
from tierwise.job import Job
from tierwise.study import Study
from tierwise.testing.suite import expect, expect_equal, run_checks

PATIENCE = 60.0  # seconds until an answer, the start of a worker included
GRACE = 10.0  # seconds that a worker may take to end
TASKS = 24
T = TypeVar("T")


@dataclass(frozen=True)
class ExecutorCase:
    """The executor under test."""

    make: Callable[[], Executor]


def check_executor(make_executor: Callable[[], Executor], *, expected_failures: Collection[str] = ()) -> None:
    """Raises NotConforming unless what `make_executor` makes does all that a study relies on.

    make_executor: gives a new executor, of two workers if it has workers. It is started a few times.
    """
    run_checks("check_executor", CHECKS, ExecutorCase(make_executor), expected_failures)


# what the workers run: functions of a module, so that another process can import them


def _square(x: int, *, plus: int = 0) -> int:
    return x * x + plus


def _fail(text: str) -> None:
    raise ValueError(text)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)  # as when memory runs out


def _slow_pid(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def _answer(future: Future[T]) -> T:
    return future.result(timeout=PATIENCE)


def results_belong_to_their_futures(case: ExecutorCase) -> None:
    with case.make() as engine:
        futures = [engine.submit(_square, k, plus=1) for k in range(TASKS)]
        expect_equal("results", [_answer(f) for f in futures], [k * k + 1 for k in range(TASKS)])


def an_exception_belongs_to_its_future(case: ExecutorCase) -> None:
    with case.make() as engine:
        futures = [engine.submit(_fail, "this one") if k == 7 else engine.submit(_square, k) for k in range(TASKS)]
        for k, future in enumerate(futures):
            error = future.exception(timeout=PATIENCE)
            if k == 7:
                seen = f"{type(error).__name__}: {error}"
                expect(
                    type(error) is ValueError and str(error) == "this one",
                    f"expected ValueError: this one, seen {seen}",
                )
            else:
                expect(error is None, f"future {k}: expected no error from its neighbour, seen {error!r}")


def leaving_waits_for_what_runs(case: ExecutorCase) -> None:
    with case.make() as engine:
        futures = [engine.submit(_slow_pid, 0.2) for _ in range(3)]
    expect_equal("futures done after the with block", [f.done() for f in futures], [True] * 3)
    expect_equal("errors after the with block", [f.exception(timeout=0) for f in futures], [None] * 3)


def a_killed_worker_fails_only_its_own(case: ExecutorCase) -> None:
    with case.make() as engine:
        if _answer(engine.submit(os.getpid)) == os.getpid():
            return  # it works in this process and would kill the caller
        futures: list[Future[Any]] = [
            engine.submit(_die) if k == 7 else engine.submit(_square, k) for k in range(TASKS)
        ]
        late = wait(futures, timeout=PATIENCE).not_done
        expect(not late, f"after a worker was killed: expected all futures to end, {len(late)} have not")
        error = futures[7].exception(timeout=0)
        expect(isinstance(error, WorkerDied), f"the killed evaluation: expected WorkerDied, seen {error!r}")
        seen = {k: future.exception(timeout=0) for k, future in enumerate(futures) if k != 7}
        lost = {k: error for k, error in seen.items() if error is not None}
        expect(not lost, f"expected the other evaluations to be kept, seen {lost}")
        expect_equal("a result after a worker was killed", _answer(engine.submit(_square, 5)), 25)


def a_killed_evaluation_goes_on_from_its_checkpoint(case: ExecutorCase) -> None:
    with tempfile.TemporaryDirectory() as folder, case.make() as engine:
        if _answer(engine.submit(os.getpid)) == os.getpid():
            return
        with Study(Path(folder) / "study.db", "nasbench201", "random", _dies_once) as study:
            study.run(3, executor=engine)
            seen = [(t.state, t.metrics.get("accuracy"), t.metrics.get("attempt")) for t in study.trials()]
    expect_equal("trials, the second of which was killed once", seen, [("done", 1, 1), ("done", 12, 2), ("done", 3, 1)])


def _dies_once(arch: Architecture, job: Job) -> dict[str, float]:
    saved = job.restore()
    if saved is None and job.trial == 2:
        job.save({"done": np.array(10.0)})
        _die()
    return {"accuracy": job.trial + (float(saved["done"]) if saved else 0.0), "attempt": job.attempt}


def no_process_is_left_over(case: ExecutorCase) -> None:
    with case.make() as engine:
        pids = {_answer(future) for future in [engine.submit(_slow_pid, 0.1) for _ in range(8)]} - {os.getpid()}
    end = time.monotonic() + GRACE
    while (alive := {pid for pid in pids if _alive(pid)}) and time.monotonic() < end:
        time.sleep(0.05)
    expect(not alive, f"after the with block: expected no worker process, seen {sorted(alive)}")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


CHECKS = (
    results_belong_to_their_futures,
    an_exception_belongs_to_its_future,
    leaving_waits_for_what_runs,
    a_killed_worker_fails_only_its_own,
    a_killed_evaluation_goes_on_from_its_checkpoint,
    no_process_is_left_over,
)
