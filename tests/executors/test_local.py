"""The local executor: whatever happens to one worker, in the middle of anything, the others never notice."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, wait
from pathlib import Path

import pytest

from tests.evaluators import alive, gone, waits, with_child
from tierwise.errors import BadSetting, WorkerDied
from tierwise.executors.local import local


class CannotTravel(Exception):
    """Pickles, but cannot be made again from what was pickled."""

    def __init__(self, code: int, text: str):
        super().__init__(f"{code}: {text}")


def raises() -> None:
    raise CannotTravel(7, "no memory on device")


def refuses_to_pickle() -> object:
    return threading.Lock()


def missing(x: int) -> int:
    return x


@pytest.fixture(scope="module")
def engine() -> Iterator[local]:
    with local(2) as pool:
        yield pool


def test_results_and_errors_come_back(engine: local):
    futures = [engine.submit(pow, base, 2) for base in range(20)]
    assert [f.result() for f in futures] == [b * b for b in range(20)]
    assert isinstance(engine.submit(int, "x").exception(), ValueError)
    assert engine.submit(os.getpid).result() != os.getpid()


def test_an_error_that_cannot_travel_comes_back_as_text(engine: local):
    assert "CannotTravel: 7: no memory on device" in str(engine.submit(raises).exception())


def test_a_result_that_cannot_travel_fails_its_own_future(engine: local):
    assert "pickle" in str(engine.submit(refuses_to_pickle).exception())
    assert engine.submit(pow, 2, 3).result() == 8


@pytest.mark.parametrize("end", [lambda pid: f"os._exit({pid % 7 + 1})", lambda _: "os.kill(os.getpid(), 9)"])
def test_a_worker_that_dies_fails_its_own_future(engine: local, end):
    bad = engine.submit(exec, f"import os; {end(os.getpid())}")
    good = [engine.submit(pow, base, 2) for base in range(6)]
    with pytest.raises(WorkerDied, match=r"exit code -?\d+"):
        bad.result()
    assert [f.result() for f in good] == [b * b for b in range(6)]


def test_workers_killed_while_idle_are_replaced(engine: local):
    first = {engine.submit(os.getpid).result() for _ in range(6)}
    for pid in first:
        os.kill(pid, signal.SIGKILL)
    assert gone(first)
    futures = [engine.submit(os.getpid) for _ in range(6)]
    assert not {f.result() for f in futures} & first


def test_deaths_at_random_moments_never_hang_the_others():
    with local(2) as pool:
        good, bad = [], []
        for k in range(12):
            bad.append(pool.submit(exec, f"import os, time; time.sleep({k % 4} / 200); os._exit(1)"))
            good.append(pool.submit(pow, k, 2))
        assert not wait(good + bad, timeout=60).not_done
        assert [f.result() for f in good] == [k * k for k in range(12)]
        assert all(isinstance(f.exception(), WorkerDied) for f in bad)


def test_a_late_evaluation_is_stopped_with_everything_it_started(tmp_path: Path):
    with local(1, seconds=1.5) as pool:
        late = pool.submit(with_child, str(tmp_path))
        assert pool.submit(pow, 3, 2).result() == 9
        with pytest.raises(TimeoutError, match="time limit"):
            late.result()
    children = {int(file.name) for file in tmp_path.iterdir()}
    assert len(children) == 1
    assert gone(children)


def test_what_another_process_cannot_import_is_refused_at_once(engine: local):
    with pytest.raises(BadSetting, match="no lambda"):
        engine.submit(lambda x: x, 1)

    class Inner:
        def __call__(self) -> int:
            return 1

    with pytest.raises(BadSetting, match="executor 'inline'"):
        engine.submit(Inner())


def test_what_only_this_process_has_is_refused_when_the_worker_does_not_find_it(engine: local, monkeypatch):
    module = sys.modules[__name__]
    typed = type(missing)(missing.__code__, globals(), "typed_into_a_prompt")
    typed.__qualname__ = "typed_into_a_prompt"
    monkeypatch.setattr(module, "typed_into_a_prompt", typed, raising=False)
    with pytest.raises(BadSetting, match="typed_into_a_prompt"):
        engine.submit(typed, 1).result()


def test_shutdown_lets_what_was_submitted_finish():
    pool = local(1)
    futures = [pool.submit(time.sleep, 0.05) for _ in range(3)]
    pool.shutdown()
    assert all(f.done() and f.exception() is None for f in futures)
    with pytest.raises(RuntimeError, match="shut down"):
        pool.submit(pow, 2, 2)


def test_shutdown_without_waiting_stops_what_runs_and_cancels_the_rest():
    pool = local(1)
    pid = pool.submit(os.getpid).result()
    running, waiting = pool.submit(waits, None), pool.submit(pow, 2, 2)
    while not running.running():
        time.sleep(0.01)
    pool.shutdown(wait=False, cancel_futures=True)
    assert isinstance(running.exception(), WorkerDied)
    with pytest.raises(CancelledError):
        waiting.result(timeout=10)
    assert gone({pid})


def test_settings_outside_what_is_allowed():
    for settings in ({"workers": 0}, {"workers": -1}, {"seconds": 0}, {"seconds": float("nan")}):
        with pytest.raises(BadSetting, match="allowed"):
            local(**settings)


SCRIPTS = {
    "unguarded": "from tierwise.executors.local import local\nprint(local(1).submit(pow, 2, 2).result())\n",
    "abandoned": """
import os, time
from tierwise.executors.local import local
if __name__ == "__main__":
    pool = local(1)
    pid = pool.submit(os.getpid).result()
    pool.submit(time.sleep, 600)
    time.sleep(0.2)  # it is in the middle of it
    print(pid, flush=True)
""",
}


def run_script(tmp_path: Path, name: str) -> subprocess.CompletedProcess[str]:
    script = tmp_path / f"{name}.py"
    script.write_text(SCRIPTS[name])
    return subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=False)


def test_a_script_without_a_guard_ends_and_is_told_what_to_write(tmp_path: Path):
    done = run_script(tmp_path, "unguarded")
    assert done.returncode == 1
    assert "if __name__ == '__main__':" in done.stderr.splitlines()[-1]


def test_a_program_that_never_shuts_its_executor_down_ends_and_leaves_no_worker(tmp_path: Path):
    done = run_script(tmp_path, "abandoned")
    assert done.returncode == 0, done.stderr
    assert gone({int(done.stdout)})


def test_no_worker_outlives_a_killed_driver(tmp_path: Path):
    (tmp_path / "script.py").write_text(SCRIPTS["abandoned"] + "    time.sleep(600)\n")
    with subprocess.Popen([sys.executable, tmp_path / "script.py"], stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        pid = int(driver.stdout.readline())
        assert alive(pid)
        driver.kill()
    with contextlib.suppress(ProcessLookupError):
        assert gone({pid})


def grows() -> int:
    held = bytearray(400 * 2**20)
    time.sleep(600)
    return len(held)


def test_an_evaluation_of_too_much_memory_is_stopped():
    with local(1, megabytes=250) as engine:
        greedy = engine.submit(grows)
        assert isinstance(greedy.exception(timeout=60), MemoryError)
        assert engine.submit(missing, 3).result(timeout=60) == 3
    with pytest.raises(BadSetting, match="megabytes"):
        local(1, megabytes=0)
