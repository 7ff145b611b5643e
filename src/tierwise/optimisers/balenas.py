"""BaLeNAS: Zhang et al., "BaLeNAS: Differentiable Architecture Search via the Bayesian Learning Rule" (2022)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tierwise.errors import BadSetting
from tierwise.optimisers.softmax import SoftmaxLearner, check
from tierwise.supernets.search import Batch, SupernetFit


@dataclass(frozen=True)
class BaLeNAS:
    """Importances are normal, with a mean and a deviation each; both follow natural gradients of the evidence bound.

    Derived here, because there is no public code. With n validation inputs, mean loss l and prior N(0, 1 / prior), the
    bound E[n l] + KL of N(m, 1 / p) has the natural-gradient step (Khan and Rue, "The Bayesian Learning Rule", 2023)
        p <- (1 - r) p + r (n E[l''] + prior),    m <- m - r (n E[l'] + prior m) / p.
    With p = n s + prior:  s <- (1 - r) s + r E[l''],  m <- m - r (E[l'] + prior m / n) / (s + prior / n), and the
    deviation of the draw is 1 / sqrt(n s + prior): the prior enters both in the same way. l' is taken at one draw. For
    l'' stands the mean square of the gradients of single inputs, the empirical Fisher information. Two halves of a
    batch, with gradients u and v, tell it: their difference says how single inputs vary, their mean what they share.
    s begins at 0, so that the first draws are from the prior, and is corrected for that as in Adam.

    rate: r of the means. memory: 1 - r of s. prior: precision. warmup: part of the epochs in which importances stay
    equal, without draws. All these numbers are ours. Raises BadSetting.
    """

    rate: float = 0.1
    memory: float = 0.99
    prior: float = 0.1
    warmup: float = 0.5

    def __post_init__(self) -> None:
        check(self.rate, self.warmup)
        if not 0 <= self.memory < 1:
            raise BadSetting("memory", self.memory, "0 or more, less than 1")
        if not 0 < self.prior < float("inf"):
            raise BadSetting("prior", self.prior, "more than 0")

    def begin(self, fit: SupernetFit, seed: int) -> BaLeNASLearner:
        """Importances are drawn."""
        return BaLeNASLearner(fit, self, seed)


class BaLeNASLearner(SoftmaxLearner):
    """See `BaLeNAS`; the alphas are the means."""

    def __init__(self, fit: SupernetFit, settings: BaLeNAS, seed: int):
        super().__init__(fit, settings.warmup)
        self.settings, self.draws, self.steps = settings, torch.Generator().manual_seed(seed), 0
        self.curvatures = [torch.zeros_like(alpha, requires_grad=False) for alpha in self.alphas]

    def step(self, train: Batch, validation: Batch) -> float:
        """Means and deviations on the validation batch, then weights, each with a draw of its own."""
        if not self.warm:
            return self.fit.step(self.fit.loss(self.fixed(), train))
        drawn, (x, y), half = self.drawn(), validation, max(len(validation[1]) // 2, 1)
        parts = [(x[:half], y[:half]), (x[-half:], y[-half:])]
        one, two = (self.fit.gradient(self.fit.loss(self._mixed(drawn), part), drawn) for part in parts)
        self.update(one, two, half)
        return self.fit.step(self.fit.loss(self._mixed([own.detach() for own in self.drawn()]), train))

    @torch.no_grad()
    def update(self, one: Sequence[Tensor], two: Sequence[Tensor], inputs: int) -> None:
        """One step of both, by gradients of the mean loss of two parts of so many inputs, at the same draw."""
        memory, prior = self.settings.memory, self.settings.prior / self.fit.held
        self.steps += 1
        for s, u, v in zip(self.curvatures, one, two, strict=True):
            s.mul_(memory).add_((1 - memory) * (inputs / 2 * (u - v).square() + (u + v).square() / 4))
        for mean, s, u, v in zip(self.alphas, self._corrected(), one, two, strict=True):
            mean.sub_(self.settings.rate * ((u + v) / 2 + prior * mean) / (s + prior))

    def deviations(self) -> list[Tensor]:
        """(m,) of the alphas of each choice."""
        return [(self.fit.held * s + self.settings.prior).rsqrt() for s in self._corrected()]

    def drawn(self) -> list[Tensor]:
        """Alphas from their distribution."""
        found: list[Tensor] = []
        for mean, deviation in zip(self.alphas, self.deviations(), strict=True):
            noise = torch.randn(len(mean), generator=self.draws).to(mean.device)
            found.append((mean.detach() + deviation * noise).requires_grad_())
        return found

    def spread(self) -> list[Tensor]:
        """Deviations of the weights, to first order in those of the alphas."""
        found: list[Tensor] = []
        for own, deviation in zip(self.weights(), self.deviations(), strict=True):
            slopes = torch.diag(own) - torch.outer(own, own)
            found.append((slopes.square() @ deviation.square()).sqrt())
        return found

    def _corrected(self) -> list[Tensor]:
        seen = 1 - self.settings.memory**self.steps
        return [s / seen if self.steps else s for s in self.curvatures]

    def _mixed(self, alphas: list[Tensor]) -> list[Tensor]:
        return self.supernet.everywhere([alpha.softmax(0) for alpha in alphas])
