"""Evaluations in processes of this machine: a killed or late worker fails its own evaluation only.

Every worker has a thread here and a pipe of its own, and shares nothing with the others: no lock that a
killed process could take along. Whatever happens to one, in the middle of anything, the others never notice.
"""

from __future__ import annotations

import atexit
import contextlib
import math
import os
import pickle
import queue
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from multiprocessing import connection, get_context
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, NamedTuple

from tierwise.errors import BadSetting, WorkerDied

PAGE = os.sysconf("SC_PAGE_SIZE")  # bytes
LOOK = 0.5  # seconds between two looks at whether a worker, or its driver, is still alive
_starting = threading.Lock()  # multiprocessing keeps a list of its children, unguarded
_spawn = get_context("spawn")


class _Task(NamedTuple):
    payload: bytes
    future: Future[Any]


class local(Executor):
    """`workers` spawned processes; an evaluation may take `seconds` and `megabytes` (default: what it needs)."""

    def __init__(self, workers: int = 1, seconds: float | None = None, megabytes: float | None = None):
        if workers < 1:
            raise BadSetting("workers", workers, "1 or more")
        if seconds is not None and not seconds > 0:
            raise BadSetting("seconds of an evaluation", seconds, "more than 0")
        if megabytes is not None and not (megabytes > 0 and _pages(os.getpid()) > 0):
            raise BadSetting("megabytes of an evaluation", megabytes, "more than 0, on Linux, where /proc tells it")
        self.workers = workers
        self._seconds = math.inf if seconds is None else seconds
        self._megabytes = megabytes
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._started = self._closed = False
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()
        # an executor that nobody shuts down must not keep the program from ending
        atexit.register(self.shutdown, wait=False)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Its future raises WorkerDied or TimeoutError. Raises BadSetting for what cannot be sent."""
        if self._closed:
            raise RuntimeError("this executor has been shut down; make another")
        try:
            payload = pickle.dumps((fn, args, kwargs))
        except Exception as error:  # pickle raises whatever an object's own method raises
            raise BadSetting("function for executor 'local'", str(error), _IMPORTABLE) from error
        future: Future[Any] = Future()
        self._tasks.put(_Task(payload, future))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let what runs finish (`wait`), or stop it."""
        self._closed = True
        atexit.unregister(self.shutdown)
        if cancel_futures or not wait:
            self._stopping.set()
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        """One worker's thread: a task at a time, a new process whenever the last one is gone."""
        worker: _Worker | None = None
        while (task := self._tasks.get()) is not None:
            if self._stopping.is_set():
                task.future.cancel()
            if not task.future.set_running_or_notify_cancel():
                continue
            try:
                if worker is None or not worker.alive():
                    worker = self._worker()
                task.future.set_result(worker.run(task.payload, self._seconds, self._megabytes))
            except BaseException as error:  # noqa: BLE001  it belongs to the future, and the thread goes on
                task.future.set_exception(error)
        if worker is not None:
            worker.end()

    def _worker(self) -> _Worker:
        try:
            worker = _Worker(self._stopping)
        except BadSetting as error:
            if self._started:  # it can start, but not now: no memory, too many processes
                raise WorkerDied(f"no worker process could start: {error.value}") from error
            raise
        self._started = True
        return worker


class _Worker:
    """A process and the pipe to it. Raises BadSetting where it cannot start, WorkerDied, TimeoutError, MemoryError."""

    def __init__(self, stopping: threading.Event):
        self._stopping = stopping
        self._pipe, theirs = _spawn.Pipe()
        self._process: SpawnProcess = _spawn.Process(target=_work, args=(theirs, os.getpid()), name="tierwise-worker")
        try:
            with _starting:
                self._process.start()
        except (RuntimeError, OSError) as error:
            raise BadSetting("start of a worker process", str(error).strip().split("\n")[0], _GUARDED) from error
        finally:
            theirs.close()
        if self._answer(math.inf) is None:
            raise BadSetting("start of a worker process", f"ended with exit code {self.end()}", _GUARDED)

    def alive(self) -> bool:
        """Whether it can take another task. One that has died while idle has closed its end of the pipe."""
        if self._pipe.closed or self._pipe.poll():
            return False
        with _starting:  # two threads asking for the same exit code at once: one is told that there is none yet
            return self._process.is_alive()

    def run(self, payload: bytes, seconds: float, megabytes: float | None = None) -> Any:
        """The result of one task."""
        with contextlib.suppress(OSError):  # a process that has just died: the answer, none, says so
            self._pipe.send_bytes(payload)
        answer = self._answer(time.monotonic() + seconds, megabytes)
        if answer is None:
            code = self.end()
            raise WorkerDied(f"the worker process died (exit code {code}): killed, crashed or out of memory")
        kind, value = pickle.loads(answer)  # noqa: S301  from our own process
        if kind == "error":
            raise value
        if kind == "import":
            raise BadSetting("function for executor 'local'", value, _IMPORTABLE)
        return value

    def _answer(self, until: float, megabytes: float | None = None) -> bytes | None:
        """What the worker sends; None when it has died. Raises TimeoutError, MemoryError, after ending it."""
        while True:
            left = max(0.0, until - time.monotonic())
            if self._pipe in connection.wait([self._pipe, self._process.sentinel], timeout=min(LOOK, left)):
                try:
                    return self._pipe.recv_bytes()
                except (EOFError, OSError):
                    return None
            if self._stopping.is_set() or not self._process.is_alive():
                return None
            if megabytes is not None and _pages(self._process.pid or 0) * PAGE > megabytes * 2**20:
                self.end()
                raise MemoryError(f"the evaluation used more than {megabytes:g} MB of memory and was stopped")
            if left == 0:
                self.end()
                raise TimeoutError("the evaluation took longer than its time limit and was stopped")

    def end(self) -> int | None:
        """Stop it, and everything that it has started; its exit code."""
        if self._process.pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()
            with _starting:
                self._process.join()
        self._pipe.close()
        return self._process.exitcode


def _pages(pid: int) -> int:
    """Of memory that a process holds; 0 where nobody tells."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def _work(pipe: connection.Connection, parent: int) -> None:
    """The worker process: tasks until the pipe closes."""
    os.setpgid(0, 0)  # a group of its own, which ends as a whole
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's business
    threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()
    pipe.send_bytes(b"ready")
    while True:
        try:
            payload = pipe.recv_bytes()
        except EOFError:
            return
        pipe.send_bytes(_answer_to(payload))


def _answer_to(payload: bytes) -> bytes:
    try:
        fn, args, kwargs = pickle.loads(payload)  # noqa: S301  from our own driver
    except Exception as error:  # noqa: BLE001  an import may raise anything
        return pickle.dumps(("import", f"{type(error).__name__}: {error}"))
    try:
        return pickle.dumps(("result", fn(*args, **kwargs)))
    except BaseException as error:  # noqa: BLE001  it belongs to the future
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301  some exceptions cannot travel: their text can
        except Exception:  # noqa: BLE001
            error = RuntimeError(f"{type(error).__name__}: {error}")
        return pickle.dumps(("error", error))


def _end_with_parent(parent: int) -> None:
    """No worker outlives its driver, nor do its own children."""
    while os.getppid() == parent:
        time.sleep(LOOK)
    os.killpg(0, signal.SIGKILL)


_IMPORTABLE = (
    "what another process can import: a function or class at the top level of a module or script "
    "(no lambda, nothing defined in a function or typed into a prompt); or executor 'inline'"
)
_GUARDED = "a script whose own work stands under  if __name__ == '__main__':  (what the worker wrote is above)"
