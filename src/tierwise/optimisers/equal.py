"""Candidates that are mixed equally, and then looked at one by one."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from tierwise.supernets.alone import alone_weights, equal_weights
from tierwise.supernets.search import Batch, Learner, SupernetFit


@dataclass(frozen=True)
class Equal:
    """Nothing is learnt of the importances while the supernet is trained: all candidates of a choice are mixed equally
    to the end. A candidate's importance is then read off the last validation batch: see ``alone_weights``.

    A mixture passes something on as long as one of its candidates does, so that it trains where drawn networks of many
    choices do not. For choices in a row: where several feed one sum, as in cells, a candidate that passes nothing does
    no harm alone. Ours; after Wang et al., "Rethinking Architecture Selection in Differentiable NAS" (2021).
    """

    def begin(self, fit: SupernetFit, seed: int) -> EqualLearner:
        """Nothing is drawn."""
        return EqualLearner(fit)


class EqualLearner(Learner):
    """See `Equal`."""

    def __init__(self, fit: SupernetFit):
        super().__init__(fit)
        self.equal = self.found = equal_weights(fit.supernet)
        self.validation: Batch | None = None

    def step(self, train: Batch, validation: Batch) -> float:
        """One step of the weights."""
        self.validation = validation
        return self.fit.step(self.fit.loss(self.supernet.everywhere(self.equal), train))

    def epoch_end(self) -> None:
        """Looks, once the last epoch is over."""
        if self.fit.done >= 1 and self.validation is not None:
            self.found = alone_weights(self.supernet, *self.validation)

    def weights(self) -> list[Tensor]:
        """All equal until the last epoch is over."""
        return self.found
