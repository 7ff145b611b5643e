"""Zero-cost proxies from the weights of a network and the gradient of its loss by them.

In all, a layer is a convolution or a linear map, w its weights and g the gradient of the mean cross entropy by them; a
network to whose weights no gradient comes has no score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tierwise.zero_cost import Proxy

if TYPE_CHECKING:
    from torch import Tensor

    from tierwise.networks.passes import Passes


class GradNorm(Proxy):
    """Sum over layers of the Euclidean norm of g.

    Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS" (2021).
    """

    name = "grad_norm"

    @staticmethod
    def score(passes: Passes) -> float:
        """Positive."""
        return _or_none(passes, [gradient.norm() for gradient in passes.loss.gradients])


class SNIP(Proxy):
    """Sum over weights of |w g|: how much the loss changes when a weight goes, to first order.

    Lee et al., "SNIP: Single-shot Network Pruning based on Connection Sensitivity" (2019), summed over the network by
    Abdelfattah et al. (2021).
    """

    name = "snip"

    @staticmethod
    def score(passes: Passes) -> float:
        """Positive."""
        return _or_none(passes, [(w * g).abs().sum() for w, g in _pairs(passes)])


class Plain(Proxy):
    """Sum over weights of w g, with its sign.

    Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS" (2021), after Mozer and Smolensky, "Skeletonization"
    (1989). Batch norm makes it 0 for each convolution before one; the classifier remains.
    """

    name = "plain"

    @staticmethod
    def score(passes: Passes) -> float:
        """Of either sign."""
        return _or_none(passes, [(w * g).sum() for w, g in _pairs(passes)])


class GraSP(Proxy):
    """Sum over weights of -w (H g), H the Hessian of the loss by all weights: how the gradient's flow would change.

    Wang et al., "Picking Winning Tickets Before Training by Preserving Gradient Flow" (2020), with the sign of
    Abdelfattah et al. (2021). The only proxy with second derivatives, and the slowest but one.
    """

    name = "grasp"

    @staticmethod
    def score(passes: Passes) -> float:
        """Of either sign."""
        products = zip(passes.weights, passes.hessian_gradient, strict=True)
        return _or_none(passes, [-(w * h).sum() for w, h in products])


class Fisher(Proxy):
    """Sum over the weights of each layer of the Fisher information of the channel that they make.

    That of a channel: half the mean over images of (sum over pixels of map * gradient of the loss by it)².
    Turner et al., "BlockSwap: Fisher-guided Block Substitution for Network Compression on a Budget" (2020), summed over
    the network by Abdelfattah et al. (2021).
    """

    name = "fisher"

    @staticmethod
    def score(passes: Passes) -> float:
        """Positive."""
        loss = passes.loss
        parts: list[Tensor] = []
        for leaving, gradient, fan in zip(loss.maps, loss.map_gradients, loss.fans, strict=True):
            product = leaving * gradient
            channels = product.flatten(2).sum(2) if product.ndim > 2 else product
            parts.append(channels.square().mean(0).sum() / 2 * fan)
        return _or_none(passes, parts)


class L2Norm(Proxy):
    """Sum over layers of the Euclidean norm of w; it needs no image and says how many weights there are.

    Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS" (2021).
    """

    name = "l2_norm"

    @staticmethod
    def score(passes: Passes) -> float:
        """Positive."""
        return _sum([weight.norm() for weight in passes.weights])


class SynFlow(Proxy):
    """Logarithm of the sum over weights of |w dR/dw|, R the sum of the scores of an image of ones, in float64.

    All parameters are replaced by their absolute values and batch norms left out, so that no path cancels another: it
    adds up the products along all paths. Reads no images.
    Tanaka et al., "Pruning neural networks without any data by iteratively conserving synaptic flow" (2020), summed
    over the network by Abdelfattah et al. (2021).
    """

    name = "synflow"

    @staticmethod
    def score(passes: Passes) -> float:
        """Minus infinity where no path leads through."""
        return float(np.log(passes.saliency))


class ZiCo(Proxy):
    """Sum over layers of log(sum over weights of mean |g| / sd of g), both over the gradients of two batches.

    Weights whose gradient is the same in both are left out, and layers without any other.
    Li et al., "ZiCo: Zero-shot NAS via Inverse Coefficient of Variation on Gradients" (2023). Reads two batches.
    """

    name = "zico"
    batches = 2

    @staticmethod
    def score(passes: Passes) -> float:
        """NaN where no layer is left."""
        found: list[float] = []
        for one, two in zip(passes.loss.gradients, passes.second_gradients, strict=True):
            mean, deviation = (one.abs() + two.abs()) / 2, (one - two).abs() / 2
            varies = deviation > 0
            if varies.any():
                found.append(float((mean[varies] / deviation[varies]).double().sum().log()))
        return sum(found) if found else float("nan")


def _pairs(passes: Passes) -> zip[tuple[Tensor, Tensor]]:
    return zip(passes.weights, passes.loss.gradients, strict=True)


def _or_none(passes: Passes, parts: Sequence[Tensor]) -> float:
    """The sum of the parts, NaN where no gradient comes to any weight."""
    reached = any(bool(gradient.any()) for gradient in passes.loss.gradients)
    return _sum(parts) if reached else float("nan")


def _sum(parts: Sequence[Tensor]) -> float:
    return sum(float(part.detach()) for part in parts)
