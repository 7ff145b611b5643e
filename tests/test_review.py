"""Proposals that wait for a person, and proposals that nobody wants any more."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.evaluators import score
from tests.waiting import until
from tierwise import Study
from tierwise.architecture import Architectures
from tierwise.errors import BadSetting, CannotWrite
from tierwise.provenance import counted
from tierwise.study import open_study

EDGE = "cell/0-1"
OPTIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")


def fresh_study(path: Path | None = None, strategy: Any = "random", evaluator: Any = score, **given: Any) -> Study:
    return Study(path, "nasbench201", strategy, evaluator, **given)


def states(study: Study) -> list[str]:
    return [row.state for row in study.rows]


class Person:
    """Evaluates, and says something in the middle of the evaluation of some trials."""

    def __init__(self, says: dict[int, Callable[[Study], object]]):
        self.says, self.evaluated = says, list[int]()

    def __call__(self, arch: Any, job: Any) -> Any:
        self.evaluated.append(job.trial)
        if job.trial in self.says:
            self.says[job.trial](self.study)
        return score(arch)

    def run(self, study: Study, trials: int, **how: Any) -> Any:
        self.study = study
        return study.run(trials, **how)


# ---- review ---------------------------------------------------------------------------------------------------


def test_a_proposal_is_started_when_it_has_waited_long_enough():
    with fresh_study() as study:
        study.steer("review", wait=0.4)
        assert study.run(6, batch=6) == {"trials": 6}
        waited = [row.started - row.asked for row in study.rows if row.started is not None]
        assert len(waited) == 6
        assert min(waited) >= 0.4
        study.steer("review", wait=1000)
        study.steer("review", wait=0)
        assert study.run(12, batch=6) == {"trials": 12}


def test_what_is_approved_first_starts_first(tmp_path: Path):
    path = tmp_path / "study.db"

    def decide() -> None:
        with fresh_study(path, evaluator=None) as mine:
            until(lambda: mine.refresh() and len(mine.rows) == 4)
            for trial in (4, 2):
                mine.steer("approve", trial=trial)
            mine.steer("review", wait=0)

    person = Person({})
    with fresh_study(path, evaluator=person) as study, ThreadPoolExecutor(1) as thread:
        study.steer("review", wait=1000)
        deciding = thread.submit(decide)
        assert person.run(study, 4, batch=4) == {"trials": 4}
        deciding.result()
    assert sorted(person.evaluated) == [1, 2, 3, 4]
    assert person.evaluated.index(4) < person.evaluated.index(2)
    assert person.evaluated.index(4) < min(person.evaluated.index(1), person.evaluated.index(3))


def test_people_say_how_many_wait_at_once():
    waiting = list[int]()

    def look(arch: Any, job: Any) -> float:
        waiting.append(states(study).count("waiting"))
        return 1.0

    with fresh_study(evaluator=look) as study:
        study.run(6, batch=3)
        assert max(waiting) == 3
        row = study.steer("batch", size=2)
        study.run(12, batch=3)
        assert max(waiting[6:]) == 2
        study.steer("retract", row=row)
        study.run(18, batch=3)
        assert max(waiting[12:]) == 3


def test_what_is_approved_starts_and_what_is_vetoed_never_does(tmp_path: Path):
    path, person = tmp_path / "study.db", Person({})

    def decide() -> None:
        with fresh_study(path, evaluator=None) as mine:
            until(lambda: mine.refresh() and len(mine.rows) == 4)
            assert [row.started for row in mine.rows] == [None] * 4
            mine.steer("veto", trial=1, who="anna", reason="seen before")
            mine.steer("approve", trial=3, who="anna")
            until(lambda: mine.refresh() and states(mine)[:4] == ["withdrawn", "waiting", "done", "waiting"])
            assert [row.started is None for row in mine.rows[:4]] == [True, True, False, True]
            mine.steer("review", wait=0)

    with fresh_study(path, evaluator=person) as study, ThreadPoolExecutor(1) as thread:
        study.steer("review", wait=1000)
        deciding = thread.submit(decide)
        assert person.run(study, 8, batch=4) == {"trials": 8}
        deciding.result()
        assert person.evaluated[:3] == [3, 2, 4]
        assert 1 not in person.evaluated
        assert study.rows[0].error == "withdrawn by steering row 2 of anna: veto 1 --reason 'seen before'"
        assert study.finished == 8
        assert len(study.trials()) == 9


class Two(ThreadPoolExecutor):
    """Two workers."""

    workers = 2

    def __init__(self) -> None:
        super().__init__(2)


def test_workers_go_on_while_other_proposals_wait(tmp_path: Path):
    path, release = tmp_path / "study.db", threading.Event()

    def evaluate(arch: Any, job: Any) -> Any:
        if job.trial <= 2:
            release.wait(60)
        return score(arch)

    def decide() -> None:
        with fresh_study(path, evaluator=None) as mine:
            until(lambda: mine.refresh() and len(mine.rows) == 2)
            mine.steer("approve", trial=1)
            mine.steer("approve", trial=2)
            until(lambda: mine.refresh() and len(mine.rows) == 4)
            assert [row.started is None for row in mine.rows] == [False, False, True, True]
            mine.steer("review", wait=0)
            release.set()

    with fresh_study(path, evaluator=evaluate) as study, ThreadPoolExecutor(1) as thread, Two() as engine:
        study.steer("review", wait=1000)
        deciding = thread.submit(decide)
        try:
            assert study.run(6, executor=engine) == {"trials": 6}
        finally:
            release.set()
        deciding.result()


def test_a_search_that_is_stopped_leaves_its_proposals_waiting():
    for order in ("asked", "arrived"):
        with fresh_study() as study:
            study.steer("review", wait=1000)
            study.ask(4)
            study.steer("approve", trial=3)
            threading.Timer(0.4, lambda study=study: study.steer("stop")).start()
            assert study.run(9, batch=4, order=order) == {"stopped": "by steering row 3"}
            assert states(study) == (["waiting"] * 4 if order == "asked" else ["waiting"] * 2 + ["done", "waiting"])
            study.steer("retract", row=3)
            study.steer("review", wait=0)
            assert study.run(9, batch=4, order=order) == {"trials": 9}


@pytest.mark.parametrize(("trial", "now"), [(1, "done"), (2, "failed"), (9, "none")])
def test_only_what_waits_can_be_approved_or_vetoed(trial: int, now: str):
    with fresh_study() as study:
        study.ask(3)
        study.tell(1, 5.0)
        study.tell(2, error="broken")
        for kind in ("approve", "veto"):
            with pytest.raises(BadSetting, match=f"{trial}, which is {now}"):
                study.steer(kind, trial=trial)
        assert study.steer("veto", trial=3) == 1


def test_what_runs_cannot_be_vetoed():
    refused: list[str] = []

    def veto(study: Study) -> None:
        with pytest.raises(BadSetting) as caught:
            study.steer("veto", trial=1)
        refused.append(str(caught.value))

    with fresh_study(evaluator=(person := Person({1: veto}))) as study:
        person.run(study, 2)
    assert "1, which is running" in refused[0]


# ---- withdrawal -------------------------------------------------------------------------------------------------


def ban_of(study: Study, trial: int) -> str:
    return OPTIONS[study.trials()[trial - 1].arch.genes[0]]


def test_what_was_made_impossible_is_withdrawn_and_what_runs_is_finished():
    banned: list[str] = []

    def ban(study: Study) -> None:
        banned.append(ban_of(study, 1))
        study.steer("ban", choice=EDGE, option=banned[0], who="anna")

    with fresh_study(evaluator=(person := Person({1: ban})), seed=3) as study:
        person.run(study, 30, batch=20)
        option = OPTIONS.index(banned[0])
        hit = [row for row in study.rows if row.genes.startswith(f"{option}-")]
        assert [row.id for row in hit if row.state == "done"] == [1]
        assert len(hit) > 1
        assert {row.state for row in hit[1:]} == {"withdrawn"}
        assert {row.error for row in hit[1:]} == {f"withdrawn by steering row 1 of anna: ban {EDGE} {banned[0]}"}
        assert not {row.id for row in hit[1:]} & set(person.evaluated)
        assert all(row.started is None and row.told is None for row in hit[1:])


def test_what_was_withdrawn_is_no_evaluation():
    with fresh_study() as study:
        first = study.ask(5)
        study.steer("veto", trial=1)
        study.steer("ban", architecture=str(first[1].arch))
        assert study.run(8, batch=5, patience=50) == {"trials": 8}
        assert states(study) == ["withdrawn"] * 2 + ["done"] * 8
        assert study.finished == 8
        history = study.history()
        assert len(history) == 8
        assert (history.done.ids + 1).tolist() == list(range(3, 11))
        assert counted(study.trials(), None) == "8 evaluations; 2 proposals withdrawn"
        assert study.best()[0].id == max(study.rows[2:], key=lambda row: row.metrics["accuracy"]).id


def test_a_withdrawn_network_may_come_again_once_the_row_is_taken_back(tmp_path: Path):
    path = tmp_path / "study.db"
    with fresh_study(path) as study:
        arch = Architectures.of([study.ask(1)[0].arch], study.space)
        row = study.steer("veto", trial=1)
        study.run(3)
        assert states(study)[0] == "withdrawn"
        assert not study.history().fresh(arch)[0]
        study.steer("retract", row=row)
        assert study.history().fresh(arch)[0]
        study.steer("evaluate", architecture=str(arch[0]))
        study.run(5, batch=1)
        assert [str(trial.arch) for trial in study.trials()].count(str(arch[0])) == 2
    with fresh_study(path) as study:
        assert len(study.history()) == 5
        assert not study.history().fresh(arch)[0]
        assert study.run(6) == {"trials": 6}


def test_a_search_goes_on_when_all_that_waits_is_withdrawn():
    for order in ("asked", "arrived"):
        with fresh_study() as study:
            for trial in study.ask(3):
                study.steer("veto", trial=trial.id)
            assert study.run(5, batch=3, order=order) == {"trials": 5}
            assert states(study) == ["withdrawn"] * 3 + ["done"] * 5


def test_what_waits_beyond_the_number_wanted_takes_the_place_of_what_is_withdrawn():
    with fresh_study() as study:
        study.ask(10)
        study.steer("veto", trial=2)
        assert study.run(4) == {"trials": 4}
        assert states(study) == ["done", "withdrawn", "done", "done", "done", *["waiting"] * 5]


def test_a_word_in_the_last_moment_is_heard_before_anything_starts(monkeypatch: pytest.MonkeyPatch):
    with fresh_study() as study:
        study.ask(2)
        due = study._due

        def late(position: int) -> bool:
            if not study.steers():
                study.steer("veto", trial=1)
            return due(position)

        monkeypatch.setattr(study, "_due", late)
        study.run(3, batch=2)
        assert states(study)[0] == "withdrawn"
        assert study.rows[0].started is None


# ---- the file -----------------------------------------------------------------------------------------------------

OLD = """CREATE TABLE trial (
    id INTEGER PRIMARY KEY, genes TEXT NOT NULL, canon TEXT NOT NULL, budget INTEGER NOT NULL, why TEXT NOT NULL,
    state TEXT NOT NULL, attempt INTEGER NOT NULL, seen INTEGER NOT NULL, told INTEGER UNIQUE, metrics TEXT NOT NULL,
    error TEXT, asked REAL NOT NULL, started REAL, ended REAL, UNIQUE (canon, budget)
)"""


def test_a_file_of_the_second_schema_is_brought_up_to_date(tmp_path: Path):
    path = tmp_path / "study.db"
    with fresh_study(path) as study:
        study.run(5)
        study.steer("ban", choice=EDGE, option="none")
        study.run(9)
        study.ask(2)
    rows = open_study(path)[1]
    db = sqlite3.connect(path)
    columns = "id, genes, canon, budget, why, state, attempt, seen, told, metrics, error, asked, started, ended"
    for statement in (
        "DROP INDEX once",
        "ALTER TABLE trial RENAME TO new",
        OLD,
        f"INSERT INTO trial SELECT {columns} FROM new",
        "DROP TABLE new",
        "DELETE FROM study WHERE key = 'runs'",
        "PRAGMA user_version = 2",
    ):
        db.execute(statement)
    db.commit()
    db.close()
    before = path.read_bytes()
    assert open_study(path)[1] == rows
    assert path.read_bytes() == before
    with fresh_study(path) as study:
        assert [row.steered for row in study.rows] == [0] * 5 + [1] * 6
        study.steer("veto", trial=10)
        assert study.run(12) == {"trials": 12}
        assert states(study)[9] == "withdrawn"
        assert study.planned == 12


def test_who_only_looks_sees_what_another_one_writes(tmp_path: Path):
    path = tmp_path / "study.db"
    with fresh_study(path) as study:
        study.run(5)
        with fresh_study(path, evaluator=None, read_only=True) as looking:
            assert looking.refresh() == []
            assert looking.driving is False
            study.ask(2)
            assert looking.refresh() == [5, 6]
            study.tell(7, 3.0)
            assert looking.refresh() == [6]
            study.steer("veto", trial=6)
            assert looking.refresh() == []
            assert looking.steering().vetoed.keys() == {6}
            seen: list[bool] = []
            study.run(9, batch=3, progress=lambda _: seen.append(looking.driving))
            assert set(seen) == {True}
            assert looking.refresh() == [5, 7, 8, 9]
            assert looking.rows == study.rows
            assert looking.finished == 9
            assert looking.planned == 9
            theirs, mine = looking.history(), study.history()
            assert (theirs.canon == mine.canon).all()
            assert np.array_equal(theirs.y, mine.y)
            assert looking.refresh() == []
            for write in (lambda: looking.steer("stop"), lambda: looking.ask(1)):
                with pytest.raises(CannotWrite):
                    write()


def test_threads_of_one_process_look_one_after_another(tmp_path: Path):
    path, lock = tmp_path / "study.db", threading.Lock()
    with fresh_study(path) as study, fresh_study(path, evaluator=None, read_only=True) as looking:

        def look(_: int) -> list[int]:
            with lock:
                return looking.refresh()

        study.ask(20)
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(look, range(8)))
        assert sorted(found, key=len)[-1] == list(range(20))
        assert sum(map(len, found)) == 20
