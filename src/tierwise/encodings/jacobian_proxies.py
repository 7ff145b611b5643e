"""Zero-cost proxies from the gradients of a network's scores: by the image, or by the weights for each image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tierwise.zero_cost import Proxy

if TYPE_CHECKING:
    from tierwise.networks.passes import Passes

_SMALL = 1e-5  # added before a logarithm or a division, as the papers do
_MANY = 100  # from more classes than that on, classes are compared with each other


class JacobCov(Proxy):
    """-sum of log(e + 1e-5) + 1 / (e + 1e-5) over the eigenvalues e of the correlations of the images' Jacobians.

    The Jacobian of an image: the gradient of the sum of all scores by its pixels.
    Mellor et al., "Neural Architecture Search without Training", first version (2020).
    """

    name = "jacob_cov"

    @staticmethod
    def score(passes: Passes) -> float:
        """NaN where a Jacobian is zero."""
        correlations = np.corrcoef(passes.jacobian.astype(np.float64))
        if not np.isfinite(correlations).all():
            return float("nan")
        values = np.linalg.eigvalsh(correlations) + _SMALL
        return -float(np.sum(np.log(values) + 1 / values))


class EPENAS(Proxy):
    """Sum over classes of |sum of log(|r| + 1e-5)|, r the correlations of the Jacobians of the class's images.

    With more than 100 classes each sum is divided by the images of the class, and the score is the sum of the absolute
    differences of all pairs of classes, divided by their number.
    Lopes, Alirezazadeh, Alexandre, "EPE-NAS: Efficient Performance Estimation Without Training for Neural Architecture
    Search" (2021).
    """

    name = "epe_nas"

    @staticmethod
    def score(passes: Passes) -> float:
        """NaN where a Jacobian is zero."""
        labels, jacobian = passes.labels[0].numpy(), passes.jacobian.astype(np.float64)
        many = passes.loss.scores.shape[1] > _MANY
        sums: list[float] = []
        for label in np.unique(labels):
            correlations = np.atleast_2d(np.corrcoef(jacobian[labels == label]))
            total = float(np.log(np.abs(correlations) + _SMALL).sum())
            sums.append(total / len(correlations) if many else total)
        each = np.array(sums)
        return float(np.abs(each[:, None] - each).sum() / len(each) if many else np.abs(each).sum())


class NTK(Proxy):
    """-log of the condition number of the neural tangent kernel of up to 16 images.

    The kernel: inner products of the gradients of the sum of an image's scores by all weights. An eigenvalue that
    rounding may have made counts as the smallest one that would not be.
    Chen, Gong, Wang, "Neural Architecture Search on ImageNet in Four GPU Hours: A Theoretically Inspired Perspective"
    (TE-NAS, 2021), which calls small condition numbers good.
    """

    name = "ntk"

    @staticmethod
    def score(passes: Passes) -> float:
        """0 or less; NaN where the kernel is zero."""
        values = np.linalg.eigvalsh(passes.tangent_kernel)
        smallest = values[-1] * len(values) * float(np.finfo(np.float32).eps)
        return -float(np.log(values[-1] / max(values[0], smallest)))
