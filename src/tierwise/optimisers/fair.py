"""Fair sampling: Chu, Zhang and Xu, "FairNAS: Rethinking Evaluation Fairness of Weight Sharing Neural Architecture
Search" (2021).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tierwise.errors import BadSetting
from tierwise.supernets.search import Batch, Learner, SupernetFit


@dataclass(frozen=True)
class Fair:
    """In every step each candidate of each choice is in one discrete network, as far as the choices have as many;
    weights go down the mean of their losses. Nothing is learnt of the importances: a candidate's is its mean loss on
    validation batches, over the networks that it was drawn in (ours; the paper ranks whole networks).

    warmup: part of the epochs after which these losses count. Raises BadSetting.
    """

    warmup: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.warmup < 1:
            raise BadSetting("warmup", self.warmup, "a part of the epochs, 0 or more, less than 1")

    def begin(self, fit: SupernetFit, seed: int) -> FairLearner:
        """The seed draws which candidates meet."""
        return FairLearner(fit, self.warmup, seed)


class FairLearner(Learner):
    """See `Fair`."""

    def __init__(self, fit: SupernetFit, warmup: float, seed: int):
        super().__init__(fit)
        self.warmup, self.generator = warmup, torch.Generator().manual_seed(seed)
        self.counts = [len(choice.options) for choice in self.supernet.choices]
        self.losses = [torch.zeros(count) for count in self.counts]
        self.times = [torch.zeros(count) for count in self.counts]

    def step(self, train: Batch, validation: Batch) -> float:
        """One step of the weights, then a look at the validation batch."""
        drawn = self._drawn()
        networks = [self.supernet.one_hot(genes) for genes in drawn]
        loss = self.fit.step(torch.stack([self.fit.loss(each, train) for each in networks]).mean())
        if self.fit.done > self.warmup:
            with torch.no_grad():  # in training mode: the running statistics of a shared batch norm suit no network
                seen = [float(self.fit.loss(each, validation)) for each in networks]
            for genes, own in zip(drawn, seen, strict=True):
                for choice, gene in enumerate(genes):
                    self.losses[choice][gene] += own
                    self.times[choice][gene] += 1
        return loss

    def weights(self) -> list[Tensor]:
        """The softmax of mean losses, lowest first: the logarithm of a product of weights is a sum of losses."""
        return [
            (-losses / times.clamp_min(1)).softmax(0) for losses, times in zip(self.losses, self.times, strict=True)
        ]

    def _drawn(self) -> list[list[int]]:
        """Genes of networks, as many as the longest choice has candidates; shorter ones are gone through again."""
        most, columns = max(self.counts), list[Tensor]()
        for count in self.counts:
            rounds = [torch.randperm(count, generator=self.generator) for _ in range(-(-most // count))]
            columns.append(torch.cat(rounds)[:most])
        return torch.stack(columns, 1).tolist()
