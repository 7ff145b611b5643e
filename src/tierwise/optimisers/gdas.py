"""GDAS: Dong and Yang, "Searching for a Robust Neural Architecture in Four GPU Hours" (2019)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tierwise.errors import BadSetting
from tierwise.optimisers.softmax import GradientLearner, check
from tierwise.supernets.search import Batch, SupernetFit


@dataclass(frozen=True)
class GDAS:
    """First order on networks that are drawn: each step computes one candidate of each choice.

    Candidates are drawn by the Gumbel trick; their gradients are those of the softmax at a temperature that falls.
    rate: of Adam for the importances. warmup: part of the epochs in which all are equally likely.
    hot, cold: temperature at the beginning and at the end. Raises BadSetting. Ours: all these numbers.
    Whatever leads from a choice is one draw a step, so a single search says little: average several.
    """

    rate: float = 0.02
    warmup: float = 0.5
    hot: float = 10.0
    cold: float = 0.5

    def __post_init__(self) -> None:
        check(self.rate, self.warmup)
        if not 0 < self.cold <= self.hot:
            raise BadSetting("cold", self.cold, f"more than 0, at most hot = {self.hot}")

    def begin(self, fit: SupernetFit, seed: int) -> GDASLearner:
        """Candidates are drawn."""
        return GDASLearner(fit, self, seed)


class GDASLearner(GradientLearner):
    """See `GDAS`."""

    def __init__(self, fit: SupernetFit, settings: GDAS, seed: int):
        super().__init__(fit, settings.rate, settings.warmup)
        self.settings, self.draws = settings, torch.Generator().manual_seed(seed)

    def step(self, train: Batch, validation: Batch) -> float:
        """Importances, then weights, each with a draw of its own."""
        if self.warm:
            drawn = self.supernet.everywhere(self.drawn())
            self.descend(self.fit.gradient(self.fit.loss(drawn, validation), self.alphas))
        drawn = [own.detach() for own in self.drawn()]
        return self.fit.step(self.fit.loss(self.supernet.everywhere(drawn), train))

    def drawn(self) -> list[Tensor]:
        """(m,) one-hot for each choice, with the gradient of the softmax."""
        heat = self.settings.hot + (self.settings.cold - self.settings.hot) * self.fit.done
        found: list[Tensor] = []
        for alpha in self.alphas:
            gumbel = torch.empty(len(alpha)).exponential_(generator=self.draws).log().neg().to(alpha.device)
            soft = ((alpha.log_softmax(0) + gumbel) / heat).softmax(0)
            hard = torch.zeros_like(soft).index_fill_(0, soft.argmax(), 1.0)
            found.append(hard + (soft - soft.detach()))  # exactly 0 and 1, so that the others are not computed
        return found
