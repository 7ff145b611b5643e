"""First order: Liu, Simonyan and Yang, "DARTS: Differentiable Architecture Search" (2019), without unrolled steps."""

from __future__ import annotations

from dataclasses import dataclass

from tierwise.optimisers.softmax import GradientLearner, check
from tierwise.supernets.search import Batch, SupernetFit


@dataclass(frozen=True)
class FirstOrder:
    """Importances go down the loss on a validation batch, weights then down that on a training batch.

    rate: of Adam for the importances. warmup: part of the epochs in which they stay equal. Raises BadSetting.
    Ours: rate and warm-up, and no decay of the importances.
    """

    rate: float = 0.02
    warmup: float = 0.5

    def __post_init__(self) -> None:
        check(self.rate, self.warmup)

    def begin(self, fit: SupernetFit, seed: int) -> FirstOrderLearner:
        """Nothing is drawn."""
        return FirstOrderLearner(fit, self.rate, self.warmup)


class FirstOrderLearner(GradientLearner):
    """See `FirstOrder`."""

    def step(self, train: Batch, validation: Batch) -> float:
        """Importances, then weights."""
        if self.warm:
            self.descend(self.fit.gradient(self.fit.loss(self.mixed(), validation), self.alphas))
        return self.fit.step(self.fit.loss(self.fixed(), train))
