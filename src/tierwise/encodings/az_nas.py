"""The proxies of Lee and Ham, "AZ-NAS: Assembling Zero-Cost Proxies for Network Architecture Search" (2024).

They look at the maps between the blocks of a network, that is its cells: see ``networks.hooks.blocks``. The fourth is
FLOPs; ``zero_cost.az_nas`` ranks candidates by all four.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tierwise.zero_cost import Proxy

if TYPE_CHECKING:
    from torch import Tensor

    from tierwise.networks.passes import Passes

_SMALL = 1e-8  # a share of the variance that no longer counts


class AZExpressivity(Proxy):
    """Sum over the maps between blocks of the entropy of their principal components' shares of the variance.

    Components are of the channels, over all pixels of all images.
    Lee and Ham, "AZ-NAS: Assembling Zero-Cost Proxies for Network Architecture Search" (2024).
    """

    name = "az_expressivity"

    @staticmethod
    def score(passes: Passes) -> float:
        """NaN where a map is constant."""
        return float(_entropies(passes).sum())


class AZProgressivity(Proxy):
    """The least that this entropy grows from one block to the next.

    Lee and Ham, "AZ-NAS: Assembling Zero-Cost Proxies for Network Architecture Search" (2024).
    """

    name = "az_progressivity"

    @staticmethod
    def score(passes: Passes) -> float:
        """NaN where a map is constant."""
        return float(np.diff(_entropies(passes)).min())


class AZTrainability(Proxy):
    """Mean over blocks of 2 - s - 1/s, s the spectral norm of a block's Jacobian between channels: best at 1.

    Of the Jacobian only an estimate is known: random signs r at the block's output, their gradient g at its input, and
    the mean over pixels of g rᵀ. A block that halves height and width takes four pixels of its input as channels.
    Lee and Ham, "AZ-NAS: Assembling Zero-Cost Proxies for Network Architecture Search" (2024).
    """

    name = "az_trainability"

    @staticmethod
    def score(passes: Passes) -> float:
        """Minus infinity where a block hands on its input unchanged, NaN where it hands on nothing."""
        found: list[float] = []
        for signs, back in passes.block_gradients:
            if back.shape == signs.shape and bool((back == signs).all()):
                return float("-inf")
            rows = _rows(signs)
            estimate = _rows(_folded(back, signs)).T @ rows / len(rows)
            norm = float(np.linalg.norm(estimate, 2))
            found.append(2 - norm - 1 / norm if norm else float("nan"))
        return float(np.mean(found))


def _entropies(passes: Passes) -> NDArray[np.float64]:
    """(maps,) of the shares of the variance along the principal components of the channels."""
    found: list[float] = []
    for each in passes.block_maps:
        rows = _rows(each.detach())
        centred = rows - rows.mean(0)
        variances = np.clip(np.linalg.eigvalsh(centred.T @ centred / len(rows)), 0, None)
        shares = variances / variances.sum()
        found.append(-float(np.sum(shares * np.log(shares + _SMALL))))
    return np.array(found)


def _rows(maps: Tensor) -> NDArray[np.float64]:
    """(images * pixels, channels)"""
    return maps.movedim(1, -1).flatten(0, -2).double().numpy()


def _folded(maps: Tensor, like: Tensor) -> Tensor:
    """The maps with height and width of `like`; the pixels of `maps` that come to lie on one are channels."""
    for axis in range(2 - like.ndim, 0):  # from the end, as channels come in front
        size = like.shape[axis]
        times = maps.shape[axis] // size
        maps = maps.narrow(axis, 0, size * times).unflatten(axis, (size, times)).movedim(axis, 1)
    return maps.flatten(1, 1 - like.ndim)
