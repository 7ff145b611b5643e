"""A supernet: the network of a region, in which all candidates of every choice stand side by side."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tierwise.errors import BadSetting
from tierwise.space import Choice


class Mixture(nn.Module):
    """Candidates for one place: the sum of their outputs, weighted (Liu et al., "DARTS: Differentiable Architecture
    Search", 2019). A candidate whose weight is exactly 0 is not computed, so that a sampled candidate costs one.
    """

    def __init__(self, candidates: Sequence[nn.Module]):
        super().__init__()
        self.candidates = nn.ModuleList(candidates)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """The weighted sum; weights: (candidates,), of which at least one is not 0."""
        live = [k for k, weight in enumerate(weights.detach().tolist()) if weight]
        if not live:
            raise BadSetting("weights of a mixture", "all 0", "at least one that is not 0")
        total = weights[live[0]] * self.candidates[live[0]](x)
        for k in live[1:]:
            total = total + weights[k] * self.candidates[k](x)
        return total


class Supernet(nn.Module, ABC):
    """A network with open choices. Its parameters are those of the candidates and of what is fixed; the weights of the
    candidates belong to whoever optimises them, and are given to every call.

    choices: what is open, by name, with the names of the candidates.
    sites:   the places where candidates are mixed, each by the number of its choice: cells that share a choice have a
             site each, so that one may be mixed while the others stay discrete.
    """

    choices: tuple[Choice, ...]
    sites: tuple[int, ...]

    @abstractmethod
    def forward(self, x: Tensor, weights: Sequence[Tensor]) -> Tensor:
        """(b, classes) scores. weights: (candidates,) for each site, see `everywhere`."""

    def loss(self, output: Tensor, target: Tensor, smoothing: float = 0.0) -> Tensor:
        """What is trained for, the mean of a batch: by default cross entropy. smoothing: of labels."""
        return nn.functional.cross_entropy(output, target, label_smoothing=smoothing)

    @property
    def groups(self) -> tuple[tuple[tuple[tuple[int, int], ...], int], ...]:
        """Candidates that compete, as pairs of choice and candidate, and of how many choices one of them is derived.
        By default one candidate of each choice.
        """
        return tuple((tuple((k, c) for c in range(len(own.options))), 1) for k, own in enumerate(self.choices))

    def everywhere(self, weights: Sequence[Tensor]) -> list[Tensor]:
        """One weight vector a choice as one a site."""
        return [weights[choice] for choice in self.sites]

    def one_hot(self, genes: Sequence[int]) -> list[Tensor]:
        """The weights, one vector a site, that leave one candidate of each choice: a discrete network."""
        device = next(self.parameters()).device
        own = [
            torch.eye(len(choice.options), device=device)[gene]
            for choice, gene in zip(self.choices, genes, strict=True)
        ]
        return self.everywhere(own)

    def derived(self, weights: Sequence[Tensor]) -> tuple[int, ...]:
        """The genes that these weights, one vector a choice, speak for: the heaviest candidate of each choice."""
        return tuple(int(own.argmax()) for own in weights)
