from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset, TensorDataset

from tests.training.small import digits
from tierwise.errors import BadSetting
from tierwise.evaluators.dataset import load

X, Y = np.random.default_rng(0).normal(5, 3, (60, 2, 4, 4)), np.arange(60) % 3


def test_arrays_are_scaled_by_what_is_trained_on_and_split_by_class():
    splits = load((X, Y), 0.25, (X * 2, Y), 3)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (45, 15, 60)
    assert splits.validation.y.bincount().tolist() == [5, 5, 5]
    assert splits.train.x.mean((0, 2, 3)).abs().max() < 1e-6
    assert (splits.train.x.std((0, 2, 3)) - 1).abs().max() < 1e-6
    kept = torch.cat([splits.train.x, splits.validation.x])
    assert len({tuple(row) for row in kept.flatten(1).tolist()}) == 60, "an input is on both sides, or on none"
    again = load((torch.from_numpy(X), torch.from_numpy(Y)), 0.25, None, 3)
    assert torch.equal(again.validation.x, splits.validation.x)
    raw, deviation = load((X, Y), (X, Y), None, 3), X.std((0, 2, 3), ddof=1, keepdims=True)
    assert np.allclose(raw.train.x.numpy(), (X - X.mean((0, 2, 3), keepdims=True)) / deviation, atol=1e-5)


def test_grey_images_get_a_channel_and_a_function_is_called():
    splits = load(digits, 0.2, None, 10)
    assert splits.train.shape == (1, 8, 8)
    assert len(splits.train) + len(splits.validation) == 1797


class Noisy(Dataset):
    """Another input at every look, as with random transformations."""

    def __init__(self, n: int, classes: int = 3):
        self.n, self.classes, self.rng = n, classes, np.random.default_rng(0)

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, k: int) -> tuple[torch.Tensor, int]:
        return torch.from_numpy(self.rng.normal(size=(2, 3))).float() + k, k % self.classes


def test_a_dataset_is_read_anew_every_time():
    splits = load(Noisy(20), 0.25, None, 3)
    assert (len(splits.train), len(splits.validation)) == (15, 5)
    order = torch.arange(15)[:, None]
    first, second = (torch.cat([x for x, _ in splits.train.batches(4, order)]) for _ in range(2))
    assert first.shape == (15, 1, 2, 3)
    assert not torch.equal(first, second)
    assert torch.equal(first.mean((1, 2, 3)).round(), second.mean((1, 2, 3)).round()) or len(first) == len(second)
    with pytest.raises(BadSetting, match="0 to 1, as classes = 2"):
        list(load(Noisy(20), 0.25, None, 2).train.batches(20, order))


EMPTY = TensorDataset(torch.zeros(0, 3), torch.zeros(0))
WRONG = {
    "one class": ((X, Y * 0), 0.2, None, "labels of class 0 alone"),
    "nothing": ((X[:0], Y[:0]), 0.2, None, "data = 'nothing in it'"),
    "no items": (EMPTY, 0.2, None, "empty Dataset"),
    "lengths": ((X, Y[:-1]), 0.2, None, "one label an input, of shape \\(60,\\)"),
    "one-hot labels": ((X, np.eye(3)[Y]), 0.2, None, "labels of shape \\(60, 3\\)"),
    "label too large": ((X, Y + 1), 0.2, None, "label 3 of input 2.*0 to 2"),
    "label below": ((X, Y - 1), 0.2, None, "label -1 of input 0"),
    "halves": ((X, Y / 2), 0.2, None, "label 0.5 of input 1"),
    "not a number": ((np.where(X > 9, np.nan, X), Y), 0.2, None, "input .* with NaN"),
    "channels last": ((X.reshape(60, 4, 4, 2)[..., :1], Y), 0.2, None, "channels before height"),
    "too many dimensions": ((X[None], Y), 0.2, None, "labels of shape|inputs of shape"),
    "text": ((X.astype(str), Y), 0.2, None, "arrays of numbers"),
    "no pair": (X, 0.2, None, "\\(inputs, labels\\)"),
    "share": ((X, Y), 1.0, None, "between 0 and 1"),
    "tiny share": ((X, Y), 0.001, None, "some of 60 inputs on both sides"),
    "other shape to test": ((X, Y), 0.2, (X[:, :1], Y), "test = 'inputs of shape \\(1, 4, 4\\)'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_data_are_refused_by_name(case: str):
    data, validation, test, message = WRONG[case]
    with pytest.raises(BadSetting, match=message):
        load(data, validation, test, 3)
