"""Evaluations in processes of this machine: a killed or late worker fails its own evaluation only."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from multiprocessing import get_context
from typing import Any

from pebble import ProcessExpired, ProcessPool  # pyright: ignore[reportPrivateImportUsage]

from tierwise.errors import BadSetting, WorkerDied


class local(Executor):  # noqa: N801  named as it is called, like the other executors
    """`workers` spawned processes; an evaluation may take `seconds` (default: as long as it needs)."""

    def __init__(self, workers: int = 1, seconds: float | None = None):
        if workers < 1:
            raise BadSetting("workers", workers, "1 or more")
        self._seconds = seconds
        self._pool = ProcessPool(
            max_workers=workers, context=get_context("spawn"), initializer=_end_with_parent, initargs=(os.getpid(),)
        )

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Its future raises WorkerDied for a dead worker and TimeoutError for a late one."""
        inner = self._pool.submit(fn, self._seconds, *args, **kwargs)
        outer: Future[Any] = Future()
        outer.set_running_or_notify_cancel()
        inner.add_done_callback(lambda done: _hand_over(done, outer))
        return outer

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let what runs finish (`wait`), or stop it."""
        if wait and not cancel_futures:
            self._pool.close()
        else:
            self._pool.stop()
        self._pool.join()


def _hand_over(inner: Future[Any], outer: Future[Any]) -> None:
    error = inner.exception()
    if error is None:
        outer.set_result(inner.result())
    elif isinstance(error, ProcessExpired):
        outer.set_exception(WorkerDied(f"the worker process died (exit code {error.exitcode}): killed or out of memory"))
    else:
        outer.set_exception(error)


def _end_with_parent(parent: int) -> None:
    """No worker outlives its driver; Ctrl-C is the driver's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
