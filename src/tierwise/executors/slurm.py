"""Evaluations as jobs of a SLURM cluster, through submitit: queues, time limits and requeueing are SLURM's."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from tierwise.errors import BadSetting, WorkerDied
from tierwise.extras import needed

LOOK = 1.0  # seconds between two looks at the jobs that run


class slurm(Executor):
    """`workers` jobs at once. The study's folder and `folder` must be on a disk that all nodes see.

    folder: for submitit's files. cluster: "slurm", or "local" for processes of this machine. parameters: submitit's,
    such as ``timeout_min=60, gpus_per_node=1, mem_gb=8, slurm_partition="gpu"``.
    """

    def __init__(self, workers: int = 1, folder: str | Path = "runs/slurm", cluster: str = "slurm", **parameters: Any):
        if workers < 1:
            raise BadSetting("workers", workers, "1 or more")
        submitit = needed("submitit", "executor 'slurm'", "submitit", "slurm")
        self.workers, self._jobs, self._closed = workers, dict[Future[Any], Any](), threading.Event()
        try:
            self._engine = submitit.AutoExecutor(folder=folder, cluster=cluster)
            self._engine.update_parameters(**parameters)
        except (RuntimeError, ValueError, NameError) as error:
            raise BadSetting(
                "executor slurm", {"cluster": cluster, **parameters}, f"what submitit knows ({error})"
            ) from error
        threading.Thread(target=self._watch, daemon=True).start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Its future raises WorkerDied, or whatever the function raised."""
        future = Future[Any]()
        future.set_running_or_notify_cancel()
        self._jobs[future] = self._engine.submit(_outcome, fn, args, kwargs)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let what runs finish (`wait`), or cancel it."""
        while wait and not cancel_futures and self._jobs:
            self._closed.wait(LOOK / 4)
        self._closed.set()
        for job in list(self._jobs.values()):
            job.cancel()

    def _watch(self) -> None:
        while not self._closed.wait(LOOK / 4):
            for future, job in list(self._jobs.items()):
                if job.done():
                    del self._jobs[future]
                    _pass_on(job, future)


def _outcome(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, Any]:
    """What it gives or raises: submitit itself tells the text of an error only."""
    try:
        return "result", fn(*args, **kwargs)
    except Exception as error:  # noqa: BLE001  it belongs to the future
        return "error", error


def _pass_on(job: Any, future: Future[Any]) -> None:
    try:
        kind, value = job.result()
    except Exception as error:  # noqa: BLE001  submitit says by many types that a job has ended without a result
        future.set_exception(WorkerDied(f"job {job.job_id} ended without a result: {str(error).strip()[-500:]}"))
        return
    if kind == "error":
        future.set_exception(value)
    else:
        future.set_result(value)
