"""Steering: every strategy obeys from the next ask on, nothing that cannot be obeyed is written, retract undoes."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.evaluators import score
from tests.small_spaces import Unordered
from tierwise import Study
from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadArchitecture, BadSetting, Conflict, NotAStudy, TierwiseError, UnknownName
from tierwise.history import Proposal
from tierwise.steering import Steer, Steering
from tierwise.study import open_study

EDGE = "cell/0-1"
CONVOLUTIONS = ["nor_conv_1x1", "nor_conv_3x3"]
BEST = "nasbench201/3-3-3-1-3-2"
ROWS: dict[str, dict[str, Any]] = {  # one that can be obeyed of each kind and form
    "narrow": {"choice": EDGE, "options": CONVOLUTIONS},
    "pin": {"choice": EDGE, "option": "none"},
    "ban": {"choice": EDGE, "option": "none"},
    "ban ": {"architecture": BEST},
    "prefer": {"choice": EDGE, "options": CONVOLUTIONS},
    "avoid": {"choice": EDGE, "options": CONVOLUTIONS},
    "evaluate": {"architecture": BEST},
    "narrow ": {"rule": "count(none) <= 2"},
    "ban  ": {"rule": "count(none) >= 3"},
    "prefer ": {"rule": "count(nor_conv_3x3) >= 2"},
    "avoid ": {"rule": "count(none) >= 1"},
    "prefer  ": {"choice": EDGE, "options": CONVOLUTIONS, "share": 0.9, "reason": "they look good"},
    "audit": {"share": 0.2},
    "review": {"wait": 600},
    "batch": {"size": 3},
    "note": {"text": "so far, so good"},
    "pause": {},
    "continue": {},
    "stop": {},
}


def fresh_study(path: Path | None = None, strategy: Any = "random", **given: Any) -> Study:
    return Study(path, "nasbench201", strategy, score, **given)


def genes(study: Study, since: int = 0) -> np.ndarray:
    return np.array([trial.arch.genes for trial in study.trials()[since:]])


# ---- each kind --------------------------------------------------------------------------------------------------


def test_narrow_pin_and_ban_decide_where_it_looks():
    with fresh_study() as study:
        study.steer("narrow", choice=EDGE, options=CONVOLUTIONS)
        study.steer("ban", choice="cell/0-2", option="none")
        study.steer("pin", choice="cell/2-3", option="skip_connect")
        assert study.steering().space.size == 2 * 4 * 5**3
        study.run(40)
        assert set(genes(study)[:, 0]) == {2, 3}
        assert 0 not in genes(study)[:, 1]
        assert set(genes(study)[:, 5]) == {1}


def test_rules_decide_where_it_looks():
    with fresh_study() as study:
        study.steer("narrow", rule='count(nor_conv_3x3) >= 2 and pick("cell/0-1") != "none"')
        study.steer("ban", rule="params > 1e6")
        study.run(40)
        params = study.space.totals(study.history().archs)[:, 1]
        assert ((genes(study) == 3).sum(1) >= 2).all()
        assert (genes(study)[:, 0] != 0).all()
        assert (params <= 1e6).all()
        every = study.space.enumerate()
        meant = ((every.genes == 3).sum(1) >= 2) & (every.genes[:, 0] != 0)
        meant &= study.space.totals(every)[:, 1] <= 1e6
        assert study.steering().left.count() == meant.sum()
        assert study.steering().left.contains(every).tolist() == meant.tolist()


def test_three_of_four_fulfil_a_preferred_rule():
    with fresh_study() as study:
        study.steer("prefer", rule="count(nor_conv_3x3) >= 3")
        study.run(400)
        share = ((study.space.enumerate().genes == 3).sum(1) >= 3).mean()
        seen = ((genes(study) == 3).sum(1) >= 3).mean()
        assert abs(seen - (0.75 + 0.25 * share)) < 4 * np.sqrt(0.25 / 400)


def test_a_pause_holds_a_running_search_until_continue(tmp_path: Path):
    path = tmp_path / "study.db"

    def hold(study: Study) -> None:
        if study.finished == 10:
            study.steer("pause", who="anna")
            threading.Timer(0.5, goes_on).start()

    def goes_on() -> None:
        with fresh_study(path) as mine:
            mine.steer("continue", who="bob")

    with fresh_study(path) as study:
        assert study.run(20, batch=1, progress=hold) == {"trials": 20}
        assert [(row.kind, row.after) for row in study.steers()] == [("pause", 10), ("continue", 10)]


def test_a_held_search_can_be_stopped_and_asks_for_nothing():
    with fresh_study() as study:
        study.run(3)
        row = study.steer("pause")
        assert study.ask(2) == []
        study.steer("stop")
        assert study.run(9) == {"stopped": "by steering row 2"}
        study.steer("retract", row=2)
        study.steer("retract", row=row)
        assert len(study.ask(2)) == 2


def test_a_banned_network_is_not_proposed_in_any_notation():
    space = Unordered()
    with Study(None, space, "random", score) as study:
        every = space.enumerate()
        study.steer("ban", architecture=str(every[60]))
        assert study.run(1_000)["exhausted"]
        assert study.finished == len(np.unique(space.canonical(every))) - 1


@pytest.mark.parametrize("kind", ["prefer", "avoid"])
def test_three_of_four_are_where_a_preference_points_to(kind: str):
    with fresh_study() as study:
        study.steer(kind, choice=EDGE, options="nor_conv_3x3")
        study.run(400)
        of_it = np.mean((genes(study)[:, 0] == 3) == (kind == "prefer"))
        least = 0.75 + 0.25 * (0.2 if kind == "prefer" else 0.8)  # the rest comes from anywhere
        assert abs(of_it - least) < 4 * np.sqrt(0.25 / 400)


@pytest.mark.parametrize(("kind", "share"), [("prefer", 0.2), ("avoid", 0.9), ("prefer", 1)])
def test_a_preference_may_have_a_share_of_its_own(kind: str, share: float):
    with fresh_study() as study:
        study.steer("avoid", rule="count(none) == 6", share=0.5)
        study.steer(kind, choice=EDGE, options=["nor_conv_3x3", "nor_conv_1x1"], share=share)
        study.run(400)
        of_it = np.mean(np.isin(genes(study)[:, 0], [2, 3]) == (kind == "prefer"))
        least = share + (1 - share) * (0.4 if kind == "prefer" else 0.6)
        assert abs(of_it - least) <= 4 * np.sqrt(least * (1 - least) / 400)


# ---- audits -------------------------------------------------------------------------------------------------------


def test_audits_are_a_share_of_the_proposals_from_what_people_exclude():
    with fresh_study(limits={"params": 1e6}) as study:
        study.steer("ban", choice=EDGE, option="none")
        study.steer("narrow", rule="count(nor_conv_3x3) >= 1")
        study.steer("ban", architecture="nasbench201/0-0-0-0-0-1")
        study.steer("audit", share=0.25)
        study.run(300)
        excluded = (genes(study)[:, 0] == 0).astype(int) + 2 * ~(genes(study) == 3).any(1)
        audits = np.array([trial.why.get("strategy") == "audit" for trial in study.trials()])
        assert (audits == (excluded > 0)).all()
        assert abs(audits.mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 300)
        rows = [trial.why["rows"] for trial in study.trials() if trial.why.get("strategy") == "audit"]
        assert rows == [{1: [1], 2: [2], 3: [1, 2]}[e] for e in excluded[audits].tolist()]
        assert (study.cost("params", study.history().archs) <= 1e6).all()
        assert study.finished == 300
        banned = study.space.canonical(Architectures.of([Architecture("nasbench201", (0, 0, 0, 0, 0, 1))], study.space))
        assert banned[0] not in study.history().canon


def test_what_a_ban_costs_is_told_by_audits():
    """Accuracy counts the first edge most; the ban of its best option costs what is between it and the next."""
    with Study(None, "nasbench201", "random", lambda arch: 10.0 * arch.genes[0] + arch.genes[1]) as study:
        first = study.steer("ban", choice=EDGE, option="avg_pool_3x3")
        second = study.steer("ban", choice="cell/0-2", option="none")
        assert [(found.audited, found.regret) for found in study.ban_regret()] == [(0, None), (0, None)]
        study.steer("audit", share=0.5)
        study.run(300)
        costly, harmless = study.ban_regret()
        assert (costly.row.id, harmless.row.id) == (first, second)
        assert (costly.best_audited, costly.best_allowed, costly.regret) == (44.0, 34.0, 10.0)
        audits = [trial.arch.genes for trial in study.trials() if trial.why.get("strategy") == "audit"]
        assert costly.audited == sum(genes[0] == 4 for genes in audits)
        assert harmless.audited == sum(genes[1] == 0 for genes in audits)
        assert (harmless.best_audited, harmless.regret) == (40.0, 6.0)  # of both bans together, 40 is excluded by both
        study.steer("retract", row=first)
        assert [(found.row.id, found.best_allowed, found.regret) for found in study.ban_regret()] == [
            (second, 44.0, 0.0)
        ]


def test_a_vetoed_network_and_a_withdrawn_audit():
    with fresh_study() as study:
        study.steer("ban", choice=EDGE, option="none")
        study.steer("audit", share=0.5)
        asked = study.ask(10)
        audits = [trial for trial in asked if trial.why["strategy"] == "audit"]
        assert 1 < len(audits) < 10
        study.steer("ban", architecture=str(audits[0].arch), who="anna")
        study.steer("veto", trial=audits[1].id)
        study.steer("ban", choice="cell/2-3", option="none")
        study.run(12)
        states = {trial.id: trial.state for trial in study.trials()}
        assert (states[audits[0].id], states[audits[1].id]) == ("withdrawn", "withdrawn")
        assert all(states[trial.id] == "done" for trial in audits[2:])
        ordinary = [trial for trial in asked if trial not in audits]
        assert all((states[t.id] == "withdrawn") == (t.arch.genes[5] == 0) for t in ordinary)


def test_what_is_wanted_comes_first_and_once():
    with fresh_study() as study:
        study.run(5)
        row = study.steer("evaluate", architecture=BEST)
        study.run(12, batch=1)
        assert str(study.trials()[5].arch) == BEST
        assert dict(study.trials()[5].why) == {"strategy": "steering", "row": row}
        assert study.history().fresh(study.history().archs).sum() == 0


def test_what_is_wanted_is_left_out_once_it_is_narrowed_away():
    with fresh_study() as study:
        study.steer("evaluate", architecture=BEST)
        study.steer("ban", choice=EDGE, option="nor_conv_3x3")
        assert all(str(trial.arch) != BEST for trial in study.ask(5))


def test_stop_ends_a_run_and_says_who_said_so():
    with fresh_study() as study:
        study.run(5)
        study.steer("stop", who="anna")
        assert study.run(9) == {"stopped": "by steering row 1 of anna"}
        assert study.ask(3) == []
        study.steer("retract", row=1)
        assert study.run(9) == {"trials": 9}


class Stopped:
    """Somebody says stop between the driver's look and its next ask."""

    def ask(self, history: Any, n: int, rng: Any) -> list[Any]:
        if len(history) == 4:
            self.study.steer("stop")
            return []
        return [Proposal(arch, {}) for arch in history.sample(n, rng)]

    def __repr__(self) -> str:
        return "Stopped()"


def test_stop_is_the_reason_also_where_nothing_more_is_proposed():
    strategy: Any = Stopped()
    with fresh_study(strategy=strategy) as study:
        strategy.study = study
        assert study.run(9, batch=1) == {"stopped": "by steering row 1"}


# ---- the laws -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ROWS)
def test_a_retracted_row_is_as_if_it_had_never_been_written(kind: str):
    with fresh_study(strategy="evolution") as steered, fresh_study(strategy="evolution") as never:
        for study in (steered, never):
            study.run(10)
        steered.steer("retract", row=steered.steer(kind.strip(), **ROWS[kind]))
        assert steered.steering() == never.steering()
        for study in (steered, never):
            study.run(30)
        assert (genes(steered) == genes(never)).all()


def test_rows_are_obeyed_together_whatever_was_retracted_between_them():
    with fresh_study() as study:
        study.steer("narrow", choice=EDGE, options=CONVOLUTIONS)
        study.steer("pin", choice=EDGE, option="nor_conv_1x1")
        study.steer("retract", row=1)
        study.steer("ban", choice="cell/0-2", option="none")
        assert study.steering().space.size == 4 * 5**4
        study.steer("retract", row=2)
        assert study.steering().space.size == 4 * 5**5


REFUSED: list[tuple[str, dict[str, Any], type[TierwiseError], str]] = [
    ("narow", {}, UnknownName, 'did you mean "narrow"?'),
    ("narrow", {"choice": "cell/9", "options": ["none"]}, UnknownName, "cell/0-1"),
    ("narrow", {"choice": EDGE, "options": ["conv"]}, UnknownName, "nor_conv_3x3"),
    ("narrow", {"choice": EDGE, "options": []}, BadSetting, "one option or more"),
    ("narrow", {"choice": EDGE}, BadSetting, "choice, options"),
    ("narrow", {"rule": "count(none)"}, BadSetting, "a condition"),
    ("narrow", {"rule": "latency < 3"}, UnknownName, "latency"),
    ("narrow", {"rule": "count(none) > 6"}, BadSetting, "no architecture is left"),
    ("ban", {"rule": "count(none) >= 0"}, BadSetting, "no architecture is left"),
    ("prefer", {"rule": "count(none) > 1", "choice": EDGE}, BadSetting, "choice, options or rule"),
    ("prefer", {"rule": 3}, BadSetting, "text"),
    ("pause", {"choice": EDGE}, BadSetting, "no field"),
    ("pin", {"choice": EDGE, "options": ["none"]}, BadSetting, "choice, option"),
    ("pin", {"choice": EDGE, "option": "none"}, Conflict, "in the way: row 1: ban cell/0-1 none"),
    ("ban", {}, BadSetting, "choice, option or architecture or rule"),
    ("ban", {"architecture": "nasbench201/3-3"}, BadArchitecture, ""),
    ("avoid", {"choice": EDGE, "options": ["skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]},
     Conflict, "no architecture is left"),
    ("evaluate", {"architecture": "nasbench201/0-1-1-1-1-1"}, BadSetting, "what is left of the space"),
    ("evaluate", {"architecture": 7}, BadSetting, "text"),
    ("stop", {"choice": EDGE}, BadSetting, "no field"),
    ("review", {"wait": -1}, BadSetting, "0 to 604,800"),
    ("review", {"wait": True}, BadSetting, "a number"),
    ("approve", {"trial": 1}, BadSetting, "1, which is none"),
    ("veto", {"trial": 0}, BadSetting, "the number of a trial"),
    ("audit", {"share": 0.6}, BadSetting, "from 0 to 0.5"),
    ("batch", {"size": 0}, BadSetting, "from 1 to 1,000"),
    ("batch", {"size": True}, BadSetting, "from 1 to 1,000"),
    ("prefer", {"choice": EDGE, "options": ["none"], "share": float("nan")}, BadSetting, "from 0 to 1"),
    ("ban", {"choice": EDGE, "option": "none", "reason": "x" * 1001}, BadSetting, "at most 1,000 characters"),
    ("ban", {"choice": EDGE, "option": "none", "share": 0.5}, BadSetting, "reason may be added"),
    ("note", {}, BadSetting, "text; row and reason may be added"),
    ("retract", {"row": 2}, BadSetting, "in force: 1"),
    ("retract", {"row": "1"}, BadSetting, "the number of a steering row"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "what", "error", "said"), REFUSED)
def test_what_cannot_be_obeyed_is_refused_before_it_is_written(
    tmp_path: Path, kind: str, what: dict[str, Any], error: type[TierwiseError], said: str
):
    path = tmp_path / "study.db"
    with fresh_study(path) as study:
        study.steer("ban", choice=EDGE, option="none")
    before = path.read_bytes()
    with fresh_study(path) as study, pytest.raises(error) as caught:
        study.steer(kind, **what)
    assert said in str(caught.value)
    assert path.read_bytes() == before


def test_what_was_evaluated_or_exceeds_a_limit_cannot_be_wanted():
    with fresh_study(limits={"params": 0.5e6}) as study:
        study.run(3)
        for arch in (str(study.trials()[0].arch), "nasbench201/3-3-3-3-3-3"):
            with pytest.raises(BadSetting, match="a new one"):
                study.steer("evaluate", architecture=arch)


def test_steering_is_a_pure_function_of_its_rows():
    with fresh_study() as study:
        kinds = [kind for kind in ROWS if kind not in ("pin", "avoid", "ban ")]  # which contradict the others
        for kind in kinds:
            study.steer(kind.strip(), who="anna", **ROWS[kind])
        rows = study.steers()
        assert Steering.of(study.space, rows) == study.steering()
        assert [row.kind for row in rows] == [kind.strip() for kind in kinds]
        assert all(isinstance(row, Steer) and row.who == "anna" and row.after == 0 for row in rows)


# ---- somebody else drives -----------------------------------------------------------------------------------------


def test_a_running_driver_obeys_at_its_next_ask(tmp_path: Path):
    path = tmp_path / "study.db"

    def narrow(study: Study) -> None:
        if study.finished == 10:
            with fresh_study(path) as mine:  # another connection, and no driver's lock
                assert mine.steer("pin", choice=EDGE, option="nor_conv_3x3", who="anna") == 1

    with fresh_study(path) as study:
        study.run(40, batch=1, progress=narrow)
        assert len(set(genes(study)[:10, 0])) > 1
        assert set(genes(study, since=10)[:, 0]) == {3}
        assert study.steers()[0].after == 10


def test_another_process_stops_a_running_driver(tmp_path: Path):
    path = tmp_path / "study.db"
    code = (
        "import sys; from tierwise import Study; Study(sys.argv[1], 'nasbench201', 'random').steer('stop', who='bob')"
    )

    def stop(study: Study) -> None:
        if study.finished == 20:
            subprocess.run([sys.executable, "-c", code, str(path)], check=True, timeout=60)

    with fresh_study(path) as study:
        assert study.run(40, batch=1, progress=stop) == {"stopped": "by steering row 1 of bob"}
        assert study.finished == 20


# ---- the file -------------------------------------------------------------------------------------------------------


def edit(path: Path, statement: str, *values: Any) -> None:
    db = sqlite3.connect(path)
    db.execute(statement, values)
    db.commit()
    db.close()


DAMAGE: dict[str, tuple[str, Any]] = {
    "an unknown kind": ("kind", "nudge"),
    "a kind that is a number": ("kind", 5),
    "fields that are no JSON": ("what", "{"),
    "fields that are a list": ("what", "[1]"),
    "fields of another kind": ("what", '{"row": 1}'),
    "a share that is text": ("what", '{"choice": "cell/0-1", "options": ["none"], "share": "all"}'),
    "a trial that is none": ("what", '{"trial": -1}'),
    "options that are numbers": ("what", '{"choice": "cell/0-1", "options": [1]}'),
    "a choice that there is not": ("what", '{"choice": "cell/7", "options": ["none"]}'),
    "a time that is none": ("time", "noon"),
    "a time that no calendar has": ("time", 1e300),
    "an author who is a number": ("who", b"\xff"),
    "results that are text": ("after", "many"),
    "a number left out": ("id", 7),
}


@pytest.fixture(scope="module")
def steered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("steered") / "study.db"
    with fresh_study(path) as study:
        study.run(3)
        study.steer("narrow", choice=EDGE, options=CONVOLUTIONS)
    return path


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_rows_are_no_study(tmp_path: Path, steered: Path, name: str):
    path = Path(shutil.copy(steered, tmp_path / "study.db"))
    column, value = DAMAGE[name]
    edit(path, f"UPDATE steer SET {column} = ?", value)
    with pytest.raises(NotAStudy, match=r"study\.db: its steering (is damaged|cannot be obeyed)"):
        fresh_study(path)


OLD = """CREATE TABLE trial (
    id INTEGER PRIMARY KEY, genes TEXT NOT NULL, canon TEXT NOT NULL UNIQUE, why TEXT NOT NULL, state TEXT NOT NULL,
    attempt INTEGER NOT NULL, seen INTEGER NOT NULL, told INTEGER UNIQUE, metrics TEXT NOT NULL, error TEXT,
    asked REAL NOT NULL, started REAL, ended REAL
)"""


def as_schema_1(path: Path) -> None:
    """The file as the version before steering wrote it."""
    db = sqlite3.connect(path)
    columns = "id, genes, canon, why, state, attempt, seen, told, metrics, error, asked, started, ended"
    db.execute("ALTER TABLE trial RENAME TO new")
    db.execute(OLD)
    db.execute(f"INSERT INTO trial SELECT {columns} FROM new")
    for statement in ("DROP TABLE new", "DROP TABLE steer", "DELETE FROM study WHERE key = 'against'"):
        db.execute(statement)
    db.execute("PRAGMA user_version = 1")
    db.commit()
    db.close()


def test_an_old_file_is_looked_at_unchanged_and_upgraded_with_nothing_lost(tmp_path: Path):
    path = tmp_path / "study.db"
    with fresh_study(path) as study:
        study.run(30)
        study.ask(2)
    rows = open_study(path)[1]
    as_schema_1(path)
    before = path.read_bytes()
    assert open_study(path)[1] == rows
    assert path.read_bytes() == before
    with fresh_study(path) as study:
        assert study.steers() == []
        study.steer("pin", choice=EDGE, option="none")
        assert study.run(40) == {"trials": 40}
        assert set(genes(study, since=32)[:, 0]) == {0}
    assert open_study(path)[1][:30] == rows[:30]


def test_an_old_file_that_cannot_be_written_can_be_looked_at(tmp_path: Path):
    path = tmp_path / "study.db"
    with fresh_study(path) as study:
        study.run(3)
    as_schema_1(path)
    path.chmod(0o444)
    tmp_path.chmod(0o555)
    try:
        assert len(open_study(path)[1]) == 3
    finally:
        tmp_path.chmod(0o755)


def test_rows_are_plain_json_in_the_file(steered: Path):
    db = sqlite3.connect(steered)
    (what,) = db.execute("SELECT what FROM steer").fetchone()
    db.close()
    assert json.loads(what) == {"choice": EDGE, "options": CONVOLUTIONS}


def test_the_best_is_the_best_also_where_it_was_narrowed_away():
    with fresh_study() as study:
        study.run(30)
        best = study.best(3)
        study.steer("ban", choice=EDGE, option=study.space.choices[0].options[best[0].arch.genes[0]])
        assert study.best(3) == best
        assert best[0].arch not in study.steering().space
