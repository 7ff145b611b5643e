"""What the predictors on graphs share: cells in node form, scores in parts, what is saved."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor, nn

from tierwise.architecture import Architectures, Archs
from tierwise.errors import BadSetting
from tierwise.networks.threads import threads
from tierwise.node_form import node_form
from tierwise.predictor import Predictor, check_fitted
from tierwise.predictors.graph_layers import GraphEncoder
from tierwise.predictors.ranking_losses import Loss, find_loss
from tierwise.predictors.tier import one_cycle
from tierwise.predictors.tier_network import Linears

ROWS = 2_048  # cells looked at together: their features take some dozens of MB
_NETWORK = "network."
Cells = tuple[Tensor, Tensor]


class GraphNetworks(nn.Module):
    """Networks side by side, each a graph encoder and one linear map of its feature to `outputs` numbers."""

    def __init__(self, members: int, codes: int, width: int, layers: int, outputs: int, generator: torch.Generator):
        super().__init__()
        self.encoder = GraphEncoder(members, codes, width, layers, generator)
        self.head = Linears(members, width, outputs, generator)

    def forward(self, cells: Cells) -> Tensor:
        """(members, n, outputs)."""
        return self.head(self.encoder(*cells))


class GraphScorer(Predictor):
    """A predictor whose networks see cells in node form; identities are left out, so many equal cells are one.

    A subclass gives ``fit``, which ends with ``_train_scores``, and ``_make_network``, whose first output is the score;
    or its own ``predict``, and the names of what it has fitted beside ``network_`` in ``_fitted``.
    """

    gives_std = True
    network_: nn.Module
    steps: int
    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    names_: NDArray[np.str_]
    score_mean_: NDArray[np.float64]
    score_std_: NDArray[np.float64]
    _fitted: tuple[str, ...] = ("score_mean", "score_std")

    @abstractmethod
    def _make_network(self, codes: int, generator: torch.Generator) -> nn.Module:
        """New networks for so many operation codes."""

    def _check_least(self, **least: int) -> None:
        """Raises BadSetting for a setting below its least value."""
        for name, least_value in least.items():
            if getattr(self, name) < least_value:
                raise BadSetting(name, getattr(self, name), f"at least {least_value}")

    def _cells(self, rows: Architectures) -> Cells:
        """Operations (n, v) and links (n, v, v). Raises BadSetting for operations other than those learnt from."""
        graphs = rows.space.graphs(rows)
        ops, links = node_form(graphs, rows.space.identity_op)
        return torch.from_numpy(ops), torch.from_numpy(links)

    def _start(self, rows: Architectures, generator: torch.Generator) -> nn.Module:
        """New networks for the space of `rows`."""
        self.names_ = np.array(rows.space.graphs(rows[:1]).ops)
        return self._make_network(len(self.names_) + 1, generator)

    def _train(self, network: nn.Module, n: int, loss: Callable[[Tensor], Tensor], generator: torch.Generator) -> None:
        """Trains on `n` labels; `loss` is that of some rows of them. More steps if `epochs` passes need more."""
        steps = max(self.steps, math.ceil(self.epochs * n / self.batch))
        descend(
            network, steps, self.learning_rate, self.weight_decay, lambda: loss(some_rows(n, self.batch, generator))
        )
        self.network_ = network.eval()

    def _train_ranks(self, rows: Architectures, labels: NDArray[np.float64], loss: str, seed: int) -> None:
        """New networks, trained by the named loss of the ranks of the labels. Raises UnknownName."""
        of_ranks = find_loss(loss)
        generator = torch.Generator().manual_seed(seed)
        network = self._start(rows, generator)
        order = torch.from_numpy(rankdata(labels, method="dense")).float()
        self._train_scores(network, rows, order, of_ranks, generator)

    def _train_scores(
        self, network: nn.Module, rows: Architectures, target: Tensor, loss: Loss, generator: torch.Generator
    ) -> None:
        """Trains the first output by a ranking loss of the targets, then takes the spread of scores as their unit."""
        cells = self._cells(rows)

        def of_rows(pick: Tensor) -> Tensor:
            return loss(network(take(cells, pick))[..., 0], target[pick])

        self._train(network, len(rows), of_rows, generator)
        self._set_scale(rows)

    def predict(self, archs: Archs, return_std: bool = False) -> Any:
        """(n,) scores, their unit is the spread over the labelled rows.

        With `return_std` also (n,) standard deviations over the members.
        """
        scores = (self._raw_scores(archs) - self.score_mean_[:, None]) / self.score_std_[:, None]
        return (scores.mean(0), scores.std(0)) if return_std else scores.mean(0)

    def _set_scale(self, rows: Architectures) -> None:
        """Takes each member's mean and spread of scores over the labelled rows as its zero and its unit."""
        scores = self._raw_scores(rows)
        self.score_mean_, self.score_std_ = scores.mean(1), np.maximum(scores.std(1), 1e-6)

    def _raw_scores(self, archs: Archs) -> NDArray[np.float64]:
        """(members, n)."""
        return self._each_part(archs, lambda cells: self.network_(cells)[..., 0])

    @threads()
    @torch.no_grad()
    def _each_part(self, archs: Archs, output: Callable[[Cells], Tensor]) -> NDArray[np.float64]:
        """(members, n, ...) what comes out, row by row."""
        check_fitted(self, "network_")
        parts = Architectures.of(archs).chunks(ROWS)
        return torch.cat([output(self._cells(part)) for part in parts], 1).double().numpy()

    def state(self) -> dict[str, NDArray[Any]]:
        """Weights, names of the operations, and what else was fitted."""
        check_fitted(self, "network_")
        weights = {_NETWORK + name: value.numpy() for name, value in self.network_.state_dict().items()}
        return weights | {name: getattr(self, f"{name}_") for name in ("names", *self._fitted)}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """The inverse of ``state``."""
        weights = {k.removeprefix(_NETWORK): torch.from_numpy(v) for k, v in state.items() if k.startswith(_NETWORK)}
        for name in ("names", *self._fitted):
            setattr(self, f"{name}_", state[name])
        network = self._make_network(len(self.names_) + 1, torch.Generator())
        network.load_state_dict(weights)
        self.network_ = network.eval()


def take(cells: Cells, rows: Tensor) -> Cells:
    """The cells of these rows."""
    return cells[0][rows], cells[1][rows]


def some_rows(n: int, most: int, generator: torch.Generator) -> Tensor:
    """All of `n` rows, or `most` of them drawn."""
    return torch.arange(n) if n <= most else torch.randperm(n, generator=generator)[:most]


def descend(
    network: nn.Module, steps: int, learning_rate: float, weight_decay: float, loss: Callable[[], Tensor]
) -> None:
    """Steps of AdamW at a rate that rises and falls once, down the loss that each step gives."""
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=weight_decay)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * one_cycle((step + 0.5) / steps)
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
