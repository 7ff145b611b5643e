"""The networks of strategy `ctnas`: a controller that writes architectures, and pairs of cells compared."""

from __future__ import annotations

import copy
import functools
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from tierwise.architecture import Architectures
from tierwise.node_form import node_form
from tierwise.space import Space

_HIDDEN = 64


class Controller(nn.Module):
    """An LSTM that decides one choice of a space after the other, seeing what it has just decided.

    A code of 0 is a choice that is not active, code k + 1 is option k; what cannot become a member is masked.
    """

    def __init__(self, space: Space, generator: torch.Generator):
        super().__init__()
        self.space, self.codes = space, space.allowed.shape[1] + 1
        genes = len(space.choices)
        self.seen = nn.Parameter(_small((genes, self.codes, _HIDDEN), generator))
        self.start = nn.Parameter(_small((1, _HIDDEN), generator))
        with torch.random.fork_rng(devices=[]):  # its first weights come from the global numbers
            self.cell = nn.LSTMCell(_HIDDEN, _HIDDEN)
        for weight in self.cell.parameters():
            weight.data = _small(tuple(weight.shape), generator)
        self.heads = nn.Parameter(_small((genes, _HIDDEN, self.codes), generator))
        self._members = None if space.free else _sorted_members(space)

    def draw(self, n: int, generator: torch.Generator) -> tuple[Architectures, Tensor, Tensor]:
        """`n` architectures, the logarithm of each one's chance (n,), and the mean entropy of its decisions (n,)."""
        allowed = _Allowed(self.space, self._members, n)
        seen, state = self.start.expand(n, -1), None
        genes, chance, entropy = list[Tensor](), torch.zeros(n), torch.zeros(n)
        for gene, head in enumerate(self.heads):
            state = self.cell(seen, state)
            logits = (state[0] @ head).masked_fill(~torch.from_numpy(allowed.mask(gene)), -1e9)
            log_p = logits.log_softmax(1)
            code = torch.multinomial(log_p.detach().exp(), 1, generator=generator)[:, 0]
            allowed.take(code.numpy())
            genes.append(code - 1)
            chance = chance + log_p.gather(1, code[:, None])[:, 0]
            entropy = entropy - (log_p.exp() * log_p).sum(1)
            seen = self.seen[gene, code]
        return Architectures(self.space, torch.stack(genes, 1).numpy()), chance, entropy / len(genes)


class _Allowed:
    """Which codes may follow what `n` rows have decided so far."""

    def __init__(self, space: Space, members: NDArray[np.int16] | None, n: int):
        width = space.allowed.shape[1]
        self.free = np.concatenate([np.zeros((len(space.allowed), 1), bool), space.allowed], 1)
        self.members, self.n, self.codes = members, n, np.arange(-1, width + 1)
        if members is not None:  # the members that begin like each row are those from `low` to `high`
            self.low, self.high = np.zeros(n, np.int64), np.full(n, len(members))

    def mask(self, gene: int) -> NDArray[np.bool_]:
        """(n, codes) whether each code is possible for this gene."""
        if self.members is None:
            return np.broadcast_to(self.free[gene], (self.n, self.free.shape[1])).copy()
        column = self.members[:, gene]
        parts = zip(self.low.tolist(), self.high.tolist(), strict=True)
        self.bounds = np.array([low + np.searchsorted(column[low:high], self.codes) for low, high in parts])
        return np.diff(self.bounds, axis=1) > 0

    def take(self, code: NDArray[np.int64]) -> None:
        """What each row has decided now."""
        if self.members is not None:
            rows = np.arange(self.n)
            self.low, self.high = self.bounds[rows, code], self.bounds[rows, code + 1]


class Comparator:
    """Chances to win, from networks that give each cell what it brings as the first and as the second of two."""

    def __init__(self, network: nn.Module, learning_rate: float):
        self.network = copy.deepcopy(network)  # it learns on, the predictor stays as it is
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=learning_rate)

    def sides(self, archs: Architectures) -> Tensor:
        """(members, n, 2)."""
        ops, links = node_form(archs.space.graphs(archs), archs.space.identity_op)
        return self.network((torch.from_numpy(ops), torch.from_numpy(links)))

    @torch.no_grad()
    def brings_second(self, archs: Architectures) -> Tensor:
        """(members, m) what each brings as the second of two."""
        return self.sides(archs)[..., 1]

    @torch.no_grad()
    def chances(self, first: Architectures, second: Tensor) -> Tensor:
        """(n, m) the chance of each of `first` to be better than each that brings `second`."""
        return (self.sides(first)[..., 0][:, :, None] + second[:, None]).sigmoid().mean(0)

    def row_sums(self, archs: Architectures) -> Tensor:
        """(n,) how often each wins against all of them."""
        return self.chances(archs, self.brings_second(archs)).sum(1)

    def learn(self, first: Architectures, second: Architectures, won: Tensor) -> None:
        """One step on the cross-entropy of pairs; `won` (n,) is 1 where the first is better, 0 where it is worse."""
        logits = self.sides(first)[..., 0] + self.sides(second)[..., 1]
        loss = F.binary_cross_entropy_with_logits(logits, won.expand_as(logits))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


def _small(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return (torch.rand(shape, generator=generator) * 2 - 1) / 8  # 1 / sqrt(_HIDDEN), as usual for an LSTM


@functools.lru_cache(maxsize=2)
def _sorted_members(space: Space) -> Any:
    """(N, genes) all members, so sorted that those which begin alike are neighbours."""
    genes = space.enumerate().genes
    return genes[np.lexsort(genes.T[::-1])]
