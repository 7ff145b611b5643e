"""Which rectifiers of a network are on for which input."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

_RECTIFIERS = (F.relu, F.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_)


class Patterns(TorchFunctionMode):
    """The on-off patterns of all rectifiers that n inputs pass while it is entered, modules as well as functions.

    units: how many rectifiers there are, each pixel of each channel one. agreement: (n, n) for how many of them two
    inputs are both on or both off.
    """

    def __init__(self) -> None:
        super().__init__()
        self.units = 0
        self.agreement: NDArray[np.float64] = np.zeros((1, 1))
        self._bytes: list[NDArray[np.uint8]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types  # a rectifier is known by the function
        if func in _RECTIFIERS:
            self._add((args[0].detach() > 0).flatten(1).numpy())
        return func(*args, **(kwargs or {}))

    def _add(self, on: NDArray[np.bool_]) -> None:
        signs = on.astype(np.float32) * 2 - 1
        self.agreement = self.agreement + (on.shape[1] + signs @ signs.T) / 2
        self.units += on.shape[1]
        self._bytes.append(np.packbits(on, axis=0))

    @property
    def distinct_units(self) -> int:
        """How many different patterns over the inputs the rectifiers have."""
        if not self.units:
            return 0
        packed = np.concatenate(self._bytes, axis=1).T
        words = np.ascontiguousarray(np.pad(packed, ((0, 0), (0, -packed.shape[1] % 8)))).view(np.uint64)
        return len(np.unique(words.ravel()) if words.shape[1] == 1 else np.unique(words, axis=0))
