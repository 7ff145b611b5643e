"""A study's script makes it again: the same trials, whatever was said at whatever moment."""

from __future__ import annotations

import random
import runpy
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.evaluators import Columns, score
from tierwise import Study, make
from tierwise.architecture import Architectures
from tierwise.errors import BadSetting
from tierwise.replay import Planned, planned

FILL_IN = "evaluator = None  # fill in: the function of an architecture that evaluates it"


def rows_of(study: Study) -> list[Any]:
    """Of every trial what, when and why, and what came of it; without the clock."""
    return [(row.id, row.genes, row.why, row.state, row.seen, row.steered, row.told, row.metrics) for row in study.rows]


def run_script(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch, evaluator: str = "score") -> Study:
    """The study that a script makes, once what has to be filled in is filled in."""
    assert FILL_IN in text
    (folder / "again.py").write_text(text.replace(FILL_IN, f"from tests.evaluators import {evaluator} as evaluator"))
    monkeypatch.chdir(folder)
    return runpy.run_path(str(folder / "again.py"))["study"]


class Talker:
    """Says things at random in the middle of evaluations, and lets the search go on afterwards."""

    def __init__(self, seed: int, chance: float = 0.45):
        self.draw, self.chance, self.said = random.Random(seed), chance, 0

    def __call__(self, arch: Any, job: Any) -> dict[str, float]:
        while self.draw.random() < self.chance:
            self.speak(job.trial)
        return score(arch)

    def speak(self, running: int) -> None:
        study, draw = self.study, self.draw
        place, options = draw.randrange(6), list(study.space.choices[0].options)
        path = study.space.choices[place].path
        proposals = [row.id for row in study.rows if row.state == "waiting" and row.started is None]
        kinds: list[tuple[str, dict[str, Any]]] = [
            ("ban", {"choice": path, "option": draw.choice(options)}),
            ("narrow", {"rule": f"count({draw.choice(options)}) <= {draw.randint(1, 3)}"}),
            ("prefer", {"choice": path, "options": draw.sample(options, 2), "share": 0.5}),
            ("evaluate", {"architecture": str(study.space.at([draw.randrange(15_625)])[0])}),
            ("ban", {"architecture": str(study.space.at([draw.randrange(15_625)])[0])}),
            *[("audit", {"share": 0.5})] * 2,
            ("note", {"text": "seen"}),
            ("batch", {"size": draw.randint(1, 4)}),
        ]
        kinds += [("veto", {"trial": draw.choice(proposals)})] * 3 if proposals else []
        kind, what = draw.choice(kinds)
        try:
            if draw.random() < 0.3:
                study.undo(who="bob")
            else:
                study.steer(kind, who="anna", **what)
        except ValueError:
            raise
        except Exception as error:  # noqa: BLE001  what cannot be obeyed is not said
            assert "not possible" in str(error)
        else:
            self.said += 1


@pytest.mark.parametrize("seed", range(6))
def test_what_was_said_at_random_moments_is_said_again_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
):
    talker, batch = Talker(seed), 1 + seed % 5
    order: Any = ("asked", "arrived")[seed % 2]
    strategy = make("strategy", ("random", "evolution")[seed % 2])
    with Study(tmp_path / "talk.db", "nasbench201", strategy, talker, seed=seed) as study:
        talker.study = study
        study.run(17, order=order, batch=batch)
        study.run(30, order=order, batch=batch)
        assert talker.said > 5
        assert study.rows
        expected, said = rows_of(study), [(row.kind, row.who, row.what) for row in study.steers()]
        with run_script(study.script(), tmp_path, monkeypatch) as again:
            assert [(row.kind, row.who, row.what) for row in again.steers()] == said
            assert rows_of(again) == expected
            assert again.path is not None
            assert again.path.resolve() == tmp_path / "talk-again.db"


def test_withdrawals_are_among_what_is_said_again():
    """The random talks above are of use only if they withdraw, audit and undo."""
    found = {"withdrawn": 0, "audit": 0, "retract": 0}
    for seed in range(6):
        talker = Talker(seed)
        with Study(None, "nasbench201", ("random", "evolution")[seed % 2], talker, seed=seed) as study:
            talker.study = study
            study.run(17, order="asked", batch=1 + seed % 5)
            found["withdrawn"] += sum(row.state == "withdrawn" for row in study.rows)
            found["audit"] += sum(row.why.get("strategy") == "audit" for row in study.rows)
            found["retract"] += sum(row.kind == "retract" for row in study.steers())
    assert min(found.values()) > 1, found


def test_a_table_that_answers_in_batches_gives_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    talker = Talker(7)
    with Study(tmp_path / "talk.db", "nasbench201", "evolution", talker, seed=7) as study:
        talker.study = study
        study.run(30, order="asked", batch=5)
        text = study.script().replace("evaluator, maximize", "evaluator(), maximize")
        with run_script(text, tmp_path, monkeypatch, Columns.__name__) as again:
            assert rows_of(again) == rows_of(study)


def test_what_only_takes_time_takes_none_in_a_replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with Study(tmp_path / "slow.db", "nasbench201", "random", score) as study:
        study.run(4, order="asked", batch=3)
        study.steer("review", wait=0.3)
        study.steer("stop", who="anna", reason="lunch")
        study.steer("retract", row=2)
        study.run(9, order="asked", batch=3)
        study.steer("pause")
        with run_script(study.script(), tmp_path, monkeypatch) as again:
            assert [row.kind for row in again.steers()] == ["note", "note", "retract", "note"]
            assert again.steers()[1].what == {"text": "stop reason lunch"}
            assert rows_of(again) == rows_of(study)


def test_a_branch_is_the_same_search_up_to_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with Study(tmp_path / "trunk.db", "nasbench201", "random", score, seed=4) as study:
        study.run(8, batch=2)
        first = study.steer("ban", choice="cell/0-1", option="none")
        study.run(16, batch=2)
        study.steer("pin", choice="cell/0-2", option="none")
        study.run(24, batch=2)
        with pytest.raises(BadSetting, match="up to 2, or 0"):
            study.script(3)
        with run_script(study.script(first), tmp_path, monkeypatch) as branch:
            assert branch.path is not None
            assert branch.path.name == "trunk-from-row-1.db"
            assert [row.kind for row in branch.steers()] == ["ban"]
            assert rows_of(branch)[:16] == rows_of(study)[:16]
            place = [choice.path for choice in branch.space.choices].index("cell/0-2")
            assert len({trial.arch.genes[place] for trial in branch.trials()[16:]}) > 1


def test_a_replay_that_was_killed_goes_on_as_if_it_was_not(tmp_path: Path):
    """An image of the file and its log at each SQL statement of a replay, as a kill right there leaves them."""
    talker, images = Talker(11, chance=0.6), list[Path]()

    def picture(_: str) -> None:
        images.append(tmp_path / f"{len(images)}.db")
        for suffix in ("", "-wal"):
            shutil.copyfile(tmp_path / f"study.db{suffix}", f"{images[-1]}{suffix}")

    with Study(None, "nasbench201", "evolution", talker, seed=11) as study:
        talker.study = study
        study.run(10, order="asked", batch=4)
        expected, said = rows_of(study), planned(study._columns, study.steers(), study.rule_columns)
        assert {"withdrawn", "done"} == {row.state for row in study.rows}
    with Study(tmp_path / "study.db", "nasbench201", "evolution", score, seed=11) as study:
        study._store._db.set_trace_callback(picture)
        study.run(10, order="asked", batch=4, steering=said)
        study._store._db.set_trace_callback(None)
        assert rows_of(study) == expected
    writes = images[:: max(1, len(images) // 40)]
    assert len(writes) >= 40
    for image in writes:
        with Study(image, "nasbench201", "evolution", score, seed=11) as study:
            study.run(10, order="asked", batch=4, steering=said)
            assert rows_of(study) == expected


def test_results_known_before_limits_and_narrowed_spaces_are_in_the_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    space = make("space", "nasbench201").narrow("cell/0-1", ["none", "nor_conv_3x3"])
    limits: Any = {"params": (2e5, float("inf"))}
    strategy = make("strategy", "evolution", population=7)
    with Study(tmp_path / "known.db", space, strategy, score, limits=limits) as study:
        archs = study.history().sample(5, np.random.default_rng(1))
        study.include(Architectures.of(list(archs), space), [score(arch)["accuracy"] for arch in archs], "a.csv")
        study.run(20, order="asked")
        with run_script(study.script(), tmp_path, monkeypatch) as again:
            assert again.limits == study.limits
            assert rows_of(again) == rows_of(study)


def test_what_is_registered_nowhere_has_to_be_filled_in():
    from tests.small_spaces import tiny

    class Mine:
        def __repr__(self) -> str:
            return "Mine()"

        def ask(self, history: Any, n: int, rng: Any) -> list[Any]:
            return []

    mine: Any = Mine()
    with Study(None, tiny(), mine, score) as study:
        text = study.script()
    assert "space = 'tiny'  # fill in: this space is not registered" in text
    assert "strategy = None  # fill in: Mine() is not registered" in text
    assert FILL_IN in text
    compile(text, "again.py", "exec")


def test_a_row_of_a_replay_waits_for_its_place():
    said = [Planned(results=4, trials=6, kind="ban", what={"choice": "cell/0-1", "option": "none"}, who="anna")]
    with Study(None, "nasbench201", "random", score) as study:
        study.run(12, order="asked", batch=2, steering=said)
        assert [(row.who, row.after) for row in study.steers()] == [("anna", 4)]
        assert [row.steered for row in study.rows] == [0] * 6 + [1] * 6
        study.run(14, order="asked", batch=2, steering=said)
        assert len(study.steers()) == 1
