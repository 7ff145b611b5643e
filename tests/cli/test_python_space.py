"""``--space FILE.py:NAME``: a search of marked code, its study opened again, and code that nobody has named."""

from __future__ import annotations

import json
import pickle
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tierwise import load_space, python_files, save_space
from tierwise.cli.reopen import open_space
from tierwise.errors import BadSetting, UnknownName
from tierwise.spaces.marked import Marked

NET = """
from pathlib import Path

from torch import nn

from blocks import layer
from tierwise import pick

with Path("ran.txt").open("a") as file:
    file.write("once\\n")


class Net(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.layers = nn.Sequential(*(layer(pick(f"width{k}", [2, 4, 8])) for k in range(pick("depth", [1, 2, 3]))))

    def forward(self, images):
        return sum(layer(images[..., :1]).mean() for layer in self.layers).reshape(1)


SPACE = pick
"""
BLOCKS = "from torch import nn\n\n\ndef layer(width):\n    return nn.Linear(1, width)\n"


@pytest.fixture
def net(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A file of marked code in the folder in which commands run, and a data folder of its own."""
    monkeypatch.setenv("TIERWISE_HOME", str(tmp_path / "home"))
    Path("net.py").write_text(NET)
    Path("blocks.py").write_text(BLOCKS)
    return tmp_path / "net.py"


def table(space: Marked) -> None:
    rows = [f"{arch.gene_text},{sum(arch.genes)}.5" for arch in space.enumerate()]
    Path("results.csv").write_text("\n".join(["architecture,accuracy", *rows]) + "\n")


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a new process of another person."""
    monkeypatch.setattr(python_files, "_allowed", set())
    python_files._module.cache_clear()
    shutil.rmtree("home", ignore_errors=True)


def test_a_search_of_marked_code_and_its_study(cli: Cli, net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = load_space("net.py:Net")
    assert isinstance(space, Marked)
    assert space.when("width2") == "depth in 3"
    table(space)
    line = (
        "run",
        "--space",
        "net.py:Net",
        "--table",
        "results.csv",
        "--strategy",
        "evolution",
        "--trials",
        4,
        "--no-report",
    )
    code, out, err = cli(*line, "--limit", "params=20", "--study", "mine.db")
    assert code == 0, err
    assert "4 evaluations" in out
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")  # the study knows where the file is
    code, out, _ = cli("export", "../mine.db", "trials.csv")
    assert code == 0
    assert "written: trials.csv" in out
    monkeypatch.chdir("..")
    assert Path("ran.txt").read_text() == "once\n"
    forget(monkeypatch)
    code, _, err = cli("export", "mine.db", "trials.csv")
    assert code == 2
    assert "which is run once you have named it yourself with --space" in err
    assert Path("ran.txt").read_text() == "once\n"
    assert cli(*line, "--limit", "params=20", "--study", "mine.db")[0] == 0
    assert cli("export", "mine.db", "trials.csv")[0] == 0


def test_a_study_cannot_name_another_file(cli: Cli, net: Path) -> None:
    table(load_space("net.py:Net"))
    line = (
        "run",
        "--space",
        "net.py:Net",
        "--table",
        "results.csv",
        "--strategy",
        "random",
        "--trials",
        3,
        "--no-report",
    )
    assert cli(*line, "--study", "mine.db")[0] == 0
    Path("evil.py").write_text('from pathlib import Path\nPath("harm").touch()\n')
    with sqlite3.connect("mine.db") as file:
        tables = [name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        changed = 0
        for name in tables:
            for column in [row[1] for row in file.execute(f"PRAGMA table_info({name})")]:
                old, new = json.dumps(str(net))[1:-1], json.dumps(str(net.with_name("evil.py")))[1:-1]
                changed += file.execute(
                    f'UPDATE {name} SET "{column}" = replace("{column}", ?, ?)', (old, new)
                ).rowcount
    file.close()
    assert changed
    code, _, err = cli("export", "mine.db", "trials.csv")
    assert code == 2
    assert "evil.py:Net" in err
    assert not Path("harm").exists()


def test_a_part_of_marked_code_in_a_file(net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = load_space("net.py:Net")
    smaller = space.narrow("depth", ["2", "3"])
    save_space(smaller, "smaller.toml", "net.py:Net")
    assert 'base = "net.py:Net"' in Path("smaller.toml").read_text()
    assert load_space("smaller.toml") == smaller
    assert load_space("smaller.toml").origin == space
    copied = pickle.loads(pickle.dumps(smaller))  # noqa: S301  our own bytes: how a worker process gets it
    assert copied == smaller
    assert sum(p.numel() for p in copied.build(space.parse("depth=2"), classes=1, shape=(1,)).parameters()) == 8
    forget(monkeypatch)
    with pytest.raises(BadSetting, match=r"Python file = 'net.py'.*code that you have named yourself"):
        load_space("smaller.toml")
    assert Path("ran.txt").read_text() == "once\n"
    load_space("net.py:Net")
    assert load_space("smaller.toml") == smaller


def test_names_and_files_that_cannot_be_opened(net: Path) -> None:
    with pytest.raises(UnknownName, match=r'no name in net.py "Nett"; did you mean "Net"'):
        load_space("net.py:Nett")
    with pytest.raises(BadSetting, match="Python file = .*nothing.py.*a file that is there"):
        load_space("nothing.py:Net")
    Path("broken.py").write_text("1 / 0\n")
    with pytest.raises(BadSetting, match="one that runs; it raises ZeroDivisionError"):
        load_space("broken.py:Net")
    Path("made.py").write_text(
        "from tierwise import load_space\nSPACE = load_space({'kind': 'sizes', 'stages': [{'widths': [1, 2]}]})\n"
    )
    assert load_space("made.py:SPACE").size == 2
    with pytest.raises(BadSetting, match="arguments of"):
        load_space("net.py:SPACE")
    with pytest.raises(BadSetting, match="with --space, because it is code that would be run"):
        open_space("net.py:Net", by_person=False)  # as a saved predictor names its space
