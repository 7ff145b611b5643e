"""Adding a benchmark: once, whole or not at all, and on from where a killed conversion stopped."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.conftest import REPOSITORY
from tests.importers.nasbench101_files import framed, trainings, write
from tierwise.errors import BadSetting, BadTable, UnknownName
from tierwise.importers import folder as data_folder
from tierwise.importers.convert import Part, add, recognise

NAN = float("nan")


class Lines:
    """An importer of the tests: each line of a text is a part, "row value row value ..."."""

    name, space, about, licence = "lines", "nasbench201", "lines of rows and values", "CC0-1.0"
    official: tuple[str, ...] = ()
    started: list[int]

    def __init__(self, column: str = "cifar10/accuracy#*2") -> None:
        self.column, self.started = column, []

    def recognise(self, path: Path, head: bytes) -> bool:
        return head.startswith(b"lines")

    def parts(self, path: Path, start: int, progress: Callable[[int, int], None]) -> Iterator[tuple[int, Part]]:
        self.started.append(start)
        lines = path.read_text().splitlines()[1:]
        for number, line in enumerate(lines[start:], start=start + 1):
            if line == "stop":
                raise KeyboardInterrupt
            numbers = np.array(line.split(), dtype=np.float32).reshape(-1, 2)
            yield number, Part({self.column: numbers[:, 1]}, numbers[:, 0].astype(np.int64))
            progress(number, len(lines))


def text_file(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(["lines", *lines]))
    return path


def column(root: Path, name: str, benchmark: str = "lines") -> np.ndarray:
    return pq.read_table(root / benchmark / "table.parquet", columns=[name])[name].to_numpy()


def names_in(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir()) if root.is_dir() else []


def test_a_card_says_what_the_table_was_made_of(tmp_path: Path) -> None:
    source = text_file(tmp_path / "some.txt", "0 1.5 7 2.5", "7 3.5")
    (card,) = add([source], folder=tmp_path / "home", among=[Lines()])
    content = source.read_bytes()
    assert card == replace(
        card,
        name="lines",
        space="nasbench201",
        source="some.txt",
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        official=None,
        licence="CC0-1.0",
        rows=15_625,
        columns=("cifar10/accuracy#0", "cifar10/accuracy#1"),
        tierwise=version("tierwise"),
    )
    assert data_folder.cards(tmp_path / "home") == [card]
    assert names_in(tmp_path / "home" / "lines") == ["card.json", "table.parquet"]
    first, second = column(tmp_path / "home", "cifar10/accuracy#0"), column(tmp_path / "home", "cifar10/accuracy#1")
    assert (first[0], first[7], second[7]) == (1.5, 2.5, 3.5)
    assert np.isfinite(first).sum() == 2
    assert np.isfinite(second).sum() == 1


def test_a_published_checksum_is_compared(tmp_path: Path) -> None:
    source = text_file(tmp_path / "some.txt", "0 1")
    importer = Lines()
    importer.official = (hashlib.sha256(source.read_bytes()).hexdigest(),)
    assert add([source], folder=tmp_path / "a", among=[importer])[0].official is True
    importer.official = ("0" * 64,)
    assert add([source], folder=tmp_path / "b", among=[importer])[0].official is False


def test_the_data_folder_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIERWISE_HOME", str(tmp_path))
    (card,) = add([text_file(tmp_path / "some.txt", "0 1")], among=[Lines()])
    assert data_folder.converted("lines") == (tmp_path / "benchmarks" / "lines" / "table.parquet", card)
    with pytest.raises(UnknownName, match='did you mean "lines"'):
        data_folder.converted("line")
    monkeypatch.delenv("TIERWISE_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert data_folder.benchmarks_folder() == tmp_path / "data" / "tierwise" / "benchmarks"


def test_a_file_of_no_known_format_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("something else")
    with pytest.raises(BadTable, match="of no known format; known are: lines of rows and values"):
        add([other], folder=tmp_path / "home", among=[Lines()])
    with pytest.raises(BadTable, match="cannot be read"):
        recognise(tmp_path / "absent.txt", [Lines()])
    assert names_in(tmp_path / "home") == []


def test_what_was_converted_is_not_converted_again(tmp_path: Path) -> None:
    importer, source = Lines(), text_file(tmp_path / "some.txt", "0 1")
    first = add([source], folder=tmp_path / "home", among=[importer])
    assert add([source], folder=tmp_path / "home", among=[importer]) == first
    assert importer.started == [0]
    with pytest.raises(BadSetting, match="a name not taken"):
        add([text_file(tmp_path / "more.txt", "0 2")], folder=tmp_path / "home", among=[importer])
    (second,) = add([tmp_path / "more.txt"], name="more", folder=tmp_path / "home", among=[importer])
    assert second.name == "more"
    assert names_in(tmp_path / "home") == ["lines", "more"]


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden"])
def test_a_name_that_is_no_folder_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadSetting, match="name"):
        add([text_file(tmp_path / "some.txt", "0 1")], name=name, folder=tmp_path / "home", among=[Lines()])


@pytest.mark.parametrize(
    ("kind", "lines", "problem", "rows"),
    [
        ("cifar10/accuracy#*2", ["3 1 3 2", "4 1", "3 3"], "more than 2 repeats of cifar10/accuracy", [3]),
        ("cifar10/params", ["3 1 4 2", "3 1", "4 9"], "two different values of cifar10/params", [1]),
        ("cifar10/params", ["3 1", "15625 2", "1 1"], "architectures outside the 15,625", [0]),
        ("cifar10/params", ["-1 2"], "architectures outside the 15,625", [0]),
    ],
)
def test_what_cannot_be_merged_is_said_and_leaves_nothing(
    tmp_path: Path, kind: str, lines: list[str], problem: str, rows: list[int]
) -> None:
    with pytest.raises(BadTable, match=problem) as caught:
        add([text_file(tmp_path / "some.txt", *lines)], folder=tmp_path / "home", among=[Lines(kind)])
    assert caught.value.rows == rows
    assert names_in(tmp_path / "home") == []


def test_an_interrupted_conversion_goes_on_and_a_changed_source_starts_anew(tmp_path: Path) -> None:
    importer, root = Lines(), tmp_path / "home"
    source = text_file(tmp_path / "some.txt", "0 1", "1 2", "stop")
    with pytest.raises(KeyboardInterrupt):
        add([source], folder=root, among=[importer])
    assert names_in(root) == [".lines.part"]
    assert data_folder.cards(root) == []
    with pytest.raises(KeyboardInterrupt):
        add([source], folder=root, among=[importer])
    journal = root / ".lines.part" / "journal.jsonl"
    journal.write_text(journal.read_text()[:-5])  # the last line was being written when the machine went down
    with pytest.raises(KeyboardInterrupt):
        add([source], folder=root, among=[importer])
    text_file(source, "0 5", "1 6", "2 7")
    add([source], folder=root, among=[importer])
    assert importer.started == [0, 2, 1, 0]
    assert column(root, "cifar10/accuracy#0")[:4].tolist() == pytest.approx([5, 6, 7, NAN], nan_ok=True)
    assert names_in(root) == ["lines"]


def test_a_source_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    source = text_file(tmp_path / "some.txt", "0 1", "1 2")

    def progress(stage: str, done: int, total: int) -> None:
        if stage.startswith("reading"):
            source.write_text(source.read_text() + "\n3 4")

    with pytest.raises(BadTable, match="changed while it was read"):
        add([source], folder=tmp_path / "home", among=[Lines()], progress=progress)
    assert names_in(tmp_path / "home") == []


def test_two_processes_do_not_convert_into_one_folder(tmp_path: Path) -> None:
    root = tmp_path / "home"
    root.mkdir()
    source = text_file(tmp_path / "some.txt", "0 1")
    handle = os.open(root, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(BadSetting, match="no other process"):
        add([source], folder=root, among=[Lines()])
    os.close(handle)
    assert add([source], folder=root, among=[Lines()])[0].name == "lines"


def test_a_damaged_card_names_the_file(tmp_path: Path) -> None:
    add([text_file(tmp_path / "some.txt", "0 1")], folder=tmp_path / "home", among=[Lines()])
    (tmp_path / "home" / "lines" / "card.json").write_text("{")
    with pytest.raises(BadTable, match=r"card\.json: not a readable card"):
        data_folder.cards(tmp_path / "home")


def drive(source: Path, root: Path, batch: int, kill_at: int = -1) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.importers.nasbench101_driver", source, root, batch, kill_at]
    return subprocess.run([str(word) for word in command], cwd=REPOSITORY, capture_output=True, text=True, check=False)


def test_a_conversion_killed_at_any_part_goes_on_to_the_same_table(tmp_path: Path) -> None:
    made = list(trainings(range(0, 20_000, 200)))
    shuffled = [made[k] for k in np.random.default_rng(1).permutation(len(made))]
    source = write(tmp_path / "only108.tfrecord", (t.record() for t in shuffled))
    straight = drive(source, tmp_path / "straight", 20_000)
    assert straight.returncode == 0, straight.stderr
    root = tmp_path / "killed"
    parts: list[int] = []
    for kill_at in (1, 2, 3):  # progress is told before its part is kept: the first kill leaves nothing
        killed = drive(source, root, 20_000, kill_at)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert names_in(root) == [".nasbench101.part"]
        parts.append(len(list((root / ".nasbench101.part").glob("*.parquet"))))
    assert parts == [0, 1, 3]
    last = drive(source, root, 20_000)
    assert last.returncode == 0, last.stderr
    assert json.loads(last.stdout)["parts"] == json.loads(straight.stdout)["parts"] - 3
    assert names_in(root) == ["nasbench101"]
    first, second = (
        pq.read_table(tmp_path / "straight/nasbench101/table.parquet"),
        pq.read_table(root / "nasbench101/table.parquet"),
    )
    assert first.column_names == second.column_names
    for name in first.column_names:
        np.testing.assert_array_equal(first[name].to_numpy(), second[name].to_numpy(), err_msg=name)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """The records of 400 cells, and five times as many in batches of the same size."""
    made = list(trainings(range(0, 20_000, 10)))
    used: list[int] = []
    for cells in (400, 2000):
        source = write(tmp_path / f"{cells}.tfrecord", (t.record() for t in made[: 3 * cells]))
        run = drive(source, tmp_path / f"home{cells}", 100_000)
        assert run.returncode == 0, run.stderr
        used.append(json.loads(run.stdout)["kilobytes"])
    assert used[1] < 600_000  # of them about 150,000 for the space and the libraries
    assert used[1] - used[0] < 60_000


def test_a_damaged_file_leaves_nothing_in_the_data_folder(tmp_path: Path) -> None:
    records = [t.record() for t in trainings(range(4))]
    source = tmp_path / "damaged.tfrecord"
    source.write_bytes(b"".join(map(framed, records))[:-1])
    with pytest.raises(BadTable, match="record 11"):
        add([source], folder=tmp_path / "home")
    assert names_in(tmp_path / "home") == []
