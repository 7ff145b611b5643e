"""Data of one's own: what is trained on, what is searched by, and what is only reported.

Arrays are kept in memory as tensors; a ``torch.utils.data.Dataset`` is read anew in every epoch, so that its own random
transformations are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from tierwise.errors import BadSetting

Data = Any  # (inputs, labels), a Dataset of such pairs, or a function that gives either
SPLIT_SEED = 0  # every network of a study is judged by the same inputs


@dataclass(frozen=True)
class Arrays:
    """Inputs (n, c, h, w), (n, c, length) or (n, features) float32, labels (n,) int64."""

    x: Tensor
    y: Tensor

    def __len__(self) -> int:
        return len(self.y)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one input."""
        return tuple(self.x.shape[1:])

    def to(self, device: str) -> Arrays:
        """On this device."""
        return Arrays(self.x.to(device), self.y.to(device))

    def batches(self, size: int, order: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs (b, k, ...) and labels (b, k) in the k orders (n, k), at most `size` at once."""
        order = order.to(self.x.device)
        for rows in order.split(size):
            yield self.x[rows], self.y[rows]


@dataclass(frozen=True)
class Stream:
    """Items of a Dataset. loaders: processes that read them; 0 = this one."""

    name: str
    items: Dataset[Any]
    classes: int
    loaders: int
    device: str = "cpu"

    def __len__(self) -> int:
        return len(cast(Any, self.items))

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one input, the first."""
        return tuple(_tensor(self.items[0][0]).shape)

    def to(self, device: str) -> Stream:
        """Given on this device."""
        return Stream(self.name, self.items, self.classes, self.loaders, device)

    def batches(self, size: int, order: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs (b, 1, ...) and labels (b, 1) in one order (n, 1). Raises BadSetting for a label outside."""
        chosen = Subset(self.items, order[:, 0].tolist())
        for x, y in DataLoader(chosen, batch_size=size, num_workers=self.loaders):
            if bool(((y < 0) | (y >= self.classes)).any()):
                allowed = f"0 to {self.classes - 1}, as classes = {self.classes} says"
                raise BadSetting(f"{self.name}: labels", sorted({*y.tolist()}), allowed)
            yield x.float().to(self.device)[:, None], y.long().to(self.device)[:, None]


Part = Arrays | Stream


@dataclass(frozen=True)
class Splits:
    """What networks are trained on, what the search sees, and what nobody looks at before the report (or None)."""

    train: Part
    validation: Part
    test: Part | None


def load(data: Data, validation: float | Data, test: Data | None, classes: int, loaders: int = 0) -> Splits:
    """The parts. Arrays are scaled to mean 0 and variance 1 a channel over the training part. Raises BadSetting.

    validation: data of its own, or the share of `data` that is set aside; of arrays the same share of every class.
    """
    whole = _part("data", data, classes, loaders)
    if isinstance(validation, int | float):
        train, held = _split(whole, float(validation))
    else:
        train, held = whole, _part("validation", validation, classes, loaders)
    others = {"validation": held} | ({} if test is None else {"test": _part("test", test, classes, loaders)})
    for name, part in others.items():
        if part.shape != train.shape:
            raise BadSetting(name, f"inputs of shape {part.shape}", f"inputs of shape {train.shape}, as in data")
    if not isinstance(train, Arrays):
        return Splits(train, others["validation"], others.get("test"))
    if len(seen := train.y.unique()) < 2:
        raise BadSetting("data", f"labels of class {int(seen[0])} alone", "two classes or more to tell apart")
    axes = (0, *range(2, train.x.dim()))
    mean, deviation = train.x.mean(axes, keepdim=True), train.x.std(axes, keepdim=True)
    deviation = torch.where(deviation > 1e-6, deviation, 1.0)  # what never changes in training must not blow up later

    def scaled(part: Part | None) -> Part | None:
        return Arrays((part.x - mean) / deviation, part.y) if isinstance(part, Arrays) else part

    return Splits(cast(Part, scaled(train)), cast(Part, scaled(others["validation"])), scaled(others.get("test")))


def _part(name: str, data: Data, classes: int, loaders: int) -> Part:
    if callable(data) and not isinstance(data, Dataset):
        data = cast(Callable[[], Any], data)()
    if isinstance(data, Dataset):
        if len(cast(Any, data)) == 0:
            raise BadSetting(name, "an empty Dataset", "one with items")
        stream = Stream(name, data, classes, loaders)
        if len(stream.shape) not in (1, 2, 3):
            raise BadSetting(name, f"inputs of shape {stream.shape}", "(features,), (c, length) or (c, h, w)")
        return stream
    return _checked(name, *_pair(name, data), classes)


def _pair(name: str, data: Data) -> tuple[NDArray[Any], NDArray[Any]]:
    try:
        x, y = data
        return _tensor(x).numpy(), _tensor(y).numpy()
    except (TypeError, ValueError) as error:
        allowed = "(inputs, labels) as arrays of numbers, a torch Dataset, or a function that gives either"
        raise BadSetting(name, f"{type(data).__name__} ({error})", allowed) from error


def _tensor(values: Any) -> Tensor:
    return values.detach().cpu() if isinstance(values, Tensor) else torch.as_tensor(np.asarray(values))


def _checked(name: str, x: NDArray[Any], y: NDArray[Any], classes: int) -> Arrays:
    if len(x) == 0:
        raise BadSetting(name, "nothing in it", "two inputs or more")
    if y.ndim != 1 or len(x) != len(y):
        raise BadSetting(name, f"labels of shape {y.shape}", f"one label an input, of shape ({len(x)},)")
    if x.ndim not in (2, 3, 4):
        raise BadSetting(name, f"inputs of shape {x.shape}", "(n, features), (n, h, w) or (n, c, h, w)")
    if x.ndim == 4 and x.shape[-1] in (1, 3, 4) and x.shape[1] == x.shape[2] != x.shape[3]:
        raise BadSetting(name, f"inputs of shape {x.shape}", "channels before height and width: np.moveaxis(x, -1, 1)")
    x = x[:, None] if x.ndim == 3 else x
    if not np.isfinite(x).all():
        first = int(np.argwhere(~np.isfinite(x))[0, 0])
        raise BadSetting(name, f"input {first} with NaN or infinity", "finite numbers")
    wrong = np.flatnonzero((y < 0) | (y >= classes) | (y != np.round(y)))
    if len(wrong):
        allowed = f"whole numbers 0 to {classes - 1}, as classes = {classes} says"
        raise BadSetting(name, f"label {y[wrong[0]]} of input {wrong[0]}", allowed)
    return Arrays(torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32)), torch.from_numpy(y.astype(np.int64)))


def _split(whole: Part, share: float) -> tuple[Part, Part]:
    """A part without and one with this share; of arrays the same share of every class."""
    if not 0 < share < 1:
        raise BadSetting("validation", share, "data of its own, or a share between 0 and 1")
    rng, n = np.random.default_rng(SPLIT_SEED), len(whole)
    labels = whole.y.numpy() if isinstance(whole, Arrays) else np.zeros(n)
    members = [rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    mask = np.zeros(n, dtype=bool)
    mask[np.concatenate([of_class[: round(share * len(of_class))] for of_class in members])] = True
    if not mask.any() or mask.all():
        raise BadSetting("validation", share, f"a share that leaves some of {n} inputs on both sides")
    return _rows(whole, np.flatnonzero(~mask)), _rows(whole, np.flatnonzero(mask))


def _rows(whole: Part, rows: NDArray[np.int64]) -> Part:
    if isinstance(whole, Arrays):
        chosen = torch.from_numpy(rows)
        return Arrays(whole.x[chosen], whole.y[chosen])
    return Stream(whole.name, Subset(whole.items, rows.tolist()), whole.classes, whole.loaders)
