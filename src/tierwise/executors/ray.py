"""Evaluations on a Ray cluster, or on this machine as one: placement, GPUs and autoscaling are Ray's."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Executor, Future
from concurrent.futures import wait as wait_for
from typing import Any

from tierwise.errors import BadSetting, EngineDied, WorkerDied
from tierwise.extras import needed


class ray(Executor):
    """`workers` tasks at once, each with `cpus` and `gpus` (fractions allowed), in the cluster at `address`.

    address: of a running cluster, "auto" for the one this machine belongs to; None starts Ray on this machine, unless
    the program has called ``ray.init`` itself. Workers must be able to import what is evaluated.
    """

    def __init__(self, workers: int = 1, address: str | None = None, cpus: float = 1.0, gpus: float = 0.0):
        if workers < 1:
            raise BadSetting("workers", workers, "1 or more")
        self._ray = needed("ray", "executor 'ray'", "ray", "ray")
        self.workers, self._running = workers, dict[Any, Future[Any]]()
        self._mine = not self._ray.is_initialized()
        if self._mine:
            alone: dict[str, Any] = (
                {} if address else {"num_cpus": max(1, round(workers * cpus)), "num_gpus": round(gpus)}
            )
            quiet: dict[str, Any] = {"logging_level": logging.ERROR}
            try:
                self._ray.init(address=address, include_dashboard=False, log_to_driver=False, **quiet, **alone)
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise BadSetting("address of Ray", address, f'a running cluster, "auto" or None ({error})') from error
        # a worker that dies is the study's business: it starts the evaluation once more, as a new attempt
        self._task = self._ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=0)(_call)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Its future raises WorkerDied, or whatever the function raised."""
        reference, future = self._task.remote(fn, args, kwargs), Future[Any]()
        self._running[reference] = future
        future.set_running_or_notify_cancel()

        def done(theirs: Future[Any]) -> None:
            known: Any = self._ray.exceptions
            error: Any = theirs.exception()
            if error is None:
                future.set_result(theirs.result())
            elif isinstance(error, known.RayTaskError):
                future.set_exception(error.cause)
            elif isinstance(error, known.WorkerCrashedError | known.OutOfMemoryError | known.NodeDiedError):
                future.set_exception(WorkerDied(f"Ray: {error}"))
            else:
                future.set_exception(EngineDied(f"Ray has ended ({error}); start it, then run the same line again"))
            self._running.pop(reference, None)

        reference.future().add_done_callback(done)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let what runs finish (`wait`), or stop it; Ray itself, where this executor has started it."""
        if wait and not cancel_futures:
            wait_for(list(self._running.values()))  # of the futures: Ray's own wait ends before they are told
        for reference in list(self._running):
            self._ray.cancel(reference, force=True)
        if self._mine and self._ray.is_initialized():
            self._ray.shutdown()


def _call(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return fn(*args, **kwargs)
