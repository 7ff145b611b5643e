"""``tierwise steer`` through the real entry point."""

from __future__ import annotations

import getpass
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

from tierwise import Study
from tierwise.study import open_study

Cli = Callable[..., tuple[int, str, str]]
LINE = ("run", "--strategy", "random", "--no-report", "--study", "runs/a.db", "--trials")
STUDY = Path("runs/a.db")


@pytest.fixture
def steer(cli: Cli) -> Callable[..., str]:
    """Steers a small study; what it says."""
    assert cli(*LINE, 20)[0] == 0

    def call(*words: object) -> str:
        code, out, err = cli("steer", STUDY, *words)
        assert code == 0, err
        return out

    return call


def test_a_search_is_steered_and_goes_on(cli: Cli, steer: Callable[..., str]):
    assert "all 15,625 architectures may be proposed" in steer()
    out = steer("narrow", "cell/0-1", "nor_conv_3x3", "nor_conv_1x1", "--who", "anna")
    assert "row 1 of anna: narrow cell/0-1 nor_conv_3x3 nor_conv_1x1" in out
    assert "6,250 of 15,625 architectures remain, 15,625 before; " in out
    assert " of 20 evaluated ones are now outside" in out
    assert "results that have it are" in out
    assert "3,125 of 15,625" in steer("pin", "cell/0-1", "nor_conv_3x3")
    assert "2,500 of 15,625" in steer("ban", "cell/0-2", "none")
    assert "2,499 of 15,625" in steer("ban", "--architecture", "3-3-3-1-3-2")
    assert "75% of the proposals come from 500 of" in steer("prefer", "cell/2-3", "nor_conv_3x3")
    assert "75% of the proposals come from 375 of" in steer("avoid", "cell/0-2", "skip_connect", "none")
    assert "next" in steer("evaluate", "3-3-3-1-3-3")
    out = steer("retract", 2)
    assert "as if row 2 of" in out
    assert "4,999 of 15,625 architectures remain, 2,499 before" in out
    assert cli(*LINE, 30)[0] == 0
    with Study(STUDY, "nasbench201", "random", None, notes={"benchmark": {"name": "nasbench201"}}) as study:
        new = study.trials()[20:]
        assert all(trial.arch.genes[0] in (2, 3) for trial in new)
        assert new[0].arch.gene_text == "3-3-3-1-3-3"
    listed = steer().splitlines()
    assert "anna" in listed[0]
    assert "after 20 results  narrow cell/0-1 nor_conv_3x3 nor_conv_1x1  (in force)" in listed[0]
    assert "(retracted by 8)" in listed[1]
    assert "(trial 21, done)" in listed[6]
    assert "4,999 of 15,625 architectures remain; 75% of the proposals" in listed[-1]


def test_a_stopped_search_says_how_to_go_on(cli: Cli, steer: Callable[..., str]):
    steer("stop", "--who", "anna")
    code, out, _ = cli(*LINE, 30)
    assert code == 0
    assert "stopped by steering row 1 of anna; tierwise steer runs/a.db retract 1 to go on" in out
    assert "20 evaluations;" in out
    assert "the search is stopped by row 1" in steer()
    steer("retract", "1")
    assert "30 evaluations are done" in cli(*LINE, 30)[1]


def test_a_search_that_ran_out_of_what_was_left_says_so(cli: Cli, steer: Callable[..., str]):
    for edge in ("0-1", "0-2", "0-3", "1-2"):
        steer("pin", f"cell/{edge}", "nor_conv_3x3")
    out = cli(*LINE, 300)[1]
    assert "nothing new to propose" in out
    assert "steering has left 25 of 15,625: tierwise steer runs/a.db" in out


def test_a_preview_writes_nothing(cli: Cli, steer: Callable[..., str]):
    before = STUDY.read_bytes()
    out = steer("prefer", "cell/0-1", "nor_conv_3x3", "--share", "0.5", "--reason", "it looks good", "--preview")
    assert "prefer cell/0-1 nor_conv_3x3 --share 0.5 --reason 'it looks good', if it were written:" in out
    assert "50% of the proposals come from 3,125 of 15,625" in out
    assert STUDY.read_bytes() == before
    steer("ban", "cell/0-1", "nor_conv_3x3")
    code, _, err = cli("steer", STUDY, "pin", "cell/0-1", "nor_conv_3x3", "--preview")
    assert code == 2
    assert "ban cell/0-1 nor_conv_3x3" in " ".join(err.split())
    assert "if it were written" in steer("note", "as", "--preview") + steer("review", "60", "--preview")


def test_what_was_said_last_is_taken_back_and_said_again(steer: Callable[..., str]):
    steer("ban", "cell/0-1", "none", "--who", "anna")
    out = steer("undo", "--who", "bob")
    assert "row 2 of bob: retract 1" in out
    assert "as if row 1 of anna had never been written: ban cell/0-1 none" in out
    assert "15,625 of 15,625 architectures remain, 12,500 before" in out
    assert "12,500 of 15,625 architectures remain, 15,625 before" in steer("redo")
    steer("review", "60")
    assert "proposals wait 60.0 s for a person, by row 4" in steer()


def test_a_script_makes_the_search_again(cli: Cli, steer: Callable[..., str]):
    steer("ban", "cell/0-1", "none")
    assert cli(*LINE, 30)[0] == 0
    Path("again.py").write_text(steer("--script"))
    with runpy.run_path("again.py")["study"] as again:
        found = [(row.genes, row.why, row.metrics, row.seen, row.steered) for row in again.rows]
        assert [row.what for row in again.steers()] == [{"choice": "cell/0-1", "option": "none"}]
        assert again.path == Path("a-again.db")
    rows = open_study(STUDY)[1]
    assert found == [(row.genes, row.why, row.metrics, row.seen, row.steered) for row in rows]


def test_who_is_who_runs_it(steer: Callable[..., str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(getpass, "getuser", lambda: "bob")
    assert "row 1 of bob" in steer("stop")

    def nobody() -> str:
        raise OSError("no user of this number")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert "row 2 of somebody" in steer("retract", 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["narow"], 'did you mean "narrow"?'),
        (["narrow", "cell/0-1"], "CHOICE OPTION..."),
        (["narrow", "cell/0-1", "conv"], 'no option of cell/0-1 "conv"'),
        (["narrow", "cell/0-4", "none"], "cell/0-3"),
        (["pin", "cell/0-1", "none", "skip_connect"], "CHOICE OPTION"),
        (["ban", "3-3-3-1-3-2"], "--architecture TEXT"),
        (["ban", "--architecture", "hello"], "not an architecture"),
        (["pin", "--architecture", "3-3-3-1-3-2"], "choice, option"),
        (["review", "soon"], "SECONDS"),
        (["review", "1000000"], "0 to 604,800"),
        (["veto", "first"], "the number of a TRIAL"),
        (["veto", "5"], "which is done"),
        (["audit", "0.7"], "0 to 0.5"),
        (["prefer", "cell/0-1", "none", "--share", "2"], "0 to 1"),
        (["undo"], "one steering row at least"),
        (["redo"], "right after an undo"),
        (["undo", "3"], "nothing"),
        (["evaluate"], "ARCHITECTURE"),
        (["evaluate", "3-3-3-1-3-9"], "allowed 0 to 4"),
        (["stop", "now"], "nothing"),
        (["retract"], "the number of a row"),
        (["retract", "all"], "the number of a row"),
        (["retract", "1"], "none is in force"),
    ],
)
def test_what_cannot_be_obeyed_is_one_line_that_helps(cli: Cli, words: list[str], said: str, whole: Path):
    before = whole.read_bytes()
    code, _, err = cli("steer", whole, *words)
    assert code == 2
    assert said in " ".join(err.split())
    assert "Traceback" not in err
    assert whole.read_bytes() == before


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "a.db"
    with Study(path, "nasbench201", "random", lambda arch: float(sum(arch.genes))) as study:
        study.run(5)
    return path


def test_a_search_that_python_made_is_steered_and_shown(cli: Cli, whole: Path, tmp_path: Path):
    path = tmp_path / "a.db"
    path.write_bytes(whole.read_bytes())
    assert "of 5 evaluated ones are now outside" in cli("steer", path, "pin", "cell/0-1", "none")[1]
    assert cli("best", path)[0] == 0


def test_a_search_of_an_unknown_space_is_refused(cli: Cli, tmp_path: Path):
    from tests.small_spaces import tiny

    with Study(tmp_path / "a.db", tiny(), "random", lambda arch: 1.0) as study:
        study.run(2)
    code, _, err = cli("steer", tmp_path / "a.db", "stop")
    assert code == 2
    assert "open it in Python" in err
