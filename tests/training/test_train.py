from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.training.small import Small, digits, few
from tierwise import Job, Study
from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadSetting, Superseded, TrainingFailed, UnknownName
from tierwise.evaluators.fit import Alone, Fit
from tierwise.evaluators.recipe import Recipe
from tierwise.evaluators.train import Train
from tierwise.job import earlier_outcome, evaluate, job_seed
from tierwise.study import open_study
from tierwise.trial_folder import read_curve

SPACE = Small()
ARCH = Architecture("small", (1, 1, 0, 1))
QUICK = Recipe(epochs=3, rate=0.05)


def test_networks_learn_digits():
    train = Train(digits, 10, test=few, recipe=Recipe(epochs=6, rate=0.1), space=SPACE)
    metrics = train(ARCH, Job(1, 7))
    assert metrics["accuracy"] > 50, "of ten classes, with 500 weights"
    assert metrics["test_accuracy"] > 50
    assert metrics["epochs"] == 6
    weights = 9 * 8 + 2 * 8 + 9 * 8 * 4 + 2 * 4 + 4 * 10 + 10
    assert metrics["params"] == weights
    assert metrics["seconds"] > 0
    assert train(ARCH, Job(1, 7, budget=1))["epochs"] == 1
    assert {**train(ARCH, Job(2, 7)), "seconds": 0} == {**metrics, "seconds": 0}, "the same seed, the same training"
    assert train(ARCH, Job(1, 8))["loss"] != metrics["loss"]


def test_an_interrupted_training_goes_on_to_the_last_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    train = Train(few, 10, recipe=dataclasses.replace(QUICK, epochs=5, augment=("shift", "cutout")), space=SPACE)
    whole = train(ARCH, Job(1, 3, folder=tmp_path / "whole"))
    real, epochs = Fit.epoch, list[int]()

    def killed(self: Fit, number: int, *rest: Any) -> Any:
        epochs.append(number)
        if number == 3 and len(epochs) == 4:
            raise KeyboardInterrupt
        return real(self, number, *rest)

    monkeypatch.setattr(Fit, "epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        train(ARCH, Job(1, 3, folder=tmp_path / "cut"))
    again = train(ARCH, Job(1, 3, attempt=2, folder=tmp_path / "cut"))
    assert epochs == [0, 1, 2, 3, 3, 4]
    assert {**again, "seconds": 0} == {**whole, "seconds": 0}
    curves = [read_curve(tmp_path / name) for name in ("whole", "cut")]
    assert curves[0] == curves[1]
    assert [entry["step"] for entry in curves[0]] == [1, 2, 3, 4, 5]
    with pytest.raises(Superseded, match="attempt 2 has begun"):
        Job(1, 3, attempt=1, folder=tmp_path / "cut").save({"x": np.zeros(1)})


def test_a_checkpoint_of_another_network_or_recipe_is_refused(tmp_path: Path):
    job = Job(1, 3, folder=tmp_path)
    state = {"identity": np.array("another"), "epoch": np.array(1)}
    job.save(state)
    with pytest.raises(BadSetting, match="delete the folder"):
        Train(few, 10, recipe=QUICK, space=SPACE)(ARCH, job)
    (tmp_path / "checkpoint.npz").write_bytes(b"PK cut off")
    with pytest.raises(BadSetting, match="delete it to begin"):
        job.restore()
    fit = Fit(Alone(nn.Linear(3, 2)), [0], QUICK, 1, "cpu")
    with pytest.raises(TrainingFailed, match="of another network"):
        fit.load(Fit(Alone(nn.Linear(4, 2)), [0], QUICK, 1, "cpu").state())


def test_a_killed_driver_repeats_no_finished_epoch(tmp_path: Path):
    path, trials = tmp_path / "study.db", 2
    command = [sys.executable, "-m", "tests.training.small", str(path), str(trials)]
    where: dict[str, Any] = {"cwd": Path(__file__).parents[2], "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **where) as driver:
        while not any(len(curve.read_text().splitlines()) >= 3 for curve in tmp_path.glob("*.files/*/*/curve.jsonl")):
            assert driver.poll() is None, "it ended before it could be killed"
            time.sleep(0.02)
        driver.kill()
    assert subprocess.run(command, **where, timeout=200).stdout.endswith("finished\n")
    settings, rows = open_study(path)
    assert [(row.state, row.attempt) for row in rows] == [("done", 2)] * trials
    folders = [tmp_path / "study.db.files" / settings["id"] / f"trial-{k}" for k in range(1, trials + 1)]
    steps = [[json.loads(line)["step"] for line in (f / "curve.jsonl").read_text().splitlines()] for f in folders]
    assert all(sorted(set(each)) == list(range(1, 9)) for each in steps)
    assert all(len(each) <= 9 for each in steps), "at most the epoch in hand is reported twice"
    with Study(
        tmp_path / "calm.db", SPACE, "random", Train(digits, 10, recipe=Recipe(epochs=8, rate=0.05)), seed=4
    ) as calm:
        calm.run(trials, order="asked", batch=2)
        for mine, row in zip(calm.trials(), rows, strict=True):
            assert {**mine.metrics, "seconds": 0} == {**row.metrics, "seconds": 0}
        assert len(calm.curve(1)) == 8


def test_a_result_that_no_driver_heard_is_told_by_the_next(tmp_path: Path):
    train = Train(few, 10, recipe=QUICK)
    with Study(tmp_path / "s.db", SPACE, "random", train, seed=4) as study:
        (trial,) = study.ask(1)
        assert study._store.folder is not None
        job = Job(1, job_seed(4, 1), folder=study._store.folder / "trial-1")
        outcome = evaluate(train.for_space(SPACE), trial.arch, job, "accuracy")  # then the driver is killed
    calls: list[int] = []

    def other(arch: Architecture, job: Job) -> float:
        calls.append(job.trial)
        return 1.0

    with Study(tmp_path / "s.db", SPACE, "random", other, seed=4) as study:
        study.run(2)
        assert calls == [2]
        assert study.trials()[0].metrics == outcome.metrics
    kept = job.folder / "result.json"
    for damage in ("", "[]", "{}", kept.read_text().replace("small/", "large/"), "{" * 100_000):
        kept.write_text(damage)
        assert earlier_outcome(trial.arch, job, "accuracy") is None


def test_a_study_hands_over_its_space_and_failures_are_rows():
    class Broken(Small):
        def build(self, arch: Architecture, *, classes: int, shape: Any) -> nn.Module:
            if arch.genes[0]:
                raise ValueError("no such width")
            return super().build(arch, classes=classes, shape=shape) if arch.genes[2] else nn.Conv2d(1, classes, 8)

    with Study(None, Broken(), "random", Train(few, 10, recipe=QUICK), seed=1) as study:
        study.run(10)
        states = {(t.arch.genes[0], t.arch.genes[2], t.state) for t in study.trials()}
        errors = " ".join(t.error or "" for t in study.trials())
    assert states == {(1, 0, "failed"), (1, 1, "failed"), (0, 0, "failed"), (0, 1, "done")}
    assert "no such width" in errors
    assert "one a class is needed" in errors


def test_a_rate_that_explodes_says_so():
    train = Train(few, 10, recipe=Recipe(epochs=2, rate=1e30, warmup=0), space=SPACE)
    with pytest.raises(TrainingFailed, match="no number in epoch"):
        train(ARCH, Job(1, 1))


def test_patience_ends_a_training_that_stands_still():
    train = Train(few, 10, recipe=Recipe(epochs=40, rate=1e-9), patience=3, space=SPACE)
    assert train(ARCH, Job(1, 1))["epochs"] <= 8


def test_together_as_alone():
    recipe = Recipe(epochs=2, rate=0.01, batch=120)
    together = Train(few, 10, test=few, recipe=recipe, together=3, space=SPACE)
    archs, seeds = SPACE.sample(4, np.random.default_rng(0)), [5, 6, 7, 8]
    columns = together.many(archs, seeds)
    alone = Train(few, 10, test=few, recipe=recipe, space=SPACE)
    assert alone.many is None
    for k, (arch, seed) in enumerate(zip(archs, seeds, strict=True)):
        expected = alone(arch, Job(1, seed))
        assert {name: column[k] for name, column in columns.items() if name != "seconds"} == pytest.approx(
            {name: value for name, value in expected.items() if name != "seconds"}, rel=2e-3, abs=0.5
        )
    with Study(None, SPACE, "random", together) as study:
        study.run(6, batch=3)
        assert len(study.history().done) == 6


def test_one_that_fails_together_fails_alone():
    class Dying(Small):
        def build(self, arch: Architecture, *, classes: int, shape: Any) -> nn.Module:
            network = super().build(arch, classes=classes, shape=shape)
            if arch.genes == (0, 0, 0, 0):
                nn.init.constant_(network[-1].weight, float("nan"))  # pyright: ignore
            return network

    space = Dying()
    archs = Architectures.of([Architecture("small", g) for g in ((0, 0, 0, 0), (1, 0, 0, 0), (0, 0, 0, 1))], space)
    columns = Train(few, 10, recipe=QUICK, together=3, space=space).many(archs, [1, 2, 3])
    assert np.isnan(columns["accuracy"]).tolist() == [True, False, False]


def test_what_cannot_be_is_refused_beforehand():
    with pytest.raises(BadSetting, match="classes"):
        Train(few, 1)
    with pytest.raises(BadSetting, match='device that is there, "cpu" or "auto"'):
        Train(few, 10, device="cuda:77")
    with pytest.raises(BadSetting, match="device"):
        Train(few, 10, device="toaster")
    with pytest.raises(BadSetting, match="trained together"):
        Train(few, 10, patience=2, together=4)
    with pytest.raises(BadSetting, match="label 9"):
        Train((digits()[0], digits()[1]), 9)
    with pytest.raises(BadSetting, match="given by a study"):
        Train(few, 10)(ARCH, Job(1, 1))
    for settings in (
        {"epochs": 0},
        {"batch": 1},
        {"rate": 0},
        {"rate": float("nan")},
        {"momentum": 1.0},
        {"smoothing": 2},
    ):
        with pytest.raises(BadSetting, match=next(iter(settings))):
            Recipe(**settings)
    with pytest.raises(UnknownName, match='did you mean "flip"'):
        Recipe(augment=("flipp",))


def test_the_schedule_rises_then_falls_to_nothing():
    recipe = Recipe(epochs=10, rate=0.2, warmup=2)
    rates = [recipe.rate_at(done, 10) for done in (0, 1, 2, 6, 10)]
    assert rates == pytest.approx([0, 0.1, 0.2, 0.1, 0])
    assert Recipe(warmup=5).rate_at(1, 1) == pytest.approx(0), "of one epoch half is warm-up"


def test_augmentation_moves_and_blanks_images():
    x = torch.arange(2 * 1 * 8 * 8, dtype=torch.float32).view(2, 1, 8, 8) + 1
    generator = torch.Generator().manual_seed(0)
    flipped = [Recipe(augment=("flip",)).augmented(x, generator) for _ in range(20)]
    assert {bool(torch.equal(f[0], x[0].flip(2))) for f in flipped} == {True, False}
    shifted = torch.stack([Recipe(augment=("shift",)).augmented(x, generator) for _ in range(40)])
    centre = shifted[:, 0, 0, 4, 4].unique()
    assert set((centre - x[0, 0, 4, 4]).tolist()) == {dy * 8.0 + dx for dy in (-1, 0, 1) for dx in (-1, 0, 1)}
    blanked = torch.stack([Recipe(augment=("cutout",)).augmented(x, generator) for _ in range(40)])
    holes = (blanked == 0).sum((2, 3, 4))
    assert holes.max() <= 16
    assert holes.min() >= 1
    vectors = torch.ones(3, 5)
    assert Recipe(augment=("flip",)).augmented(vectors, generator) is vectors
