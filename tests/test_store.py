"""The study file: whatever it is, whatever was done to it, and wherever it lies."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.evaluators import SETTINGS, score
from tierwise import Study, make
from tierwise.errors import CannotWrite, NewerSchema, NotAStudy, StudyError, StudyLocked, WrongStudy
from tierwise.strategies.evolution import Evolution
from tierwise.strategies.random import Random
from tierwise.study import open_study


def begin(path: Path, trials: int = 40) -> list[tuple[str, float]]:
    """A study of some trials; what it holds."""
    with Study(path, **SETTINGS) as study:
        study.run(trials)
        study.ask(2)
        return contents(study)


def contents(study: Study) -> list[tuple[str, float]]:
    return [(str(trial.arch), trial.metrics.get("accuracy", -1.0)) for trial in study.trials()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "study.db"
    begin(path, 120)
    return path


# ---- what is not a study ------------------------------------------------------------------------------------


def other_database(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE trial (id INTEGER)")
    db.close()


OTHERS = {
    "text": lambda path: path.write_text("accuracy,params\n1,2\n" * 100),
    "short": lambda path: path.write_bytes(b"SQLite"),
    "only the magic": lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(2000)),
    "random bytes": lambda path: path.write_bytes(random.Random(1).randbytes(10_000)),
    "another database": other_database,
    "folder": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_not_a_study_is_refused_and_left_alone(tmp_path: Path, kind: str):
    path = tmp_path / "study.db"
    OTHERS[kind](path)
    before = path.read_bytes() if path.is_file() else None
    for look in (lambda: Study(path, **SETTINGS), lambda: open_study(path)):
        with pytest.raises(NotAStudy, match=r"study\.db: .*; ?(give|restore)|is a folder"):
            look()
    assert before is None or path.read_bytes() == before


def test_no_file_is_a_new_study_to_run_and_an_error_to_look_at(tmp_path: Path):
    with pytest.raises(NotAStudy, match="tierwise run"):
        open_study(tmp_path / "none.db")
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(CannotWrite, match="there is no folder"):
        Study(tmp_path / "no" / "study.db", **SETTINGS)
    (tmp_path / "empty.db").touch()
    with Study(tmp_path / "empty.db", **SETTINGS) as study:
        assert study.run(3) == {"trials": 3}
    (tmp_path / "nothing.db").touch()
    with pytest.raises(NotAStudy):
        open_study(tmp_path / "nothing.db")


@pytest.mark.parametrize("name", [":memory:", "file:x?mode=memory", "a b%20#?.db", "ü.db"])
def test_a_name_is_a_name_whatever_sqlite_makes_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.chdir(tmp_path)
    with Study(name, **SETTINGS) as study:
        study.run(3)
    assert (tmp_path / name).is_file()
    assert len(open_study(name)[1]) == 3


@pytest.mark.parametrize("share", [0.0005, 0.003, 0.05, 0.2, 0.5, 0.8])
def test_a_truncated_study_is_refused_not_begun_anew(tmp_path: Path, whole: Path, share: float):
    path = tmp_path / "study.db"
    path.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
    with pytest.raises(NotAStudy, match="not a study, or damaged|damaged"):
        Study(path, **SETTINGS)
    with pytest.raises(NotAStudy):
        open_study(path)


@settings(max_examples=30, deadline=None)
@given(share=st.floats(0.001, 0.99999))
def test_a_study_cut_anywhere_is_refused_or_lost_nothing(tmp_path_factory, whole: Path, share: float):
    cut = tmp_path_factory.mktemp("cut") / "study.db"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
    try:
        rows = open_study(cut)[1]
    except NotAStudy:
        return
    assert rows == open_study(whole)[1]


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_study_of_flipped_bytes_is_read_or_refused_but_nothing_else(tmp_path_factory, whole: Path, seed: int):
    draw = random.Random(seed)
    broken = bytearray(whole.read_bytes())
    for _ in range(draw.randint(1, 20)):
        broken[draw.randrange(len(broken))] = draw.randrange(256)
    path = tmp_path_factory.mktemp("flipped") / "study.db"
    path.write_bytes(broken)
    try:
        open_study(path)
        with Study(path, **SETTINGS) as study:
            study.run(130)
            assert study.finished >= 120
    except StudyError as error:
        assert str(path) in str(error)


# ---- a study of something else --------------------------------------------------------------------------------


def test_a_newer_schema_is_named(tmp_path: Path):
    begin(tmp_path / "study.db")
    edit(tmp_path / "study.db", "PRAGMA user_version = 7")
    for look in (lambda: Study(tmp_path / "study.db", **SETTINGS), lambda: open_study(tmp_path / "study.db")):
        with pytest.raises(NewerSchema, match="schema 7, this one knows 3.; upgrade tierwise"):
            look()


OTHER_SETTINGS = {
    "space": {"space": make("space", "nasbench201").narrow("cell/0-1", ["none", "nor_conv_3x3"])},
    "objective": {"maximize": "top5"},
    "limits": {"limits": {"params": 9e5}},
    "limits given": {"limits": None},
    "seed": {"seed": 1},
    "strategy": {"strategy": "evolution"},
    "strategy settings": {"strategy": Evolution(population=7)},
    "notes": {"notes": {"benchmark": "another"}},
}


@pytest.mark.parametrize("name", OTHER_SETTINGS)
def test_a_study_of_something_else_is_named_and_kept(tmp_path: Path, name: str):
    first = begin(tmp_path / "study.db")
    expected = {"space": "allowed", "limits given": "limits", "strategy settings": "strategy"}.get(name, name)
    with pytest.raises(WrongStudy, match=f"study.db: is a study with {expected} .* not .*; give the same {expected}"):
        Study(tmp_path / "study.db", **{**SETTINGS, **OTHER_SETTINGS[name]})
    with Study(tmp_path / "study.db", **SETTINGS) as study:
        assert contents(study) == first


class Nameless:
    """A strategy whose text has its address in memory."""

    def ask(self, history, n, rng):
        return Random().ask(history, n, rng)


def test_a_strategy_without_a_text_of_its_own_can_go_on(tmp_path: Path):
    keep = Nameless()
    for trials, strategy in ((5, keep), (8, Nameless())):
        with Study(tmp_path / "study.db", "nasbench201", strategy, score) as study:
            assert study.run(trials) == {"trials": trials}


# ---- damaged rows ---------------------------------------------------------------------------------------------


def edit(path: Path, statement: str, *values: object) -> None:
    """What a person with another program does."""
    db = sqlite3.connect(path)
    db.execute(statement, values)
    db.commit()
    db.close()


DAMAGE: dict[str, tuple[object, ...]] = {
    "genes outside the space": ("genes = ?", "9-9-9-9-9-9"),
    "negative genes": ("genes = ?", "_-_-_-_-_-_"),
    "one gene": ("genes = ?", "3"),
    "too many genes": ("genes = ?", "3-0-2-1-3-3-3"),
    "no genes": ("genes = ?", ""),
    "huge genes": ("genes = ?", "99999999-0-0-0-0-0"),
    "hostile genes": ("genes = ?", "0'); DROP TABLE trial; --"),
    "genes that are no text": ("genes = ?", b"\xff\xfe"),
    "other genes": ("genes = ?", "4-4-4-4-4-4"),
    "key that is no number": ("canon = ?", "zz"),
    "huge key": ("canon = ?", "f" * 40),
    "another key": ("canon = ?", "00000000000000ff"),
    "broken reason": ("why = ?", '{"strategy": '),
    "reason of another form": ("why = ?", "[1]"),
    "bottomless reason": ("why = ?", "[" * 100_000),
    "broken metrics": ("metrics = ?", "{accuracy: 1}"),
    "infinite metrics": ("metrics = ?", '{"accuracy": 1e999}'),
    "metrics without a number": ("metrics = ?", '{"accuracy": "high"}'),
    "metrics of many digits": ("metrics = ?", '{"accuracy": ' + "9" * 5000 + "}"),
    "metrics of another form": ("metrics = ?", "3"),
    "no metrics": ("metrics = ?", "{}"),
    "unknown state": ("state = ?", "lost"),
    "told but waiting": ("state = ?", "waiting"),
    "done but not told": ("told = ?", None),
    "told out of order": ("told = ?", 10**6),
    "huge told": ("told = ?", 2**62),
    "attempt that is no number": ("attempt = ?", "first"),
    "huge attempt": ("attempt = ?", 2**62),
    "time that is no number": ("ended = ?", "noon"),
    "infinite time": ("started = ?", 9e999),
    "error that is no text": ("error = ?", b"\x00\xff"),
    "another id": ("id = ?", 777),
}
NEEDS_THE_SPACE = {
    *(name for name in DAMAGE if "gene" in name and "text" not in name),
    "another key",
    "no metrics",
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_row_is_named(tmp_path: Path, name: str):
    path = tmp_path / "study.db"
    begin(path)
    change, value = DAMAGE[name]
    edit(path, f"UPDATE trial SET {change} WHERE id = 3", value)
    with pytest.raises(NotAStudy, match=r"study\.db: .*damaged|study\.db: .*missing"):
        Study(path, **SETTINGS)
    if name not in NEEDS_THE_SPACE:
        with pytest.raises(NotAStudy, match=r"study\.db"):
            open_study(path)


def test_a_lost_row_and_broken_settings_are_named(tmp_path: Path):
    path = tmp_path / "study.db"
    begin(path)
    edit(path, "DELETE FROM trial WHERE id = 5")
    with pytest.raises(NotAStudy, match="rows are missing"):
        Study(path, **SETTINGS)
    edit(path, "UPDATE study SET value = '{' WHERE key = 'limits'")
    with pytest.raises(NotAStudy, match="settings are damaged"):
        open_study(path)
    edit(path, "DELETE FROM study")
    with pytest.raises(NotAStudy, match="never begun"):
        open_study(path)


# ---- where nothing can be written -------------------------------------------------------------------------------


@pytest.fixture
def unwritable(tmp_path: Path) -> Iterator[Path]:
    """A folder with a study, and another one that a killed driver left with a log; nobody can write there."""
    folder = tmp_path / "unwritable"
    folder.mkdir()
    root = os.geteuid() == 0  # no permission binds root: a mount does
    if root and subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, check=False).returncode:
        pytest.skip("root without the right to mount: nothing here is unwritable")
    try:
        begin(folder / "study.db")
        with Study(folder / "driven.db", **SETTINGS) as study:
            study.run(30)
            for suffix in ("", "-wal"):
                shutil.copyfile(folder / f"driven.db{suffix}", folder / f"killed.db{suffix}")
        if root:
            subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        else:
            folder.chmod(0o555)
        yield folder
    finally:
        if root:
            subprocess.run(["umount", folder], check=True)
        else:
            folder.chmod(0o755)


@pytest.mark.parametrize(("name", "rows"), [("study.db", 42), ("killed.db", 30)])
def test_a_study_in_an_unwritable_folder_can_be_looked_at(unwritable: Path, name: str, rows: int):
    assert len(open_study(unwritable / name)[1]) == rows
    with Study(unwritable / name, **SETTINGS) as study:
        assert len(study.trials()) == rows
        best = study.best()[0]
        for write in (lambda: study.run(60), lambda: study.ask(1), lambda: study.tell(41, 1.0)):
            with pytest.raises(CannotWrite, match=r"\.db: .*make the folder writable"):
                write()
        assert study.best()[0] == best


def test_a_new_study_in_an_unwritable_folder(unwritable: Path):
    with pytest.raises(CannotWrite, match="make the file and its folder writable"):
        Study(unwritable / "new.db", **SETTINGS)


SCRIPT = """
    import os, resource, sys
    from pathlib import Path
    from tests.evaluators import SETTINGS
    from tierwise import Study
    from tierwise.errors import CannotWrite
    from tierwise.study import open_study
    path = Path(sys.argv[1])
"""
READ_ONLY = """
    with Study(None, **SETTINGS) as study:
        study.run(20)  # whatever is imported late is imported now
    if os.geteuid() == 0:
        os.setuid(65534)  # no permission binds root
    print(len(open_study(path)[1]))
    with Study(path, **SETTINGS) as study:
        print(len(study.trials()))
        try:
            study.run(100)
        except CannotWrite as error:
            print("CannotWrite", error)
"""


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that every user of the machine may write to."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


def test_a_read_only_file_in_a_writable_folder(shared: Path):
    first = begin(shared / "study.db")
    (shared / "study.db").chmod(0o444)
    lines = script(READ_ONLY, shared / "study.db").stdout.splitlines()
    assert lines[:2] == ["42", "42"]
    assert lines[2].startswith("CannotWrite")
    assert "writable" in lines[2]
    (shared / "study.db").chmod(0o644)
    with Study(shared / "study.db", **SETTINGS) as study:
        assert contents(study) == first


def script(text: str, *arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own, from the folder above the tests."""
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT + text), *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=Path(__file__).parents[1], timeout=120, check=False
    )
    assert not check or done.returncode == 0, done.stderr
    return done


# ---- a full disk ------------------------------------------------------------------------------------------------

FULL = """
    if sys.argv[2] != "0":
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
    study = Study(path, **SETTINGS)
    told = 0
    try:
        study.run(4000, batch=1, progress=lambda s: print("told", s.finished, flush=True))
    except CannotWrite as error:
        print("CannotWrite", error)
    print("seen", study.finished)
    study.close()
"""


def check_after_a_full_disk(path: Path, limit: int, later: Path) -> None:
    done = script(FULL, path, limit)
    *told, complaint, seen = done.stdout.splitlines()
    assert complaint.startswith("CannotWrite")
    assert "free disk space, then run the same line again; what was told before is kept" in complaint
    shutil.move(path, later)
    if path.with_name(path.name + "-wal").exists():
        shutil.move(f"{path}-wal", f"{later}-wal")
    with Study(later, **SETTINGS) as study, Study(None, **SETTINGS) as never_full:
        assert len(told) > 20
        assert study.finished >= int(told[-1].split()[1])
        assert study.finished >= int(seen.split()[1])
        goal = study.finished + 30
        assert study.run(goal, batch=1) == {"trials": goal}
        never_full.run(goal, batch=1)
        assert contents(study) == contents(never_full)


def test_a_disk_that_fills_up_keeps_what_was_told(tmp_path: Path):
    check_after_a_full_disk(tmp_path / "study.db", 2_000_000, tmp_path / "later.db")


def test_a_file_system_that_fills_up_keeps_what_was_told(tmp_path: Path):
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, check=False
    ).returncode:
        pytest.skip("no right to mount a small file system")
    try:
        check_after_a_full_disk(folder / "study.db", 0, tmp_path / "later.db")
    finally:
        subprocess.run(["umount", folder], check=True)


# ---- two at once ------------------------------------------------------------------------------------------------


def test_looking_never_changes_a_study(tmp_path: Path):
    begin(tmp_path / "study.db")
    before = (tmp_path / "study.db").read_bytes()
    open_study(tmp_path / "study.db")
    assert (tmp_path / "study.db").read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["study.db", "study.db.lock"]


def test_another_program_in_the_middle_of_a_transaction_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tierwise.database.LOCK_WAIT", 0.05)
    begin(tmp_path / "study.db")
    db = sqlite3.connect(tmp_path / "study.db", isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    with Study(tmp_path / "study.db", **SETTINGS) as study:
        with pytest.raises(StudyLocked, match="another program is writing"):
            study.run(50)
        db.execute("ROLLBACK")
        db.close()
        assert study.run(50) == {"trials": 50}


def test_results_that_somebody_else_told_are_never_written_over(tmp_path: Path):
    begin(tmp_path / "study.db")
    with Study(tmp_path / "study.db", **SETTINGS) as one, Study(tmp_path / "study.db", **SETTINGS) as other:
        one.tell(41, 3.5)
        with pytest.raises(Exception, match="waiting"):
            other.tell(41, 9.9)
        other.tell(42, 1.5)
        one.run(60)
        other.ask(1)
        assert contents(one)[40] == contents(other)[40] == (contents(one)[40][0], 3.5)
        assert len(other.trials()) == 61


def test_many_that_begin_at_the_same_time_agree(tmp_path: Path):
    for k in range(10):
        barrier = threading.Barrier(4)

        def begin_together(path: Path, seed: int, barrier: threading.Barrier = barrier) -> int:
            barrier.wait()
            try:
                Study(path, **SETTINGS, seed=seed).close()
            except WrongStudy:
                return 0
            return 1

        with ThreadPoolExecutor(4) as pool:
            begun = sum(pool.map(begin_together, [tmp_path / f"{k}.db"] * 4, [0, 1, 2, 3]))
        assert begun == 1, "one seed holds, and the three others are told so"


def test_a_closed_study_says_so(tmp_path: Path):
    study = Study(tmp_path / "study.db", **SETTINGS)
    study.close()
    study.close()
    with pytest.raises(StudyError, match="has been closed"):
        study.run(3)
