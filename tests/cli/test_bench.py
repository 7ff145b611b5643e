"""``tierwise bench`` and searches of one's own table, through the real entry point."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.conftest import DATA

Cli = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A data folder of the test's own."""
    monkeypatch.setenv("TIERWISE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def need(name: str) -> Path:
    if not (DATA / name).is_file():
        pytest.skip(f"no {name} in {DATA}: set TIERWISE_DATA to the folder that holds it")
    return DATA / name


def test_a_file_is_added_listed_and_searched(cli: Cli, home: Path):
    code, out, _ = cli("bench", "ls")
    assert code == 0
    assert "bench add FILE" in out
    code, out, _ = cli("bench", "add", need("nb201.npz"))
    assert code == 0
    assert "nasbench201-npz" in out
    assert "15,625 rows" in out
    assert "nb201.npz" in cli("bench", "ls")[1]
    assert "cifar100/test_accuracy@200" in cli("bench", "ls", "nasbench201-npz")[1]
    arguments = ("nasbench201", "--label", "validation@12", "--objective", "latency_raspi4_ms", "--strategy", "random")
    code, out, _ = cli("run", *arguments, "--trials", 12, "--limit", "latency_raspi4_ms=20", "--no-report")
    assert code == 0
    assert "12 evaluations are done" in out
    (study,) = Path("runs").glob("*.db")
    assert cli("best", study)[0] == 0


def test_a_table_of_ones_own_is_added_under_a_name(cli: Cli, home: Path):
    Path("mine.csv").write_text("architecture,accuracy\n" + "".join(f"{k},{k % 90}\n" for k in range(60)))
    code, _, err = cli("bench", "add", "mine.csv")
    assert code == 2
    assert "--space" in err
    code, out, _ = cli("bench", "add", "mine.csv", "--space", "nasbench201", "--name", "mine")
    assert code == 0
    assert "mine" in out
    code, out, _ = cli("run", "nats-bench-topology", "--table", "mine", "--trials", 60, "--no-report")
    assert code == 0
    assert "59.000" in out


def test_a_hostile_or_foreign_file_leaves_nothing(cli: Cli, home: Path):
    Path("x.pickle").write_bytes(b"cos\nsystem\n(S'touch harm'\ntR.")
    code, _, err = cli("bench", "add", "x.pickle")
    assert code == 2
    assert "BadTable" in err
    assert not Path("harm").exists()
    assert cli("bench", "add", "nothing.tfrecord")[0] == 2
    assert not list(home.glob("benchmarks/*"))


def test_costs_are_written_as_parquet_and_json(cli: Cli, home: Path):
    code, out, _ = cli("bench", "costs", "nasbench201", "costs.parquet")
    assert code == 0
    assert "costs.parquet" in out
    assert pq.read_metadata("costs.parquet").num_rows == 15_625
    assert cli("bench", "add", need("nb201.npz"), "--name", "nasbench201")[0] == 0
    assert cli("bench", "costs", "nasbench201", "costs.json")[0] == 0
    record = json.loads(Path("costs.json").read_text())["0"]
    assert record["cifar10-valid_total_flops"] == 16_315_008
    assert record["cifar10_val_acc"] == pytest.approx(81.98266665690103, abs=1e-5)  # as published
    assert record["cifar10_test_acc"] == pytest.approx(85.86333333333334, abs=1e-5)
    assert record["imagenet16_val_acc"] == pytest.approx(28.211111075507272, abs=1e-5)
    assert cli("bench", "costs", "nasbench201", "costs.txt")[0] == 2


def test_ones_own_space_and_table_are_searched_and_opened_again(cli: Cli, tmp_path: Path):
    for name in ("own_table.toml", "own_table.csv"):
        shutil.copy(ROOT / "examples" / name, name)
    line = ("run", "--space", "own_table.toml", "--table", "own_table.csv", "--strategy", "evolution", "--trials", 30)
    code, out, err = cli(*line)
    assert code == 0, err
    assert "report:" in out
    (study,) = Path("runs").glob("*.db")
    for command in ("best", "report"):
        assert cli(command, study)[0] == 0
    assert cli(*line)[0] == 0
    code, _, err = cli("run", "--space", "nowhere.toml", "--table", "own_table.csv")
    assert code == 2
    assert "nowhere.toml" in err


def test_a_claim_runs_and_the_page_is_refused_without_a_commit(cli: Cli, tmp_path: Path):
    need("nb201.npz")
    Path("bench").mkdir()
    Path("bench/small.toml").write_text(
        'title = "Small"\nkind = "ranking"\nlabels = [40]\nseeds = 2\n'
        '[data]\nbenchmark = "nasbench201"\ndatasets = ["cifar10"]\nfile = "nb201.npz"\n'
        'sha256 = "044522569e4a3fa60f26351e4913487d04b150cd6baa21994a4910a60473425f"\n'
        'label = "validation"\ntruth = "test"\n[methods.flops]\n'
        '[[claim]]\nmethod = "flops"\ndataset = "cifar10"\nat = 40\nfigure = "tau"\nvalue = 0.9\ntolerance = 0.01\n'
    )
    code, out, err = cli("bench", "run", "bench/small.toml", "--data", DATA)
    assert code == 1
    assert "noise ceiling" in out
    assert "stated 0.9" in err
    code, _, err = cli("bench", "report", "bench", "--page", "results.md")
    assert code == 2
    assert "small.json" in err
    assert not Path("results.md").exists()
