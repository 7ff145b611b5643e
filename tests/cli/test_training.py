"""Training, searching and taking home from the command line, on real handwritten digits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from tierwise.study import open_study

Cli = Callable[..., tuple[int, str, str]]
EXAMPLE = Path(__file__).parents[2] / "examples" / "own_dataset.py"
SPACE = """
kind = "chain"
layers = [
  {name = "a", op = ["conv3x3", "conv1x1"], channels = [4, 8]},
  {name = "b", op = ["conv3x3", "skip"], channels = 8},
]
"""
CODE = """
import numpy as np
from sklearn.datasets import load_digits
from torch import nn
from tierwise import pick

class Net(nn.Sequential):
    def __init__(self, classes=10, shape=(64,)):
        width = pick("width", [4, 8, 16])
        super().__init__(nn.Linear(64, width), pick("act", [nn.ReLU, nn.GELU])(), nn.Linear(width, classes))

def digits():
    x, y = load_digits(return_X_y=True)
    return x[:400], y[:400]
"""
QUICK = ("--training", "epochs=1", "--training", "batch=32", "--strategy", "random")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    x, y = load_digits(return_X_y=True)
    x = x.reshape(-1, 1, 8, 8)
    np.savez(tmp_path / "digits.npz", x=x[:400], y=y[:400], x_test=x[400:600], y_test=y[400:600])
    (tmp_path / "net.toml").write_text(SPACE)
    (tmp_path / "mine.py").write_text(CODE)
    return tmp_path


def test_from_data_to_a_network_at_home(cli: Cli, files: Path):
    code, out, err = cli("run", "--space", "net.toml", "--data", "digits.npz", *QUICK, "--trials", 3,
                         "--limit", "params=700", "--tracker", "tensorboard=events")  # fmt: skip
    assert code == 0, err
    assert "test" in out
    study = "runs/train-digits-random-0.db"
    settings, rows = open_study(study)
    assert settings["notes"]["benchmark"]["training"] == {"epochs": 1, "batch": 32}
    assert all({"accuracy", "test_accuracy", "params"} <= row.metrics.keys() for row in rows)
    assert all(row.metrics["params"] <= 700 for row in rows)
    assert list(Path("events").iterdir())
    assert Path("runs/train-digits-random-0.html").exists()

    code, out, err = cli("train", study, "--training", "epochs=2", "--out", "home")
    assert code == 0, err
    home = Path("home")
    assert sorted(file.name for file in home.iterdir() if file.suffix) == [
        "curve.csv", "curve.jsonl", "curve.png", "metrics.json", "model.pt2", "network.py", "weights.safetensors"
    ]  # fmt: skip
    metrics = json.loads((home / "metrics.json").read_text())
    assert metrics["epochs"] == 2
    assert f"{metrics['accuracy']:,.6g}" in out
    assert len((home / "curve.csv").read_text().splitlines()) == 3
    code, out, err = cli("export", study, "again.py", "--trial", 2, "--weights", home / "weights.safetensors")
    best = max(rows, key=lambda row: row.metrics["accuracy"])
    if best.id != 2 and best.canon != rows[1].canon:
        assert code == 2
        assert "of this very network" in err
        assert not Path("again.py").exists()
    code, out, err = cli("export", study, "best.py", "--weights", home / "weights.safetensors")
    assert code == 0, err
    assert "10 classes, inputs of shape (1, 8, 8)" in out
    space: dict[str, Any] = {"__name__": "home"}
    exec(Path("best.py").read_text(), space)  # noqa: S102
    assert space["Network"]()(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


def test_code_of_ones_own(cli: Cli, files: Path):
    line = ("run", "--space", "mine.py:Net", "--data", "mine.py:digits", *QUICK, "--trials", 2)
    code, _, err = cli(*line)
    assert code == 2
    assert "classes" in err
    code, _, err = cli(
        *line, "--classes", 10, "--study", "own.db", "--executor", "local", "--executor-option", "seconds=60"
    )
    assert code == 0, err
    code, out, err = cli("best", "own.db")
    assert code == 0, err
    assert "width=" in out
    code, _, err = cli("train", "own.db", "--out", "home", "--training", "epochs=1")
    assert code == 0, err


def test_a_network_of_a_table(cli: Cli, files: Path):
    assert cli("run", "--trials", 3, "--strategy", "random", "--study", "s.db", "--no-report")[0] == 0
    code, out, err = cli("export", "s.db", "network.py", "--classes", 7, "--shape", "1,8,8")
    assert code == 0, err
    assert "7 classes, inputs of shape (1, 8, 8), untrained" in out
    code, _, err = cli("train", "s.db")
    assert code == 2
    assert "--data FILE.npz" in err


WRONG = {
    "unknown setting": (("--training", "epoch=1"), 'did you mean "epochs"'),
    "no such file": (("--data", "nothing.npz"), "arrays x and y"),
    "other arrays": (("--data", "other.npz"), "arrays x and y"),
    "a part of a pair": (("--data", "half.npz"), "arrays x_test and y_test"),
    "a pickle": (("--data", "pickle.npz"), "arrays x and y"),
    "no GPU": (("--training", "device=cuda:9"), "a device that is there"),
    "tracker": (("--tracker", "tensorbord"), 'did you mean "tensorboard"'),
    "executor option": (("--executor", "local", "--executor-option", "minutes=3"), "settings of executor local"),
    "space of limits": (("--limit", "params=3"), "nothing new to propose"),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_input_is_named(cli: Cli, files: Path, case: str):
    x = np.zeros((4, 1, 8, 8))
    np.savez("other.npz", images=x, labels=[0, 1, 0, 1])
    np.savez("half.npz", x=x, y=[0, 1, 0, 1], x_test=x)
    np.savez("pickle.npz", x=np.array([{"a": 1}], dtype=object), y=[0])
    given, message = WRONG[case]
    line = ["run", "--space", "net.toml", "--data", "digits.npz", *QUICK, "--trials", 2, *given]
    code, out, err = cli(*line)
    assert message in out + err
    if case != "space of limits":
        assert code == 2


def test_the_example_goes_on_after_a_kill(tmp_path: Path):
    line = [sys.executable, str(EXAMPLE), "1", str(tmp_path / "digits.db")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(line, cwd=tmp_path, stdout=subprocess.DEVNULL, env=environment) as driver:
        while not list(tmp_path.glob("digits.db.files/*/*/checkpoint.npz")):
            assert driver.poll() is None
            time.sleep(0.02)
        driver.kill()
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("% test: input - conv") == 1
    rows = open_study(tmp_path / "digits.db")[1]
    assert [row.state for row in rows] == ["done"]
    assert max(row.attempt for row in rows) == 2
