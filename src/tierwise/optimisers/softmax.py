"""Weights of candidates as a softmax of free numbers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tierwise.errors import BadSetting
from tierwise.supernets.search import Learner, SupernetFit

BETAS = (0.5, 0.999)  # of Adam, as in Liu et al., "DARTS: Differentiable Architecture Search" (2019)


def check(rate: float, warmup: float) -> None:
    """Raises BadSetting."""
    if not 0 < rate < float("inf"):
        raise BadSetting("rate", rate, "more than 0")
    if not 0 <= warmup < 1:
        raise BadSetting("warmup", warmup, "a part of the epochs, 0 or more, less than 1")


class SoftmaxLearner(Learner):
    """Free numbers `alphas`, (m,) for each choice, 0 at first; they are left alone for the first `warmup` of the
    epochs, so that candidates are trained before they are judged.
    """

    def __init__(self, fit: SupernetFit, warmup: float):
        super().__init__(fit)
        device = next(fit.supernet.parameters()).device
        self.alphas = [torch.zeros(len(c.options), device=device, requires_grad=True) for c in fit.supernet.choices]
        self.warmup = warmup

    @property
    def warm(self) -> bool:
        """Whether the alphas are trained by now."""
        return self.fit.done > self.warmup

    def weights(self) -> list[Tensor]:
        """The softmax of each choice."""
        return [alpha.detach().softmax(0) for alpha in self.alphas]

    def mixed(self) -> list[Tensor]:
        """The softmax, one vector a site, with gradients to the alphas."""
        return self.supernet.everywhere([alpha.softmax(0) for alpha in self.alphas])

    def fixed(self) -> list[Tensor]:
        """The same without gradients."""
        return self.supernet.everywhere(self.weights())


class GradientLearner(SoftmaxLearner):
    """Alphas that Adam trains, at this rate."""

    def __init__(self, fit: SupernetFit, rate: float, warmup: float):
        super().__init__(fit, warmup)
        self.adam = torch.optim.Adam(self.alphas, lr=rate, betas=BETAS)

    def descend(self, gradient: Sequence[Tensor]) -> None:
        """One step of the alphas down this gradient."""
        for alpha, own in zip(self.alphas, gradient, strict=True):
            alpha.grad = own
        self.adam.step()
