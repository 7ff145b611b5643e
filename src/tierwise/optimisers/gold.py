"""GOLD-NAS: Bi et al., "GOLD-NAS: Gradual, One-Level, Differentiable" (2020)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tierwise.errors import BadSetting
from tierwise.optimisers.softmax import BETAS, check
from tierwise.supernets.candidate_costs import candidate_costs
from tierwise.supernets.search import Batch, Learner, SupernetFit


@dataclass(frozen=True)
class Pruned:
    """One network of the series. kept: (m,) candidates of each choice that are left. cost: their part of the cost of
    all, 0 to 1. flops, params: theirs. loss: of training, in the epoch that ended with it.
    """

    epoch: int
    kept: tuple[NDArray[np.bool_], ...]
    cost: float
    flops: int
    params: int
    loss: float


@dataclass(frozen=True)
class GOLDNAS:
    """Every candidate has a gate of its own, candidates that cost are pressed out one after another, and each network
    on the way is recorded: a series of falling cost in one search (`Weighed.record`, of `Pruned`).

    Gates are logistic; weights and gates go down one loss on the training batch, plus `pressure` times the cost of the
    open gates. At the end of an epoch gates below `threshold` are shut for good, the lowest first, at most `target`.
    Where fewer were below, the pressure grows by `growth`; where more were, it falls by as much; the last candidate of
    a choice is not pressed. The cost of a candidate is the mean of its part of the multiply-adds of all and of an equal
    share.

    rate: of Adam for the gates. warmup: part of the epochs in which gates stay equal. Raises BadSetting.
    One level, growing pressure and gradual pruning are the paper's; there is no public code, and the numbers, the mixed
    cost and the rule that the last candidate of a choice stays are ours: what may be empty needs a candidate "none".
    """

    rate: float = 0.1
    pressure: float = 0.1
    growth: float = 1.5
    target: int = 2
    threshold: float = 0.1
    warmup: float = 0.25

    def __post_init__(self) -> None:
        check(self.rate, self.warmup)
        for name, least in (("pressure", 0.0), ("growth", 1.0), ("target", 0)):
            if getattr(self, name) <= least:
                raise BadSetting(name, getattr(self, name), f"more than {least:g}")
        if not 0 < self.threshold < 0.5:
            raise BadSetting("threshold", self.threshold, "more than 0, less than 0.5, where gates begin")

    def begin(self, fit: SupernetFit, seed: int) -> GOLDNASLearner:
        """Nothing is drawn."""
        return GOLDNASLearner(fit, self)


class GOLDNASLearner(Learner):
    """See `GOLDNAS`."""

    def __init__(self, fit: SupernetFit, settings: GOLDNAS):
        super().__init__(fit)
        device = next(fit.supernet.parameters()).device
        sizes = [len(choice.options) for choice in fit.supernet.choices]
        self.alphas = [torch.zeros(size, device=device, requires_grad=True) for size in sizes]
        self.kept = [torch.ones(size, dtype=torch.bool, device=device) for size in sizes]
        self.adam = torch.optim.Adam(self.alphas, lr=settings.rate, betas=BETAS)
        self.settings, self.pressure = settings, settings.pressure
        self.costs: list[Tensor] = []  # (m, 2) of each choice, known from the first batch on
        self.shares: list[Tensor] = []  # (m,) of the whole cost
        self.series: list[Pruned] = []
        self.losses: list[float] = []

    def step(self, train: Batch, validation: Batch) -> float:
        """Both on the training batch; the loss without the pressure."""
        if not self.costs:
            self._count(train[0])
        gates = [alpha.sigmoid() * kept for alpha, kept in zip(self.alphas, self.kept, strict=True)]
        if self.fit.done <= self.settings.warmup:
            gates = [gate.detach() for gate in gates]
        own = self.fit.loss(self.supernet.everywhere(gates), train)
        self.adam.zero_grad()
        pressed = [g if kept.sum() > 1 else g.detach() for g, kept in zip(gates, self.kept, strict=True)]
        self.fit.step(own + self.pressure * self._cost(pressed))
        if self.fit.done > self.settings.warmup:
            self.adam.step()
        self.losses.append(float(own.detach()))
        return self.losses[-1]

    def weights(self) -> list[Tensor]:
        """The gates: each between 0 and 1, whatever the others are; exactly 0 for what is shut."""
        return [alpha.detach().sigmoid() * kept for alpha, kept in zip(self.alphas, self.kept, strict=True)]

    def epoch_end(self) -> None:
        """Shut gates, and press harder if there were too few."""
        loss, self.losses = float(np.mean(self.losses)), []
        if self.fit.done <= self.settings.warmup:
            return
        shut = self._shut()
        if shut or not self.series:
            flops, params = torch.stack([c[k].sum(0) for c, k in zip(self.costs, self.kept, strict=True)]).sum(0)
            kept = tuple(own.cpu().numpy().copy() for own in self.kept)
            cost = float(self._cost([own.float() for own in self.kept]))
            epoch = round(self.fit.done * self.fit.epochs) - 1
            self.series.append(Pruned(epoch, kept, cost, int(flops), int(params), loss))

    def record(self) -> tuple[Pruned, ...]:
        """The series, cheaper and cheaper."""
        return tuple(self.series)

    def _shut(self) -> bool:
        """Shut the lowest gates and set the pressure; whether there were any."""
        low = [
            (float(own[c]), k, c)
            for k, (own, kept) in enumerate(zip(self.weights(), self.kept, strict=True))
            for c in kept.nonzero()[:, 0].tolist()
            if own[c] < self.settings.threshold and c != int(own.argmax())
        ]
        for _, choice, candidate in sorted(low)[: self.settings.target]:
            self.kept[choice][candidate] = False
        more = any(kept.sum() > 1 for kept in self.kept)
        if more and len(low) != self.settings.target:
            self.pressure *= self.settings.growth if len(low) < self.settings.target else 1 / self.settings.growth
        return bool(low)

    def _cost(self, gates: list[Tensor]) -> Tensor:
        return torch.stack([(gate * share).sum() for gate, share in zip(gates, self.shares, strict=True)]).sum()

    def _count(self, x: Tensor) -> None:
        self.costs = [own.to(x.device) for own in candidate_costs(self.supernet, x)]
        flops = max(float(sum(own[:, 0].sum() for own in self.costs)), 1.0)
        equal = 1 / sum(map(len, self.costs))
        whole = float(sum((own[:, 0] / flops + equal).sum() for own in self.costs))  # 2, or 1 where nothing multiplies
        self.shares = [(own[:, 0] / flops + equal) / whole for own in self.costs]
