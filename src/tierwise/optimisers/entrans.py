"""EnTranNAS: Yang et al., "Towards Improving the Consistency, Efficiency, and Flexibility of Differentiable Neural
Architecture Search" (2021).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from tierwise.errors import BadSetting
from tierwise.optimisers.softmax import GradientLearner, check
from tierwise.supernets.search import Batch, SupernetFit


@dataclass(frozen=True)
class EnTranNAS:
    """One engine, the last cell of each kind, mixes its candidates; all others are transit cells, which run the network
    that is derived by now. First order, so that importances are learnt in nearly the network that comes of them.

    The weights of the engine pass a soft threshold, which rises to `threshold` times the largest weight, and are
    divided by their sum: those below are exactly 0 and are not computed, and at the end few are left.
    rate: of Adam for the importances. warmup: part of the epochs in which all cells mix all candidates equally.
    mixed: the part after it in which importances are learnt and all cells are engines: what is derived from nothing may
    be a network of zeros, which teaches nothing. Raises BadSetting.
    Engine, transit and thresholds that reach 0 are the paper's; there is no public code, and which cell is the engine,
    the rising threshold, warm-up and mixed epochs are ours. Where each choice has one site, there is no transit cell.
    That the outputs of shared operations are computed once is left out: it changes no number.
    """

    rate: float = 0.03
    threshold: float = 0.9
    warmup: float = 0.4
    mixed: float = 0.2

    def __post_init__(self) -> None:
        check(self.rate, self.warmup)
        if not 0 <= self.mixed < 1 - self.warmup:
            raise BadSetting("mixed", self.mixed, f"0 or more, less than 1 - warmup = {1 - self.warmup:g}")
        if not 0 <= self.threshold < 1:
            raise BadSetting("threshold", self.threshold, "0 or more, less than 1")

    def begin(self, fit: SupernetFit, seed: int) -> EnTranNASLearner:
        """Nothing is drawn."""
        return EnTranNASLearner(fit, self)


class EnTranNASLearner(GradientLearner):
    """See `EnTranNAS`."""

    def __init__(self, fit: SupernetFit, settings: EnTranNAS):
        super().__init__(fit, settings.rate, settings.warmup)
        self.settings = settings
        self.engine = {choice: site for site, choice in enumerate(fit.supernet.sites)}  # the last of each

    def step(self, train: Batch, validation: Batch) -> float:
        """Importances through the engine, then weights."""
        if not self.warm:
            return self.fit.step(self.fit.loss(self.fixed(), train))
        self.descend(self.fit.gradient(self.fit.loss(self.engaged(self.sparse()), validation), self.alphas))
        return self.fit.step(self.fit.loss(self.engaged(self.weights()), train))

    def weights(self) -> list[Tensor]:
        """Those of the engine; exactly 0 below the threshold."""
        return [own.detach() for own in self.sparse()]

    def sparse(self) -> list[Tensor]:
        """The same with gradients."""
        first = self.warmup + self.settings.mixed
        done = max(self.fit.done - first, 0.0) / (1 - first)
        found: list[Tensor] = []
        for alpha in self.alphas:
            own = alpha.softmax(0)
            left = (own - self.settings.threshold * done * own.max().detach()).relu()
            found.append(left / left.sum())
        return found

    def engaged(self, weights: list[Tensor]) -> list[Tensor]:
        """One vector a site: these weights in the engine, the derived candidate elsewhere."""
        if self.fit.done <= self.warmup + self.settings.mixed:
            return self.supernet.everywhere(weights)
        sites = self.supernet.one_hot(self.genes())
        for choice, site in self.engine.items():
            sites[site] = weights[choice]
        return sites
