from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.training.small import Small, few
from tierwise import Study
from tierwise.evaluators.latency import RUNS, WARM_UP, Measured, measure
from tierwise.evaluators.recipe import Recipe
from tierwise.evaluators.train import Train


class Sleeps(nn.Module):
    """Slow at first, then 2 ms, once in a while 20."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        time.sleep(0.05 if self.calls <= WARM_UP else 0.02 if self.calls % 10 == 0 else 0.002)
        return x


def test_the_median_leaves_out_warm_up_and_hiccups():
    network = Sleeps()
    found = measure(network, (3,))
    assert network.calls == WARM_UP + RUNS
    assert 2 <= found.median < 20
    assert found.spread < 18
    assert measure(nn.Sequential(nn.Dropout(), nn.Linear(3, 3)), (3,)).median > 0


def test_each_network_is_measured_once_and_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TIERWISE_HOME", str(tmp_path))
    space, calls = Small(), list[int]()

    class Counts(Small):
        def build(self, arch, *, classes, shape):  # pyright: ignore
            calls.append(1)
            return super().build(arch, classes=classes, shape=shape)

    train = Train(few, 10, recipe=Recipe(epochs=1), space=Counts())
    archs = space.sample(30, np.random.default_rng(0))
    first = train.known("latency", archs)
    assert first is not None
    assert len(calls) == len(set(space.canonical(archs).tolist()))
    again = Train(few, 10, recipe=Recipe(epochs=1), space=Counts()).known("latency", archs)
    assert np.array_equal(first, again), "a search that goes on sees the same costs"
    (file,) = tmp_path.glob("latency/*.jsonl")
    file.write_text(file.read_text()[:-20] + "\n[1]\nnonsense\n")
    assert (
        len(Measured(repr((space.name, space.choices, (1, 8, 8), 10, "cpu", 1))).known)
        == len(set(space.canonical(archs).tolist())) - 1
    )
    assert train.known("energy", archs) is None


def test_limits_are_costs_of_this_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TIERWISE_HOME", str(tmp_path))
    space = Small()

    class Counted(Small):
        def totals(self, archs, *, classes=10, shape=(3, 32, 32)):  # pyright: ignore
            networks = [space.build(arch, classes=classes, shape=shape) for arch in archs]
            return np.array([[0, sum(p.numel() for p in network.parameters())] for network in networks])

    everything = space.enumerate()
    params = Train(few, 10, space=Counted()).known("params", Counted().at(range(16)))
    assert params is not None
    assert params[0] == sum(p.numel() for p in space.build(everything[0], classes=10, shape=(1, 8, 8)).parameters())
    with Study(None, Counted(), "random", Train(few, 10, recipe=Recipe(epochs=1)), limits={"params": 300}) as study:
        study.run(3)
        assert all(trial.metrics["params"] <= 300 for trial in study.trials())
    torch.manual_seed(0)
    with Study(None, space, "nsga2", Train(few, 10, recipe=Recipe(epochs=1)), against=["latency"]) as study:
        study.run(4)
        assert study.front()
