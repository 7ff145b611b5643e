"""One level: weights and importances go down the same loss on the same batch.

Neumeyer, Stier and Granitzer, "Efficient NAS with FaDE on Hierarchical Spaces" (2024), whose code calls it trivial.
"""

from __future__ import annotations

from dataclasses import dataclass

from tierwise.optimisers.softmax import GradientLearner, check
from tierwise.supernets.search import Batch, SupernetFit


@dataclass(frozen=True)
class OneLevel:
    """The steadiest here: nothing is learnt from the validation part, which is free to judge the result.

    rate: of Adam for the importances. warmup: part of the epochs in which they stay equal (ours, as is the rate).
    Raises BadSetting.
    """

    rate: float = 0.02
    warmup: float = 0.5

    def __post_init__(self) -> None:
        check(self.rate, self.warmup)

    def begin(self, fit: SupernetFit, seed: int) -> OneLevelLearner:
        """Nothing is drawn."""
        return OneLevelLearner(fit, self.rate, self.warmup)


class OneLevelLearner(GradientLearner):
    """See `OneLevel`."""

    def step(self, train: Batch, validation: Batch) -> float:
        """Both on the training batch."""
        if not self.warm:
            return self.fit.step(self.fit.loss(self.fixed(), train))
        self.adam.zero_grad()
        loss = self.fit.step(self.fit.loss(self.mixed(), train))
        self.adam.step()
        return loss
