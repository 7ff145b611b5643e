"""A predictor on graphs of primitive operations, pretrained without labels, that carries over to other spaces."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tierwise import registry
from tierwise.architecture import Architectures, Archs
from tierwise.errors import BadSetting, MissingExtra
from tierwise.predictor import Predictor, check_fitted, check_labels
from tierwise.predictors.encoded import normal_scores

try:
    import torch
    from torch import Tensor

    from tierwise.networks.threads import threads
    from tierwise.predictors.general_network import (
        GeneralNetwork,
        GeneralSizes,
        Primitives,
        contrastive_loss,
        spectral_targets,
    )
    from tierwise.predictors.graph_scorer import descend, some_rows
except ImportError as error:
    raise MissingExtra("predictor general", "torch", "torch") from error

_ROWS = 1_024  # scored together
_NETWORK = "network."
_LEAST = {
    "unlabelled": 2,
    "members": 1,
    "width": 1,
    "layers": 1,
    "pretraining_steps": 0,
    "steps": 1,
    "adaptation_steps": 0,
    "batch": 2,
    "eigenvalues": 1,
}


class General(Predictor):
    """Scores cells as graphs of primitive operations, which mean the same in every space.

    After Han et al., "A General-Purpose Transferable Predictor for Neural Architecture Search" (2023). As published:
    computation graphs of primitive operations, an encoder of graph convolutions that is pretrained on unlabelled
    graphs of one or several families by a contrastive loss, whose soft targets are how close the spectra of the
    graphs' normalised Laplacians are; labels standardised within a family; a small network of the embedding that is
    fine-tuned with few labels. No code is published; what follows is our reading, or our own:

    * The graph is that of one cell (encoding ``computation_graph``), with costs as attributes.
    * Targets compare graphs of one family with all others of the batch, of whatever family.
    * Labels are standardised as the normal scores of their ranks, and fine-tuning changes the encoder as well.
    * A few networks are trained side by side: the mean scores, the spread is the standard deviation.

    ``fit`` pretrains on its own space and on `families` and learns labels of one space; ``predict`` then takes
    architectures of any space; ``adapt`` goes on with a few labels of another one. Give it some: without any, the
    order may be far worse than that of FLOPs, as it is from NAS-Bench-101 to NAS-Bench-201, where ten mend most of it.

    families: names of further registered spaces. unlabelled: architectures drawn from each space for pretraining.
    members, width, layers: networks in the ensemble, and their size.
    pretraining_steps: of the contrastive loss. eigenvalues: the smallest ones that are compared.
    target_temperature, temperature: of the soft targets and of the similarities.
    steps, adaptation_steps, batch: optimiser steps of ``fit`` and of ``adapt``; rows in each.
    learning_rate, weight_decay: of AdamW; the rate rises and falls once.
    seed: decides weights, batches and the unlabelled architectures.

    Fitted: ``network_``. Raises BadSetting, UnknownName.

    >>> from tierwise.spaces.nasbench201 import NASBench201
    >>> archs = NASBench201().at(range(40))
    >>> General(pretraining_steps=5, steps=10).fit(archs, (archs.genes == 3).sum(1)).predict(archs).shape
    (40,)
    """

    gives_std = True
    any_space = True

    def __init__(
        self,
        *,
        families: tuple[str, ...] = (),
        unlabelled: int = 256,
        members: int = 2,
        width: int = 32,
        layers: int = 4,
        pretraining_steps: int = 50,
        eigenvalues: int = 8,
        target_temperature: float = 0.1,
        temperature: float = 0.2,
        steps: int = 120,
        adaptation_steps: int = 30,
        batch: int = 128,
        learning_rate: float = 0.01,
        weight_decay: float = 0.01,
        seed: int = 0,
    ):
        self.families = families
        self.unlabelled = unlabelled
        self.members, self.width, self.layers = members, width, layers
        self.pretraining_steps, self.eigenvalues = pretraining_steps, eigenvalues
        self.target_temperature, self.temperature = target_temperature, temperature
        self.steps, self.adaptation_steps, self.batch = steps, adaptation_steps, batch
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.seed = seed

    @threads()
    def fit(self, archs: Archs, y: Any) -> Self:
        """Pretrain, then learn from (n,) labels, higher better, n at least 4, of one space."""
        rows, labels = check_labels(archs, y)
        self._check_settings()
        generator = torch.Generator().manual_seed(self.seed)
        graphs = _graphs(rows)
        network = GeneralNetwork(self._sizes(graphs.nodes.shape[2]), generator)
        self._pretrain(network, rows, generator)
        self._fine_tune(network, graphs, labels, self.steps, generator)
        self.network_ = network.eval()
        return self

    @threads()
    def adapt(self, archs: Archs, y: Any) -> Self:
        """Go on learning from (n,) labels of any space, n at least 4, which are standardised by themselves."""
        check_fitted(self, "network_")
        rows, labels = check_labels(archs, y)
        generator = torch.Generator().manual_seed(self.seed)
        self._fine_tune(self.network_.train(), _graphs(rows), labels, self.adaptation_steps, generator)
        self.network_.eval()
        return self

    def _check_settings(self) -> None:
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise BadSetting(name, getattr(self, name), f"at least {least}")
        for name in ("target_temperature", "temperature"):
            if getattr(self, name) <= 0:
                raise BadSetting(name, getattr(self, name), "more than 0")

    def _pretrain(self, network: GeneralNetwork, rows: Architectures, generator: torch.Generator) -> None:
        """Brings embeddings of unlabelled graphs with close spectra together."""
        rng = np.random.default_rng(self.seed)
        spaces = [rows.space, *(registry.make("space", name) for name in self.families)]
        drawn = [space.sample(self.unlabelled, rng) for space in spaces]
        encoding = registry.make("encoding", "computation_graph")
        made = [encoding.graphs(archs) for archs in drawn]
        each = [_tensors(one) for one in made]
        slots = max(graphs.there.shape[1] for graphs in each)
        graphs = Primitives(*map(torch.cat, zip(*(one.padded(slots) for one in each), strict=True)))
        spectra = torch.from_numpy(np.concatenate([one.spectrum(self.eigenvalues) for one in made]))

        def loss() -> Tensor:
            pick = some_rows(len(spectra), self.batch, generator)
            targets = spectral_targets(spectra[pick], self.target_temperature)
            return contrastive_loss(network.project(graphs.take(pick)), targets, self.temperature)

        descend(network, self.pretraining_steps, self.learning_rate, self.weight_decay, loss)

    def _fine_tune(
        self,
        network: GeneralNetwork,
        graphs: Primitives,
        labels: NDArray[np.float64],
        steps: int,
        generator: torch.Generator,
    ) -> None:
        target = torch.from_numpy(normal_scores(labels)).float()

        def loss() -> Tensor:
            pick = some_rows(len(target), self.batch, generator)
            return (network.score(graphs.take(pick)) - target[pick]).square().mean(1).sum()

        descend(network, steps, self.learning_rate, self.weight_decay, loss)

    def predict(self, archs: Archs, return_std: bool = False) -> Any:
        """(n,) scores of architectures of any space, in standard deviations of the labels.

        With `return_std` also (n,) standard deviations over the members.
        """
        scores = self._each_part(archs, lambda graphs: self.network_.score(graphs))
        return (scores.mean(0), scores.std(0)) if return_std else scores.mean(0)

    @threads()
    @torch.no_grad()
    def _each_part(self, archs: Archs, output: Callable[[Primitives], Tensor]) -> NDArray[np.float64]:
        check_fitted(self, "network_")
        parts = Architectures.of(archs).chunks(_ROWS)
        return torch.cat([output(_graphs(part)) for part in parts], 1).double().numpy()

    def state(self) -> dict[str, NDArray[Any]]:
        """Weights."""
        check_fitted(self, "network_")
        return {_NETWORK + name: value.numpy() for name, value in self.network_.state_dict().items()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """The inverse of ``state``."""
        weights = {k.removeprefix(_NETWORK): torch.from_numpy(v) for k, v in state.items()}
        network = GeneralNetwork(self._sizes(weights["entry.weight"].shape[1]), torch.Generator())
        network.load_state_dict(weights)
        self.network_ = network.eval()

    def _sizes(self, inputs: int) -> GeneralSizes:
        return GeneralSizes(self.members, inputs, self.width, self.layers)


def _graphs(rows: Architectures) -> Primitives:
    return _tensors(registry.make("encoding", "computation_graph").graphs(rows))


def _tensors(made: Any) -> Primitives:
    return Primitives(*(torch.from_numpy(part) for part in (made.nodes, made.links, made.there)))
