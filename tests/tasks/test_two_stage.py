from __future__ import annotations

import numpy as np
import pytest
import torch

from tierwise import Job, Study, make
from tierwise.architecture import Architectures
from tierwise.errors import BadSetting, TrainingFailed, UnknownName
from tierwise.optimisers.one_level import OneLevel
from tierwise.supernets.search import Diverged
from tierwise.tasks.stereo import Stereo
from tierwise.tasks.task import Schedule, descend
from tierwise.tasks.textline import TextLine
from tierwise.tasks.two_stage import Limit, search_stereo, search_textline, train_progressively

STEREO, TEXT = Stereo(48, 16, 16, Schedule(2, 8, 0.01)), TextLine(64, 24, 24, Schedule(1, 16, 0.008))


def test_a_search_for_stereo_networks_learns_and_ends_in_the_space():
    arch, found = search_stereo(STEREO, OneLevel(warmup=0.0), epochs=2, seed=1)
    assert arch in STEREO.space
    assert found.losses[1] < found.losses[0]
    assert any(abs(own - own.mean()).max() > 1e-3 for own in found.weights)
    assert {name.partition("/")[0] for name in (c.path for c in found.choices)} == {"feature", "matching"}


def test_a_search_that_runs_away_is_stopped(monkeypatch: pytest.MonkeyPatch):
    broken = Stereo(16, 8, 8)
    parts = broken.parts()
    monkeypatch.setattr(parts.train.y, "data", torch.full_like(parts.train.y, torch.nan))
    with pytest.raises(Diverged):
        search_stereo(broken, OneLevel(), epochs=1)


def test_training_a_network_lowers_its_error_and_repeats():
    arch = STEREO.space.parse(
        "skip_connect conv3x3 skip_connect @ coarser same | skip_connect skip_connect conv3x3 @ coarser coarser same"
    )
    network, found = STEREO.trained(arch, Job(1, 3))
    before = STEREO.judged(STEREO.network(arch, 3), STEREO.parts().validation)
    assert found["epe"] < before["epe"]
    assert found["negative_epe"] == -found["epe"]
    assert found["params"] == STEREO.known("params", Architectures.of([arch], STEREO.space))[0]
    again = STEREO(arch, Job(2, 3))
    assert {k: v for k, v in again.items() if k != "seconds"} == {k: v for k, v in found.items() if k != "seconds"}
    assert STEREO.judged(network, STEREO.parts().test)["epe"] == found["test_epe"]


def test_a_loss_that_is_no_number_ends_a_training():
    layer = torch.nn.Linear(4, 1)
    part = STEREO.parts().train
    with pytest.raises(TrainingFailed, match="epoch 1"):
        descend(layer.parameters(), lambda x, y: layer.weight.sum() * torch.nan, part, Schedule(1, 8, 0.1), 0)


def test_progressive_training_then_draws_within_the_limit():
    told: list[tuple[int, float]] = []
    supernet = train_progressively(TEXT, phases=(1, 1, 1, 2), seed=2, progress=lambda *heard: told.append(heard))
    assert [epoch for epoch, _ in told] == list(range(5))
    assert told[-1][1] < 100
    most = float(np.quantile(TEXT.known("flops", TEXT.space.sample(500, np.random.default_rng(0))), 0.3))
    found = search_textline(TEXT, supernet, Limit("flops", most), rounds=3, draws=4, seed=2)
    assert (TEXT.known("flops", found.archs) <= most).all()
    assert len(found.archs) == 12
    held = TEXT.parts().validation
    own = found.best[0].genes
    with torch.no_grad():
        expected = float(supernet.loss(supernet(held.x, supernet.one_hot(own)), held.y))
    assert found.scores.max() == pytest.approx(-expected, rel=1e-5)


def test_measured_latencies_limit_too(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setenv("TIERWISE_HOME", str(tmp_path))
    supernet = train_progressively(TEXT, phases=(1, 1, 1, 1))
    archs = TEXT.space.sample(4, np.random.default_rng(1))
    most = float(np.median(TEXT.known("latency", archs)))
    found = search_textline(TEXT, supernet, Limit("latency", most), rounds=1, draws=2)
    assert (TEXT.known("latency", found.archs) <= most).all()  # kept as it was measured


@pytest.mark.parametrize("limit", [Limit("weight", 1.0), Limit("flops", 1.0)], ids=str)
def test_impossible_limits_are_refused(limit: Limit):
    with pytest.raises(BadSetting, match="limit"):
        search_textline(TEXT, train_progressively(TextLine(4, 2, 2, Schedule(1, 4, 0.008)), phases=(1, 1, 1, 1)), limit)


def test_phases_for_every_part():
    with pytest.raises(BadSetting, match="phases"):
        train_progressively(TEXT, phases=(1, 1))


@pytest.mark.parametrize("name", ["stereo", "textline"])
def test_any_strategy_searches_them(name: str):
    task = make("benchmark", name, train=16, validation=8, test=8, training={"epochs": 1, "batch": 8})
    with Study(None, task.space, "random", task, maximize=task.metrics[0], limits={"params": 40_000}) as study:
        study.run(2)
        told = [trial.metrics for trial in study.best(2)]
    assert len(told) == 2
    assert all(each["params"] <= 40_000 for each in told)
    assert told[0][task.metrics[0]] >= told[1][task.metrics[0]]


@pytest.mark.parametrize(
    "training", [{"epochs": 0}, {"batch": 1}, {"rate": 0.0}, {"decay": -1.0}, {"speed": 3}], ids=str
)
def test_impossible_trainings_are_refused(training: dict[str, float]):
    with pytest.raises((BadSetting, UnknownName), match=next(iter(training))):
        make("benchmark", "stereo", training=training)
