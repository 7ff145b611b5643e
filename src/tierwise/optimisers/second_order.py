"""Second order: Liu, Simonyan and Yang, "DARTS: Differentiable Architecture Search" (2019)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tierwise.optimisers.softmax import GradientLearner, check
from tierwise.supernets.search import Batch, SupernetFit

REACH = 0.01  # of the finite difference, in units of the gradient's norm: as published


@dataclass(frozen=True)
class SecondOrder:
    """Importances go down the validation loss of the weights that one step of training would give.

    The step ahead is plain gradient descent at the recipe's rate; its effect on the gradient is a finite difference,
    by 0.01 over the norm of the validation gradient, as published. Four passes in place of one.
    rate: of Adam for the importances. warmup: part of the epochs in which they stay equal. Raises BadSetting.
    Ours: rate and warm-up, no decay of the importances, and a step ahead without momentum and decay.
    """

    rate: float = 0.02
    warmup: float = 0.5

    def __post_init__(self) -> None:
        check(self.rate, self.warmup)

    def begin(self, fit: SupernetFit, seed: int) -> SecondOrderLearner:
        """Nothing is drawn."""
        return SecondOrderLearner(fit, self.rate, self.warmup)


class SecondOrderLearner(GradientLearner):
    """See `SecondOrder`."""

    def step(self, train: Batch, validation: Batch) -> float:
        """Importances, then weights."""
        if self.warm:
            self.descend(self.gradient(train, validation))
        return self.fit.step(self.fit.loss(self.fixed(), train))

    def gradient(self, train: Batch, validation: Batch) -> list[Tensor]:
        """Of the validation loss after a step of training, by the alphas; the supernet is left as it was."""
        fit, own = self.fit, self.fit.own
        before = [p.detach().clone() for p in own]
        _move(own, before, fit.gradient(fit.loss(self.fixed(), train), own), -fit.rate)
        both = fit.gradient(fit.loss(self.mixed(), validation), [*self.alphas, *own])
        direct, ahead = both[: len(self.alphas)], both[len(self.alphas) :]
        norm = float(torch.stack([g.square().sum() for g in ahead]).sum().sqrt())
        reach = REACH / norm if norm else 1.0
        _move(own, before, ahead, reach)
        more = fit.gradient(fit.loss(self.mixed(), train), self.alphas)
        _move(own, before, ahead, -reach)
        less = fit.gradient(fit.loss(self.mixed(), train), self.alphas)
        _move(own, before, ahead, 0.0)
        return [d - fit.rate * (a - b) / (2 * reach) for d, a, b in zip(direct, more, less, strict=True)]


@torch.no_grad()
def _move(own: Sequence[Tensor], start: Sequence[Tensor], way: Sequence[Tensor], far: float) -> None:
    for parameter, before, direction in zip(own, start, way, strict=True):
        parameter.copy_(before + far * direction)
