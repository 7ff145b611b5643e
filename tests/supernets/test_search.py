from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from tierwise.errors import BadSetting, TrainingFailed
from tierwise.evaluators.dataset import Splits, load
from tierwise.evaluators.recipe import Recipe
from tierwise.optimisers.first_order import FirstOrder
from tierwise.optimisers.one_level import OneLevel
from tierwise.supernets.search import Batch, Diverged, Learner, SupernetFit, search
from tierwise.testing.optimiser import Planted

RECIPE = Recipe(batch=20, rate=0.02)


def digits(inputs: int = 100) -> Splits:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return load((x[:inputs].astype(np.float32), y[:inputs]), 0.4, None, 10)


@dataclass
class Watching:
    """Sees what every step is given; trains nothing."""

    steps: list[tuple[Batch, Batch, float, float]]

    def begin(self, fit: SupernetFit, seed: int) -> Learner:
        steps = self.steps

        class Watcher(Learner):
            def step(self, train: Batch, validation: Batch) -> float:
                steps.append((train, validation, fit.done, fit.rate))
                return 1.0

            def weights(self) -> list[Tensor]:
                return [torch.full((3,), 1 / 3)] * 2

        return Watcher(fit)


def test_every_epoch_is_one_pass_over_the_training_part_in_an_order_of_its_own():
    data, seen = digits(), Watching([])
    found = search(Planted(), data, seen, epochs=3, recipe=RECIPE)
    assert found.losses == (1.0, 1.0, 1.0)
    train = [step[0][0] for step in seen.steps]
    assert len(train) == 3 * (len(data.train) // 20)
    first, second = torch.cat(train[:3]), torch.cat(train[3:6])
    rows = {tuple(row.tolist()) for row in data.train.x}
    for epoch in (first, second):
        assert len({tuple(row.tolist()) for row in epoch} & rows) == 60
    assert not torch.equal(first, second)
    held = {tuple(row.tolist()) for row in data.validation.x}
    assert {tuple(row.tolist()) for step in seen.steps for row in step[1][0]} == held
    assert [round(step[2], 6) for step in seen.steps] == [round((k + 1) / 9, 6) for k in range(9)]
    assert seen.steps[-1][3] == pytest.approx(0.0, abs=1e-9)  # the cosine has come to its end


def test_a_seed_orders_the_data():
    runs = [Watching([]), Watching([]), Watching([])]
    for seed, run in zip((0, 0, 1), runs, strict=True):
        search(Planted(), digits(), run, epochs=1, seed=seed, recipe=RECIPE)
    one, same, other = ([step[0][1].tolist() for step in run.steps] for run in runs)
    assert one == same != other


def test_importances_wait_for_the_end_of_the_warm_up():
    found = search(Planted(), digits(), OneLevel(warmup=0.5), epochs=4, recipe=RECIPE)
    flat = np.full(3, 1 / 3)
    for epoch, weights in enumerate(found.trace):
        assert [np.allclose(own, flat) for own in weights] == [epoch < 2] * 2


def test_one_level_does_not_look_at_the_validation_part_and_first_order_does():
    data = digits()
    other = Splits(data.train, digits(200).validation, None)
    for optimiser, same in ((OneLevel(), True), (FirstOrder(), False)):
        one, two = (search(Planted(), part, optimiser, epochs=2, recipe=RECIPE) for part in (data, other))
        if len(data.validation) != len(other.validation):  # other batches, other orders
            two = search(Planted(), Splits(data.train, _shuffled(data), None), optimiser, epochs=2, recipe=RECIPE)
        assert (one.trace[-1][0].tolist() == two.trace[-1][0].tolist()) == same


def _shuffled(data: Splits) -> object:
    part = data.validation
    return type(part)(part.x.flip(1), part.y)


def test_a_penalty_is_added_to_every_loss():
    def heavy(weights: Sequence[Tensor]) -> Tensor:
        return 30 * weights[0][2]

    free, pressed = (
        search(Planted(), digits(), OneLevel(rate=0.1), epochs=4, recipe=RECIPE, penalty=penalty)
        for penalty in (None, heavy)
    )
    assert pressed.losses[0] == pytest.approx(free.losses[0] + 10, rel=1e-4)  # a third of 30
    assert pressed.weights[0][2] < free.weights[0][2]


def test_progress_is_told_every_epoch():
    told: list[tuple[int, float]] = []
    found = search(Planted(), digits(), OneLevel(), epochs=3, recipe=RECIPE, progress=lambda *epoch: told.append(epoch))
    assert told == list(enumerate(found.losses))


def test_a_first_epoch_that_is_no_number_leaves_the_supernet_as_it_was():
    supernet = Planted()
    before = {name: value.clone() for name, value in supernet.state_dict().items()}
    with pytest.raises(Diverged, match="epoch 1") as caught:
        search(supernet, digits(), OneLevel(), recipe=Recipe(batch=20, rate=1e30, warmup=0), epochs=2)
    assert isinstance(caught.value, TrainingFailed)
    assert caught.value.last.trace == ()
    assert all(np.allclose(own, 1 / 3) for own in caught.value.last.weights)
    assert all(torch.equal(value, before[name]) for name, value in supernet.state_dict().items())


def test_no_epoch_is_refused():
    with pytest.raises(BadSetting, match="epochs"):
        search(Planted(), digits(), OneLevel(), epochs=0)


@pytest.mark.parametrize("settings", [{"rate": 0.0}, {"warmup": 1.0}, {"warmup": -0.1}], ids=str)
@pytest.mark.parametrize("cls", [OneLevel, FirstOrder])
def test_impossible_settings_are_refused(cls: type, settings: dict[str, float]):
    with pytest.raises(BadSetting, match=next(iter(settings))):
        cls(**settings)
