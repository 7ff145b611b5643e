"""Shared weights of a template: masks, statistics, training that is stopped, killed and gone on with, and scores."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from tierwise import Job, Study
from tierwise.architecture import Architectures
from tierwise.errors import BadArchitecture, BadSetting, UnknownName
from tierwise.evaluators import task as tasks
from tierwise.optimisers.fair import Fair
from tierwise.spaces.template import TemplateSpace
from tierwise.spaces.template_presets import preset
from tierwise.supernets import oneshot
from tierwise.supernets.assembly import assemble
from tierwise.supernets.oneshot import OneShot, Shared, load
from tierwise.supernets.search import search
from tierwise.supernets.template import Drawn, recalibrate, template_supernet
from tierwise.trial_folder import read_curve

SPACE = TemplateSpace(preset("small", (1, 8, 8), width=4))


@functools.cache
def task() -> tasks.Task:
    x, y = load_digits(return_X_y=True)
    x, y = np.asarray(x)[:500], np.asarray(y)[:500]
    return tasks.made(SPACE, (x[:300], y[:300]), 10, {"epochs": 1}, validation=(x[300:], y[300:]))


def evaluator(**settings: Any) -> OneShot:
    return OneShot(task(), Shared(**{"epochs": 2, "batch": 32, "calibration": 128, "evaluated": 150, **settings}))


def mask(text: str) -> np.ndarray:
    return np.array(SPACE.parse(text).genes)


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test trains its own weights, or finds them in its own folder."""
    monkeypatch.setattr(oneshot, "_trained", {})


def test_a_mask_is_the_plain_network_of_its_blocks() -> None:
    net = template_supernet(SPACE, shape=(64,), classes=10, seed=3).eval()
    x = torch.randn(7, 64, generator=torch.Generator().manual_seed(1))
    for text in ("conv1+conv5 | sep3 | conv3 | conv1+conv3+conv5+sep3", "conv3 | conv3 | conv3 | conv3"):
        plain = net.discrete(mask(text)).eval()
        torch.testing.assert_close(net(x, net.masked(mask(text))), plain(x))
        expected = SPACE.build(SPACE.parse(text), classes=10, shape=(64,))
        assert [tuple(p.shape) for p in plain.parameters()] == [tuple(p.shape) for p in expected.parameters()]


def test_statistics_of_batch_norms_are_those_of_the_mask() -> None:
    net = template_supernet(SPACE, shape=(64,), classes=10, seed=0)
    weights = net.masked(mask("conv3 | conv3 | conv3 | conv3"))
    batches = [torch.randn(40, 64, generator=torch.Generator().manual_seed(k)) for k in range(3)]
    recalibrate(net, weights, batches)
    convolution, norm = (net.layers[0].get_submodule(f"candidates.1.{k}") for k in (0, 1))
    assert isinstance(norm, nn.BatchNorm2d)
    outputs = [convolution(x.view(40, 1, 8, 8)) for x in batches]
    torch.testing.assert_close(norm.running_mean, torch.stack([o.mean((0, 2, 3)) for o in outputs]).mean(0))
    torch.testing.assert_close(norm.running_var, torch.stack([o.var((0, 2, 3)) for o in outputs]).mean(0))
    other = net.layers[0].get_submodule("candidates.2.1")  # of a block that is off
    assert isinstance(other, nn.BatchNorm2d)
    assert not net.training
    assert int(other.num_batches_tracked or 0) == 0


@pytest.mark.parametrize("sampler", ["path", "uniform", "sandwich"])
def test_masks_are_drawn_as_they_are_called(sampler: str) -> None:
    drawn = Drawn(template_supernet(SPACE, shape=(64,), classes=10), SPACE, sampler)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        masks = np.array([drawn._mask(first=k % 2 == 0) for k in range(200)])  # pyright: ignore[reportPrivateUsage]
    on = masks.reshape(200, 4, 4).sum(2)
    assert SPACE.contains(Architectures(SPACE, masks)).all()
    if sampler == "path":
        assert (on == 1).all()
    elif sampler == "sandwich":
        assert (on[::2] == 4).all()
        assert (on[1::2] == 1).all()
    else:  # of the 15 sets of four blocks, 32 blocks are on in all: 2.13 of four
        assert abs(on.mean() - 32 / 15) < 0.2
        assert set(on.ravel().tolist()) == {1, 2, 3, 4}
    with pytest.raises(BadSetting, match="sampler"):
        Drawn(drawn.net, SPACE, "fair")


def test_trained_weights_tell_digits_apart_and_masks_from_each_other(tmp_path: Path) -> None:
    own = evaluator(epochs=12)
    with Study(tmp_path / "a.db", SPACE, "blocks", own) as study:
        study.run(12)
        assert study.folder is not None
        curve, trials = read_curve(study.folder / "supernet"), study.trials()
    assert [row["step"] for row in curve] == list(range(1, 13))
    assert curve[-1]["accuracy"] > 40 > 20 > curve[0]["accuracy"]  # one in ten is chance
    assert curve[-1]["train_loss"] < curve[0]["train_loss"]
    assert len({trial.metrics["accuracy"] for trial in trials}) > 3
    params = SPACE.totals(Architectures.of([t.arch for t in trials], SPACE), classes=10)[:, 1]
    assert [trial.metrics["params"] for trial in trials] == params.tolist()


class _Killed(Exception):
    pass


def kill_after(epochs: int) -> Any:
    def progress(done: int, total: int) -> None:
        if done == epochs:
            raise _Killed

    return progress


def weights_of(net: nn.Module) -> list[torch.Tensor]:
    return [value.clone() for name, value in net.named_parameters()]


def test_a_killed_training_goes_on_and_ends_as_if_nothing_had_been(tmp_path: Path) -> None:
    whole = weights_of(evaluator(epochs=3).prepare(tmp_path / "whole"))
    oneshot._trained.clear()  # pyright: ignore[reportPrivateUsage]
    for epoch in (1, 2):
        with pytest.raises(_Killed):
            evaluator(epochs=3).prepare(tmp_path / "killed", kill_after(epoch))
    told = list[int]()
    gone_on = weights_of(evaluator(epochs=3).prepare(tmp_path / "killed", lambda done, _: told.append(done)))
    assert told == [3]
    for one, other in zip(whole, gone_on, strict=True):
        assert torch.equal(one, other)


def test_kept_weights_are_read_and_not_trained_again(tmp_path: Path) -> None:
    first = evaluator()
    seen = first(SPACE.parse("conv3 | conv1 | sep3 | conv5"), Job(1, 0, folder=tmp_path / "trial-1"))
    oneshot._trained.clear()  # pyright: ignore[reportPrivateUsage]
    assert evaluator().prepare(tmp_path, kill_after(1)) is not None
    again = evaluator()(SPACE.parse("conv3 | conv1 | sep3 | conv5"), Job(2, 5, folder=tmp_path / "trial-2"))
    assert {**again, "seconds": 0} == {**seen, "seconds": 0}
    with pytest.raises(BadSetting, match="of another supernet"):
        evaluator(epochs=3).prepare(tmp_path)


def test_a_person_ends_the_training_with_the_epoch_at_hand(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 1:
            (tmp_path / "supernet" / "stop").touch()

    evaluator(epochs=50).prepare(tmp_path, stop)
    assert len(read_curve(tmp_path / "supernet")) == 2
    oneshot._trained.clear()  # pyright: ignore[reportPrivateUsage]
    evaluator(epochs=50).prepare(tmp_path, kill_after(3))  # it has ended: nothing is trained
    assert len(read_curve(tmp_path / "supernet")) == 2


def test_adamw_trains_too() -> None:
    net = evaluator(optimiser_name="adamw", epochs=1).prepare(None)
    assert all(bool(p.isfinite().all()) for p in net.parameters())


def test_optimisers_of_candidates_train_it_as_well() -> None:
    net = template_supernet(SPACE, shape=(64,), classes=10)
    found = search(net, task().splits(), Fair(), epochs=1)
    assert [choice.path for choice in found.choices] == ["layer1", "layer2", "layer4", "layer5"]
    assert len(found.genes) == 4


def test_the_final_network_is_put_together(tmp_path: Path) -> None:
    worth = np.random.default_rng(0).normal(size=len(SPACE.choices))
    with Study(tmp_path / "b.db", SPACE, "random", lambda arch: float(worth @ np.array(arch.genes))) as study:
        with pytest.raises(BadSetting, match="a study with a result"):
            assemble(study)
        study.run(400)
        assert assemble(study) == study.best()[0].arch
        fittest = np.array(assemble(study, "fitness").genes)
        expected = np.concatenate([worth[slot] == worth[slot].max() for slot in SPACE.slots])
        assert (fittest == expected).mean() > 0.8  # of 400 random masks the best of four blocks is known nearly always
        study.steer("ban", choice="layer1/conv1", option="on")
        study.steer("pin", choice="layer2/conv5", option="on")
        steered = assemble(study, "fitness")
        assert study.steering().space.contains(Architectures.of([steered], SPACE)).all()
        text = "conv1 | conv1+sep3 | conv3 | conv5"
        assert SPACE.format(Architectures.of([assemble(study, text)], SPACE)) == [text]
        with pytest.raises(BadArchitecture):
            assemble(study, "conv1 | conv9 | conv3 | conv5")


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ({"masks": 0}, BadSetting), ({"optimiser_name": "lion"}, UnknownName), ({"epochs": 0}, BadSetting),
        ({"patience": 3}, UnknownName),
    ],
)  # fmt: skip
def test_settings_that_can_not_be(wrong: dict[str, Any], kind: type[Exception]) -> None:
    with pytest.raises(kind, match=next(iter(wrong)).partition("_")[0]):
        load("small", "digits", shared=wrong)
