"""Evaluations in the driver's own process, one after another: for tables and for debugging."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from tierwise.errors import BadSetting


class inline(Executor):
    """Runs at submission."""

    here = True  # in the driver's process: a table's `many` may be called directly

    def __init__(self, workers: int = 1):
        if workers != 1:
            raise BadSetting("workers", workers, "1 with the inline executor; use executor 'local' for more")
        self.workers = 1

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """A future that is already done."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  as every executor: the error belongs to the future
            future.set_exception(error)
        return future
