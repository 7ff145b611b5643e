"""ZARTS: Wang et al., "ZARTS: On Zero-order Optimization for Neural Architecture Search" (2022)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from tierwise.errors import BadSetting, UnknownName
from tierwise.optimisers.softmax import GradientLearner, check
from tierwise.supernets.search import Batch, SupernetFit, finite

Method = Literal["mgs", "gld", "rs"]
CENTRED = 1e-3  # part of the draws of "mgs" around 0 rather than around the step down, as published


@dataclass(frozen=True)
class ZARTS:
    """Importances are moved by what was seen, not by a gradient: deviations are tried, each by some steps of training
    followed by the loss on a validation batch, and then the weights are as they were.

    method: what is made of the losses of the deviations.
        "mgs": drawn around a step down the first-order gradient, averaged with importance weights that favour low
            losses (Welleck and Cho, "MLE-Guided Parameter Search for Task Loss Minimization in Neural Sequence
            Modeling", 2021).
        "gld": of radii that halve, the best is taken, if any is better than none (Golovin et al., "Gradientless
            Descent: High-Dimensional Zeroth-Order Optimization", 2020).
        "rs": slopes along random directions are summed to a gradient, for Adam (Nesterov and Spokoiny, "Random
            Gradient-Free Minimization of Convex Functions", 2017).
    samples: deviations. interval: batches between two moves, and steps of training in each trial.
    radius: of the deviations, falling to 0 by a cosine. temperature: of "mgs". rate: of Adam in "rs".
    warmup: part of the epochs in which importances stay equal. Raises BadSetting, UnknownName.
    A move costs samples + 1 times what its steps of training cost. Ours: radius and interval, for short searches
    (the authors' are 0.025 and 10), and what "gld" and "rs" are in detail.
    """

    method: Method = "mgs"
    samples: int = 4
    interval: int = 3
    radius: float = 0.2
    temperature: float = 0.01
    rate: float = 0.05
    warmup: float = 0.5

    def __post_init__(self) -> None:
        check(self.rate, self.warmup)
        if self.method not in get_args(Method):
            raise UnknownName("method of zarts", self.method, get_args(Method))
        for name in ("samples", "interval"):
            if getattr(self, name) < 1:
                raise BadSetting(name, getattr(self, name), "1 or more")
        for name in ("radius", "temperature"):
            if not 0 < getattr(self, name) < math.inf:
                raise BadSetting(name, getattr(self, name), "more than 0")

    def begin(self, fit: SupernetFit, seed: int) -> ZARTSLearner:
        """Deviations are drawn."""
        return ZARTSLearner(fit, self, seed)


class ZARTSLearner(GradientLearner):
    """See `ZARTS`."""

    def __init__(self, fit: SupernetFit, settings: ZARTS, seed: int):
        super().__init__(fit, settings.rate, settings.warmup)
        self.settings, self.draws = settings, torch.Generator().manual_seed(seed)
        self.recent: list[Batch] = []

    def step(self, train: Batch, validation: Batch) -> float:
        """A step of the weights; every `interval` batches a move of the importances before it."""
        self.recent = [*self.recent, train][-self.settings.interval :]
        if self.warm and len(self.recent) == self.settings.interval:
            self._move(validation)
            self.recent = []
        return self.fit.step(self.fit.loss(self.fixed(), train))

    def _move(self, validation: Batch) -> None:
        done = (self.fit.done - self.warmup) / (1 - self.warmup)
        radius = self.settings.radius * 0.5 * (1 + math.cos(math.pi * min(done, 0.99)))
        noise = torch.randn(self.settings.samples, sum(map(len, self.alphas)), generator=self.draws)
        noise = noise.to(self.alphas[0].device)
        still = self.ahead(torch.zeros_like(noise[0]), validation)
        if self.settings.method == "mgs":
            down = torch.cat(self.fit.gradient(self.fit.loss(self.mixed(), validation), self.alphas)).neg()
            centred = torch.rand(len(noise), 1, generator=self.draws).to(noise.device) < CENTRED
            tried = radius * noise + torch.where(centred, 0.0, down)
            worse = torch.tensor([self.ahead(d, validation) - still for d in tried], device=noise.device)
            self._shift(guided(tried, worse, down, radius, self.settings.temperature) @ tried)
        elif self.settings.method == "gld":
            tried = noise * radius * 0.5 ** torch.arange(len(noise), device=noise.device)[:, None]
            losses = [self.ahead(d, validation) for d in tried]
            if min(losses) < still:
                self._shift(tried[losses.index(min(losses))])
        else:
            slopes = torch.tensor([self.ahead(radius * d, validation) - still for d in noise], device=noise.device)
            self.descend(self._parts((slopes / radius) @ noise / len(noise)))

    def ahead(self, deviation: Tensor, validation: Batch) -> float:
        """The validation loss at the alphas plus a deviation, after training there; the weights are put back."""
        fit, own = self.fit, self.fit.own
        before = [p.detach().clone() for p in own]
        moved = [a.detach() + d for a, d in zip(self.alphas, self._parts(deviation), strict=True)]
        weights = self.supernet.everywhere([a.softmax(0) for a in moved])
        for batch in self.recent:
            gradient = fit.gradient(fit.loss(weights, batch), own)
            with torch.no_grad():
                for parameter, down in zip(own, gradient, strict=True):
                    parameter.sub_(fit.rate * down)
        with torch.no_grad():
            loss = finite(fit.loss(weights, validation))
            for parameter, value in zip(own, before, strict=True):
                parameter.copy_(value)
        return loss

    def _parts(self, whole: Tensor) -> list[Tensor]:
        return list(whole.split([len(a) for a in self.alphas]))

    @torch.no_grad()
    def _shift(self, deviation: Tensor) -> None:
        for alpha, own in zip(self.alphas, self._parts(deviation), strict=True):
            alpha.add_(own)


def guided(tried: Tensor, worse: Tensor, down: Tensor, radius: float, temperature: float) -> Tensor:
    """(n,) importance weights, of sum 1, of deviations (n, d) that are drawn around `down` and, rarely, around 0.

    worse: (n,) by how much each raises the loss. The wanted density is exp(-worse / temperature).
    """
    around, centred = ((tried - mean).square().sum(1) / (-2 * radius**2) for mean in (down, torch.zeros_like(down)))
    drawn = torch.logaddexp(around + math.log(1 - CENTRED), centred + math.log(CENTRED))
    return (-worse / temperature - drawn).softmax(0)
