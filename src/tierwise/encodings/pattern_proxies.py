"""Zero-cost proxies from what rectifiers let pass: how finely a network tells inputs apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tierwise.zero_cost import Proxy

if TYPE_CHECKING:
    from tierwise.networks.passes import Passes


class NASWOT(Proxy):
    """log |det K|, K of each pair of images the number of rectifiers that are on for both or off for both.

    Mellor et al., "Neural Architecture Search without Training" (2021).
    """

    name = "naswot"

    @staticmethod
    def score(passes: Passes) -> float:
        """Minus infinity where two images have one pattern."""
        return float(np.linalg.slogdet(passes.loss.patterns.agreement)[1])


class SWAP(Proxy):
    """How many different patterns the rectifiers have over the images of the batch, without regularisation.

    Peng et al., "SWAP-NAS: Sample-Wise Activation Patterns for Ultra-fast NAS" (2024).
    """

    name = "swap"

    @staticmethod
    def score(passes: Passes) -> float:
        """1 or more where there are rectifiers."""
        return float(passes.loss.patterns.distinct_units)


class LinearRegions(Proxy):
    """How many linear regions the straight line from one image to another crosses, counted at the points of a batch.

    A region ends where a rectifier switches; what switches there and back between two points is missed.
    Chen, Gong, Wang, "Neural Architecture Search on ImageNet in Four GPU Hours: A Theoretically Inspired Perspective"
    (TE-NAS, 2021), counts the regions in which random points lie, on networks of one channel; in a network of full
    width every point has a region of its own, and the count says nothing. Regions on a line: Hanin and Rolnick,
    "Complexity of Linear Regions in Deep Networks" (2019).
    """

    name = "linear_regions"

    @staticmethod
    def score(passes: Passes) -> float:
        """1 or more."""
        line = passes.line
        return float(1 + (line.units - line.agreement.diagonal(1)).sum())


class Zen(Proxy):
    """log of the mean over images of sum |f(x + 0.01 e) - f(x)|, plus log of the deviation at each batch norm.

    f: the maps before the global pool, as the last module that gives maps gives them. x, e and the weights are standard
    normal. The deviation is the root of the variance, mean over channels, of what enters a batch norm: this gives back
    the scale that it takes away.
    Lin et al., "Zen-NAS: A Zero-Shot NAS for High-Performance Image Recognition" (2021).
    """

    name = "zen"

    @staticmethod
    def score(passes: Passes) -> float:
        """Minus infinity where nothing comes through."""
        noise = passes.noise
        moved = (noise.moved - noise.maps).abs().flatten(1).sum(1).mean()
        return float(np.log(float(moved)) + np.log(noise.variances).sum() / 2)
