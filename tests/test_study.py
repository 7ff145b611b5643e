"""A study from the first ask to the last tell: budgets, failures, interruptions, limits, order, and no network
twice.
"""

from __future__ import annotations

import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.evaluators import Columns, Sparing, Stubborn, score, seeded, sleepy, unlucky
from tests.small_spaces import tiny
from tierwise import Study, make
from tierwise.architecture import Architecture
from tierwise.errors import BadArchitecture, BadSetting, StudyLocked, UnknownName
from tierwise.executors.inline import inline
from tierwise.executors.local import local
from tierwise.history import Proposal
from tierwise.study import open_study


def rows_of(study: Study) -> list[tuple[Any, ...]]:
    """Everything about the trials but the clock and the attempts."""
    return [(t.id, t.arch.genes, t.state, dict(t.why), dict(t.metrics), t.error) for t in study.trials()]


def fresh_study(path: Path | None = None, strategy: Any = "random", evaluator: Any = score, **given: Any) -> Study:
    return Study(path, "nasbench201", strategy, evaluator, **given)


# ---- budgets ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"trials": 0},
        {"trials": -3},
        {"trials": 2.5},
        {"trials": "10"},
        {"seconds": 0},
        {"seconds": -1.0},
        {"seconds": math.nan},
        {"batch": 0},
        {"batch": -1},
        {"workers": 0},
        {"workers": 2},
        {"target": math.nan},
        {"order": "asekd"},
    ],
)
def test_budgets_outside_what_is_allowed_are_refused_before_anything_happens(wrong: dict[str, Any]):
    with fresh_study() as study:
        with pytest.raises(BadSetting, match=r"allowed: ") as caught:
            study.run(**{"trials": 5, **wrong})
        assert caught.value.setting == next(iter(wrong))
        assert study.trials() == []


def test_an_unknown_executor_is_named_with_those_there_are():
    with fresh_study() as study, pytest.raises(UnknownName, match="inline, local"):
        study.run(3, executor="slrum")


def test_the_same_number_again_does_nothing_and_a_larger_one_goes_on(tmp_path: Path):
    with fresh_study(tmp_path / "study.db", "evolution") as study:
        assert study.run(30) == {"trials": 30}
        first = rows_of(study)
        for trials in (30, 10):
            assert study.run(trials) == {"trials": 30}
            assert rows_of(study) == first
    before = (tmp_path / "study.db").read_bytes()
    with fresh_study(tmp_path / "study.db", "evolution") as study:
        assert study.run(30) == {"trials": 30}
    assert (tmp_path / "study.db").read_bytes() == before
    with fresh_study(tmp_path / "study.db", "evolution") as study:
        assert study.run(47) == {"trials": 47}
        assert rows_of(study)[:30] == first


@pytest.mark.parametrize("batch", [1, 7, 10])
def test_exactly_as_many_as_wanted(batch: int):
    with fresh_study(evaluator=Columns()) as study:
        assert study.run(23, batch=batch) == {"trials": 23}
        assert len(study.trials()) == study.finished == 23


def test_what_waits_beyond_the_number_wanted_is_left_waiting(tmp_path: Path):
    with fresh_study(tmp_path / "study.db") as study:
        study.ask(10)
        assert study.run(4) == {"trials": 4}
        assert study.run(4) == study.run(2) == {"trials": 4}
        assert [row.attempt for row in open_study(tmp_path / "study.db")[1]] == [2] * 4 + [1] * 6
        assert [t.state for t in study.trials()] == ["done"] * 4 + ["waiting"] * 6
        assert study.run(10) == {"trials": 10}
        assert len(study.trials()) == 10


def test_a_target_stops_the_search_and_a_higher_one_goes_on():
    with fresh_study() as study:
        reasons = study.run(500, target=9.0, batch=1)
        assert reasons == {"target": study.best()[0].metrics["accuracy"]}
        assert [t.metrics["accuracy"] >= 9 for t in study.trials()] == [False] * (study.finished - 1) + [True]
        stopped = study.finished
        assert study.run(500, target=9.0) == reasons
        assert study.finished == stopped
        assert study.run(500, target=99.0) == {"trials": 500}


def test_simulated_seconds_are_a_budget():
    data = make("benchmark", "nasbench201", dataset="cifar10")
    with fresh_study(evaluator=data) as study:
        budget = 50_000.0
        reasons = study.run(500, seconds=budget, batch=1)
        spent = [t.metrics["seconds"] for t in study.trials()]
        assert reasons == {"seconds": study.seconds}
        assert sum(spent[:-1]) < budget <= sum(spent) == pytest.approx(study.seconds)
        assert study.run(500, seconds=budget) == reasons
        assert study.run(500, seconds=2 * budget)["seconds"] >= 2 * budget


def test_real_seconds_are_a_budget_where_none_are_recorded():
    with fresh_study(evaluator=lambda arch: float(np.ones(2000) @ np.ones(2000))) as study:
        reasons = study.run(5000, seconds=1e-3, batch=1)
        assert reasons["seconds"] == study.seconds >= 1e-3
        assert study.finished < 5000


def test_without_an_evaluator_there_is_ask_and_tell():
    with fresh_study(evaluator=None) as study:
        with pytest.raises(BadSetting, match="a function of an architecture"):
            study.run(3)
        one, two = study.ask(2)
        study.tell(one, {"accuracy": 3, "loss": 0.5})
        study.tell(two.id, error="out of memory")
        assert [(t.state, t.error) for t in study.trials()] == [("done", None), ("failed", "out of memory")]
        assert study.best(5) == [study.trials()[0]]


@pytest.mark.parametrize(
    ("trial", "metrics", "complaint"),
    [
        (0, 1.0, "1 to 2"),
        (3, 1.0, "1 to 2"),
        (-1, 1.0, "1 to 2"),
        (1, 1.0, "trial 1 = 'done'"),
        (2, None, "numbers by name"),
        (2, math.nan, "finite"),
        (2, {"loss": 1.0}, "'accuracy' among them"),
        (2, "good", "numbers by name"),
    ],
)
def test_what_cannot_be_told(trial: int, metrics: Any, complaint: str):
    with fresh_study() as study:
        study.ask(2)
        study.tell(1, 5.0)
        with pytest.raises(BadSetting, match=complaint):
            study.tell(trial, metrics)
        study.tell(2, 6.0)
        assert [t.metrics for t in study.trials()] == [{"accuracy": 5.0}, {"accuracy": 6.0}]


@pytest.mark.parametrize("n", [0, -1, 1.5])
def test_what_cannot_be_asked(n: Any):
    with fresh_study() as study, pytest.raises(BadSetting, match="1 or more"):
        study.ask(n)


@pytest.mark.parametrize("limit", [(5, 1), math.nan, "1e6", (1, 2, 3), None, (1, None)])
def test_limits_outside_what_is_allowed(limit: Any):
    with pytest.raises(BadSetting, match="limit params.*at most"):
        fresh_study(limits={"params": limit})
    with pytest.raises(BadSetting, match="seed"):
        fresh_study(seed=-1)
    with pytest.raises(UnknownName, match="latncy"):
        fresh_study(limits={"latncy": 5.0})
    with pytest.raises(BadSetting, match="one column"):
        fresh_study(limits={"onehot": 5.0})
    with pytest.raises(BadSetting, match="cost formulas"):
        Study(None, tiny(), "random", score, limits={"params": 5.0})


# ---- failures -----------------------------------------------------------------------------------------------

WRONG_RESULTS = [math.nan, None, "high", {}, {"loss": 1.0}, [1.0], {"accuracy": "x"}, {"accuracy": math.inf}]


@pytest.mark.parametrize("columns", [False, True])
def test_wrong_results_are_rows_with_an_error(columns: bool):
    results = iter([1.0, *WRONG_RESULTS, 2.0])
    with fresh_study(evaluator=lambda arch: next(results)) as study:
        assert study.run(len(WRONG_RESULTS) + 2) == {"trials": len(WRONG_RESULTS) + 2}
        assert [t.state for t in study.trials()] == ["done", *["failed"] * len(WRONG_RESULTS), "done"]
        assert all("BadSetting" in (t.error or "") for t in study.trials()[1:-1])
        assert [t.metrics["accuracy"] for t in study.best(9)] == [2.0, 1.0]


class Holes(Columns):
    """Columns with holes, and no columns at all where `broken`."""

    broken = False

    def many(self, archs: Any, seeds: list[int]) -> dict[str, Any]:
        if self.broken:
            raise OSError("no such table")
        value = np.asarray(super().many(archs, seeds)["accuracy"])
        return {
            "accuracy": np.where(archs.genes[:, 0] == 0, np.nan, value),
            "loss": np.full(len(archs), np.nan),
        }


def test_columns_with_holes_fail_the_rows_of_the_holes():
    with fresh_study(evaluator=Holes()) as study:
        study.run(60)
        for trial in study.trials():
            assert (trial.state == "failed") == (trial.arch.genes[0] == 0)
            assert "loss" not in trial.metrics
        assert {t.state for t in study.trials()} == {"done", "failed"}


def test_where_columns_fail_single_calls_say_why():
    table = Holes()
    table.broken = True
    with fresh_study(evaluator=table) as study:
        study.run(12)
        assert table.calls == 0
        assert [t.metrics for t in study.trials()] == [score(t.arch) for t in study.trials()]


def test_a_batch_is_one_look_up():
    table = Columns()
    with fresh_study(evaluator=table) as study:
        study.run(100, batch=25)
        assert table.calls == 4
    engine = inline()
    with fresh_study(evaluator=table) as study:
        study.run(100, batch=50, executor=engine)
        assert table.calls == 6


def test_workers_that_die_fail_their_own_rows(tmp_path: Path):
    with fresh_study(tmp_path / "study.db", evaluator=unlucky) as study:
        assert study.run(12, executor="local", workers=2) == {"trials": 12}
        failed = {t.id: t.error or "" for t in study.trials() if t.state == "failed"}
        assert sorted(failed) == [2, 4, 6, 8, 10]
        assert "exit code 7" in failed[2]
        assert "exit code -9" in failed[4]
        assert "no such kernel size" in failed[6]
        assert "cannot go on" in failed[8]
        assert "finite" in failed[10]


def test_late_evaluations_fail_their_own_rows():
    with fresh_study(evaluator=sleepy) as study, local(3, seconds=1.0) as engine:
        assert study.run(7, executor=engine) == {"trials": 7}
        assert {t.id for t in study.trials() if t.state == "failed"} == {3, 6}
        assert all("time limit" in (t.error or "TimeoutError") for t in study.trials() if t.state == "failed")


def test_an_executor_of_ones_own_stays_open():
    with ThreadPoolExecutor(2) as pool, fresh_study(evaluator=lambda arch: 1.0) as study:
        assert study.run(5, executor=pool, batch=2) == {"trials": 5}
        assert study.run(9, executor=pool, batch=2) == {"trials": 9}


def test_a_lambda_cannot_go_to_another_process_and_says_so():
    with fresh_study(evaluator=lambda arch: 1.0) as study:
        with pytest.raises(BadSetting, match="no lambda.*executor 'inline'"):
            study.run(5, executor="local", workers=2)
        assert study.finished == 0
        assert study.run(5) == {"trials": 5}


def test_an_error_of_the_observer_ends_the_run_and_leaves_the_study_whole(tmp_path: Path):
    def breaks(study: Study) -> None:
        if study.finished == 7:
            raise OSError("display is gone")

    with fresh_study(tmp_path / "study.db", "evolution") as study, fresh_study(None, "evolution") as never:
        with pytest.raises(OSError, match="display"):
            study.run(30, progress=breaks)
        assert study.finished == 7
        assert study.run(30) == {"trials": 30}
        never.run(30)
        assert rows_of(study) == rows_of(never)


@pytest.mark.parametrize("name", ["add", "tell"])
def test_an_interruption_between_file_and_memory_is_made_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with fresh_study(tmp_path / "study.db", "evolution") as study, fresh_study(None, "evolution") as never:
        study.run(10)
        monkeypatch.setattr(study._columns, name, stop)  # the file has it, the memory does not
        with pytest.raises(KeyboardInterrupt):
            study.run(30)
        assert study.run(30) == {"trials": 30}
        never.run(30)
        assert rows_of(study) == rows_of(never)


# ---- strategies that misbehave --------------------------------------------------------------------------------


def test_a_strategy_that_repeats_itself_is_told_so_and_ends():
    with (
        fresh_study(strategy=Stubborn()) as study,
        pytest.warns(UserWarning, match="known or infeasible.*nasbench201/"),
    ):
        reasons = study.run(10)
    assert "exhausted" in reasons
    assert study.finished == 1


class Foreign:
    def __init__(self, arch: Architecture):
        self.arch = arch

    def __repr__(self) -> str:
        return "Foreign"

    def ask(self, history: Any, n: int, rng: Any) -> list[Proposal]:
        return [Proposal(self.arch, {})]


@pytest.mark.parametrize("arch", [("other", (0,) * 6), ("nasbench201", (9,) * 6), ("nasbench201", (0,))])
def test_a_strategy_that_leaves_the_space_is_an_error(arch: tuple[str, tuple[int, ...]]):
    with fresh_study(strategy=Foreign(Architecture(*arch))) as study, pytest.raises(BadArchitecture):
        study.run(3)


def test_reasons_are_plain_json(tmp_path: Path):
    class Explains:
        def __repr__(self) -> str:
            return "Explains"

        def ask(self, history: Any, n: int, rng: Any) -> list[Proposal]:
            why = {
                "a": np.float32(0.5),
                "b": np.arange(2),
                "c": math.nan,
                "d": {"e": -math.inf},
                "f": Path("x"),
            }
            return [Proposal(a, why) for a in history.sample(n, rng)]

    with fresh_study(tmp_path / "study.db", Explains()) as study:
        study.run(2)
        first = rows_of(study)
        assert first[0][3] == {"a": 0.5, "b": [0, 1], "c": None, "d": {"e": None}, "f": "x"}
    with fresh_study(tmp_path / "study.db", Explains()) as study:
        assert rows_of(study) == first


# ---- limits and duplicates --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("params", 4e5),
        ("params", (4e5, 6e5)),
        ("flops", (0, 6e7)),
        ("latency", (0.01, 0.012)),
        ("latency", 0.012),
    ],
)
def test_limits_hold_for_every_trial(name: str, limit: Any):
    data = make("benchmark", "nasbench201")
    least, most = limit if isinstance(limit, tuple) else (-math.inf, limit)
    with fresh_study(strategy="evolution", evaluator=data, limits={name: limit}) as study:
        study.run(60)
        costs = data.known(name, study.history().archs)
        assert len(costs) == 60
        assert ((costs >= least) & (costs <= most)).all()
        every = data.known(name, data.space.enumerate())
        assert ((every < least) | (every > most)).any()


def test_limits_that_nothing_meets_end_with_a_reason():
    for strategy in ("random", "evolution"):
        with fresh_study(strategy=strategy, limits={"params": (1, 2)}) as study:
            assert set(study.run(10)) == {"exhausted"}
            assert study.trials() == []


def test_equal_networks_are_never_evaluated_twice_and_there_are_5260():
    data = make("benchmark", "nasbench201")
    with fresh_study(evaluator=data) as study:
        assert set(study.run(15_625, batch=200)) == {"exhausted"}
        archs = study.history().archs
        assert len(archs) == study.finished == 5260
        assert len(np.unique(data.space.canonical(archs))) == 5260
        assert study.ask(5) == []


# ---- order ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def in_order() -> list[tuple[Any, ...]]:
    with fresh_study(None, Sparing(), seeded) as study:
        study.run(18, order="asked", batch=4)
        return rows_of(study)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_any_number_of_workers_gives_the_same_rows(in_order: list[tuple[Any, ...]], workers: int):
    with fresh_study(None, Sparing(), seeded) as study:
        study.run(18, order="asked", batch=4, executor="local", workers=workers)
        assert rows_of(study) == in_order


def test_the_batch_does_not_depend_on_the_workers_in_order_asked():
    with fresh_study(None, "evolution", score) as one, fresh_study(None, "evolution", score) as other:
        one.run(30, order="asked")
        with ThreadPoolExecutor(3) as pool:
            other.run(30, order="asked", executor=pool)
        assert rows_of(one) == rows_of(other)


def test_results_are_told_in_the_order_of_asking(tmp_path: Path):
    told: list[int] = []

    def note(study: Study) -> None:
        states = [t.state for t in study.trials()]
        told.append(states.count("done"))
        assert "done" not in states[states.count("done") :], "a gap before a result"

    with fresh_study(tmp_path / "study.db", Sparing(), seeded) as study:
        study.run(12, order="asked", batch=4, executor="local", workers=3, progress=note)
    assert told == list(range(1, 13))


@pytest.mark.parametrize("order", ["asked", "arrived"])
@pytest.mark.parametrize("stop", [{"seconds": 65.0}, {"target": 5.0}])
@pytest.mark.parametrize("evaluator", [seeded, Columns()])
def test_a_run_stopped_early_goes_on_as_if_it_never_stopped(order: Any, stop: dict[str, float], evaluator: Any):
    with fresh_study(None, Sparing(), evaluator) as study, fresh_study(None, Sparing(), evaluator) as never:
        if isinstance(evaluator, Columns) and "seconds" in stop:
            stop = {"seconds": 1e-9}
        reasons = study.run(18, order=order, batch=4, **stop)
        assert reasons.keys() == stop.keys()
        assert study.finished < 18
        study.run(18, order=order, batch=4)
        never.run(18, order=order, batch=4)
        assert rows_of(study) == rows_of(never)


# ---- two drivers ------------------------------------------------------------------------------------------------


def test_a_second_driver_is_told_who_holds_it_and_may_look(tmp_path: Path):
    go, begun = threading.Event(), threading.Event()

    def blocks(arch: Architecture) -> float:
        begun.set()
        go.wait(60)
        return 1.0

    path = tmp_path / "study.db"
    with (
        fresh_study(path, evaluator=blocks) as first,
        fresh_study(path) as second,
        ThreadPoolExecutor(1) as thread,
    ):
        running = thread.submit(first.run, 3)
        try:
            assert begun.wait(60)
            for write in (lambda: second.run(5), lambda: second.ask(1), lambda: second.tell(1, 1.0)):
                with pytest.raises(StudyLocked, match=rf"study\.db: is being driven by process {os.getpid()} since"):
                    write()
            assert [row.state for row in open_study(path)[1]] == ["waiting"] * 3
            with fresh_study(path) as looking:
                assert len(looking.trials()) == 3
        finally:
            go.set()
        assert running.result() == {"trials": 3}
        assert second.run(5) == {"trials": 5}
        assert len({t.arch for t in second.trials()}) == 5


def test_where_somebody_takes_the_lock_away_no_result_is_written_over(tmp_path: Path):
    path = tmp_path / "study.db"

    def robbed(arch: Architecture) -> float:
        path.with_name("study.db.lock").unlink()
        with fresh_study(path) as other:
            other.tell(1, 3.5)
        return 9.0

    with fresh_study(path, evaluator=robbed) as study, pytest.raises(StudyLocked, match="changed by another driver"):
        study.run(5)
    assert open_study(path)[1][0].metrics == {"accuracy": 3.5}


# ---- Ctrl-C -----------------------------------------------------------------------------------------------------

INTERRUPTED = """
    import os, sys, time
    from tests.evaluators import Sparing, score, seeded, waits
    from tierwise import Study

    def say(line):
        os.write(1, f"{line}\\n".encode())  # in one write: two workers share the pipe

    def slow(arch, job):
        say(f"begun {job.trial}")
        time.sleep(0.3)
        return seeded(arch, job)

    def stuck(arch, job):
        say(f"begun {job.trial}")
        return waits(arch)

    if __name__ == "__main__":
        with Study(sys.argv[1], "nasbench201", Sparing(), globals()[sys.argv[2]]) as study:
            order = "asked" if sys.argv[3] == "local" else "arrived"
            workers = 2 if sys.argv[3] == "local" else 1
            try:
                print(study.run(18, executor=sys.argv[3], workers=workers, order=order, batch=4), flush=True)
            except KeyboardInterrupt:
                print("KeyboardInterrupt", flush=True)
"""


def interrupted(tmp_path: Path, evaluator: str, executor: str, times: int) -> str:
    """The last line of a run that got Ctrl-C in the middle."""
    (tmp_path / "interrupted.py").write_text(textwrap.dedent(INTERRUPTED))
    command = [sys.executable, tmp_path / "interrupted.py", tmp_path / "study.db", evaluator, executor]
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True, env=environment()
    ) as run:
        assert run.stdout is not None
        for _ in range(2 if evaluator == "slow" else 1):
            assert run.stdout.readline().startswith("begun")
        for k in range(times):
            if k:
                with pytest.raises(subprocess.TimeoutExpired):  # the first one waits for what is running
                    run.wait(timeout=1.5)
            run.send_signal(signal.SIGINT)
        return run.communicate(timeout=60)[0].splitlines()[-1]


def environment() -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]),
    }


@pytest.mark.parametrize("executor", ["inline", "local"])
def test_ctrl_c_finishes_what_is_running_and_the_next_run_goes_on(tmp_path: Path, executor: str):
    assert interrupted(tmp_path, "slow", executor, 1) == "{'interrupted': True}"
    order: Any = "asked" if executor == "local" else "arrived"
    with (
        fresh_study(tmp_path / "study.db", Sparing(), seeded) as study,
        fresh_study(None, Sparing(), seeded) as never,
    ):
        assert 2 <= study.finished < 18
        states = [t.state for t in study.trials()]
        assert states == ["done"] * study.finished + ["waiting"] * (len(states) - study.finished)
        study.run(18, batch=4, order=order)
        never.run(18, batch=4, order=order)
        assert rows_of(study) == rows_of(never)


@pytest.mark.parametrize("executor", ["inline", "local"])
def test_ctrl_c_twice_stops_at_once(tmp_path: Path, executor: str):
    assert interrupted(tmp_path, "stuck", executor, 2) == "KeyboardInterrupt"
    with fresh_study(tmp_path / "study.db", Sparing(), seeded) as study:
        assert study.finished == 0
        assert study.run(6) == {"trials": 6}


# ---- any order of asking, telling, stopping and dying ---------------------------------------------------------


class Interleaved(RuleBasedStateMachine):
    """A model of a study is a list of what was asked and told; whatever happens in between, the study agrees."""

    @initialize(seed=st.integers(0, 3), limited=st.booleans())
    def begin(self, seed: int, limited: bool) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.given: dict[str, Any] = {"seed": seed, "limits": {"params": 8e5} if limited else None}
        self.asked: list[tuple[tuple[int, ...], dict[str, Any]]] = []
        self.told: dict[int, float | str] = {}
        self.lives = 0
        self.study = self.open()

    def open(self) -> Study:
        return fresh_study(self.folder / f"{self.lives}.db", "evolution", **self.given)

    def waiting(self) -> list[int]:
        return [k for k in range(1, len(self.asked) + 1) if k not in self.told]

    @rule(n=st.integers(1, 4))
    def ask(self, n: int) -> None:
        new = self.study.ask(n)
        assert [t.id for t in new] == [len(self.asked) + k for k in range(1, n + 1)]
        self.asked += [(t.arch.genes, dict(t.why)) for t in new]

    @rule(which=st.integers(0, 100), value=st.floats(0, 100))
    def tell(self, which: int, value: float) -> None:
        if waiting := self.waiting():
            trial = waiting[which % len(waiting)]
            self.study.tell(trial, value)
            self.told[trial] = value

    @rule(which=st.integers(0, 100), text=st.text(max_size=20))
    def fail(self, which: int, text: str) -> None:
        if waiting := self.waiting():
            trial = waiting[which % len(waiting)]
            self.study.tell(trial, error=text)
            self.told[trial] = text

    @rule(which=st.integers(0, 100))
    def tell_again(self, which: int) -> None:
        if self.told:
            with pytest.raises(BadSetting):
                self.study.tell(sorted(self.told)[which % len(self.told)], 7.0)

    @rule()
    def reopen(self) -> None:
        self.study.close()
        self.study = self.open()

    @rule()
    def die(self) -> None:
        """What a kill leaves: the file and its log as they are now."""
        for suffix in ("", "-wal"):
            shutil.copyfile(self.folder / f"{self.lives}.db{suffix}", self.folder / f"{self.lives + 1}.db{suffix}")
        self.study.close()
        self.lives += 1
        self.study = self.open()

    @rule(more=st.integers(1, 5), order=st.sampled_from(["asked", "arrived"]), batch=st.integers(1, 4))
    def run_some(self, more: int, order: Any, batch: int) -> None:
        goal = len(self.told) + more
        assert self.study.run(goal, order=order, batch=batch) == {"trials": goal}
        for trial in self.study.trials():
            if trial.id > len(self.asked):
                self.asked.append((trial.arch.genes, dict(trial.why)))
            if trial.id not in self.told and trial.state != "waiting":
                self.told[trial.id] = score(trial.arch)["accuracy"]

    @invariant()
    def the_study_is_the_model(self) -> None:
        trials = self.study.trials()
        assert [(t.arch.genes, dict(t.why)) for t in trials] == self.asked
        for trial in trials:
            result = self.told.get(trial.id)
            expected = {None: "waiting", float: "done", str: "failed"}[None if result is None else type(result)]
            assert trial.state == expected
            assert trial.metrics == ({"accuracy": result} if isinstance(result, float) else {})
            assert trial.error == (result if isinstance(result, str) else None)

    @invariant()
    def the_columns_agree(self) -> None:
        history = self.study.history()
        values = {k: v for k, v in self.told.items() if isinstance(v, float)}
        assert self.study.finished == len(self.told)
        assert dict(zip((history.done.ids + 1).tolist(), history.done.y.tolist(), strict=True)) == values
        assert (history.running.ids + 1).tolist() == self.waiting()
        assert len(np.unique(history.canon)) == len(self.asked)
        assert history.feasible(history.archs).all()
        best = sorted(values, key=lambda k: (-values[k], k))[:3]
        assert [t.id for t in self.study.best(3)] == best

    def teardown(self) -> None:
        self.study.close()
        shutil.rmtree(self.folder)


TestInterleaved = Interleaved.TestCase
TestInterleaved.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
