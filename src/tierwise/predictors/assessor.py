"""A graph convolution over a graph of architectures, labelled and unlabelled, beside an autoencoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures, Archs
from tierwise.errors import BadSetting, MissingExtra
from tierwise.predictor import check_labels
from tierwise.predictors.encoded import EncodedPredictor, Encodings, Matrix, encode, normal_scores, usable

try:
    import torch
    import torch.nn.functional as F
    from torch import Tensor, nn

    from tierwise.networks.threads import threads
    from tierwise.predictors.graph_scorer import descend, some_rows
    from tierwise.predictors.tier_network import Linears
except ImportError as error:
    raise MissingExtra("predictor assessor", "torch", "torch") from error

_ROWS = 1_024  # compared with the known architectures together
_MOST = 2_048  # labelled architectures in the graph that is asked: it takes the square of their number
_NETWORK = "network."
_FITTED = ("centre", "scale", "known")
_LEAST = {"unlabelled": 0, "members": 1, "width": 1, "embedding": 1, "steps": 1, "batch": 2}


class Assessor(EncodedPredictor):
    """Scores architectures by graph convolutions over a graph whose nodes are architectures, labelled or not.

    After Tang et al., "A Semi-Supervised Assessor of Neural Architectures" (2020). As published: an autoencoder
    embeds architectures; those with similar embeddings are joined in a graph; graph convolutions over it give the
    scores; one loss adds the squared error on the labelled ones and the error of the reconstruction on all of them.
    No code is published; what follows is our reading, or our own:

    * The similarity of two architectures is exp(-d^2 / (2 bandwidth^2)), d^2 the mean squared difference of their
      embeddings, each dimension standardised; below `threshold` there is no edge. Two graph convolutions with
      symmetric normalisation and an edge from every node to itself.
    * An architecture that is asked for is joined with the labelled ones and one fixed draw of unlabelled ones, and
      changes nothing for them: its score does not depend on what else is asked for. Of more than 2,048 labelled ones
      so many are drawn.
    * Labels count by the normal scores of their ranks.
    * A few networks are trained side by side: the mean scores, the spread is the standard deviation.

    encodings: registered encodings that are embedded side by side: the plain graph as published; with ``paths``, where
    equal networks are equal, it ranks far better. unlabelled: architectures drawn from the space.
    members, width, embedding: networks in the ensemble, their hidden layers and the dimensions of an embedding.
    bandwidth, threshold: of the similarity. reconstruction: its share in the loss, 0 to below 1.
    steps, batch: optimiser steps; labelled rows in each, beside all unlabelled ones.
    learning_rate, weight_decay: of AdamW; the rate rises and falls once.
    seed: decides weights, batches and the unlabelled architectures.

    Fitted: ``network_``, ``known_`` (nodes, columns), the labelled and unlabelled architectures of the graph.
    Raises BadSetting, UnknownName.

    >>> from tierwise.spaces.nasbench201 import NASBench201
    >>> archs = NASBench201().at(range(40))
    >>> Assessor(steps=10).fit(archs, (archs.genes == 3).sum(1)).predict(archs).shape
    (40,)
    """

    gives_std = True

    def __init__(
        self,
        *,
        encodings: Encodings = ("adjacency",),
        unlabelled: int = 256,
        members: int = 4,
        width: int = 64,
        embedding: int = 16,
        bandwidth: float = 0.8,
        threshold: float = 0.05,
        reconstruction: float = 0.5,
        steps: int = 100,
        batch: int = 256,
        learning_rate: float = 0.01,
        weight_decay: float = 0.01,
        seed: int = 0,
    ):
        self.encodings = encodings
        self.unlabelled = unlabelled
        self.members, self.width, self.embedding = members, width, embedding
        self.bandwidth, self.threshold = bandwidth, threshold
        self.reconstruction = reconstruction
        self.steps, self.batch = steps, batch
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.seed = seed

    def fit(self, archs: Archs, y: Any) -> Self:
        """Learn from (n,) labels, higher better, n at least 4, and from unlabelled architectures of the space."""
        rows, labels = check_labels(archs, y)
        self._check_settings()
        drawn = rows.space.sample(self.unlabelled, np.random.default_rng(self.seed))
        self.encodings_ = usable(self.encodings, rows)
        known = Architectures(rows.space, np.concatenate([rows.genes, drawn.genes]))
        self._learn(encode(self.encodings_, known), labels)
        return self

    def _check_settings(self) -> None:
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise BadSetting(name, getattr(self, name), f"at least {least}")
        if not 0 <= self.reconstruction < 1:
            raise BadSetting("reconstruction", self.reconstruction, "0 to below 1")
        if self.bandwidth <= 0:
            raise BadSetting("bandwidth", self.bandwidth, "more than 0")

    @threads()
    def _learn(self, x: Matrix, y: NDArray[np.float64]) -> None:
        """Learn from the features of all known architectures, the labelled ones first."""
        self.centre_ = x.mean(0, dtype=np.float64).astype(np.float32)
        self.scale_ = np.array([np.sqrt(x.var(0, dtype=np.float64).mean()) or 1.0], dtype=np.float32)
        self.known_ = ((x - self.centre_) / self.scale_).astype(np.float32)
        generator = torch.Generator().manual_seed(self.seed)
        network = self._network(generator)
        known, target = torch.from_numpy(self.known_), torch.from_numpy(normal_scores(y)).float()
        unlabelled = torch.arange(len(y), len(known))

        def loss() -> Tensor:
            pick = some_rows(len(y), self.batch, generator)
            seen = known[torch.cat([pick, unlabelled])]
            scores, rebuilt = network(seen)
            error = (scores[:, : len(pick)] - target[pick]).square().mean(1).sum()
            lost = (rebuilt - seen).square().mean((1, 2)).sum()
            return (1 - self.reconstruction) * error + self.reconstruction * lost

        descend(network, self.steps, self.learning_rate, self.weight_decay, loss)
        self.network_ = network.eval()
        kept = torch.cat([some_rows(len(y), _MOST, generator), unlabelled])
        self.known_ = self.known_[kept.numpy()]
        self._place_known()

    @torch.no_grad()
    def _place_known(self) -> None:
        """What the graph of the known architectures says to one that is asked for."""
        self._known_nodes = self.network_.nodes(torch.from_numpy(self.known_))

    @threads()
    @torch.no_grad()
    def _score(self, x: Matrix) -> tuple[Matrix, Matrix]:
        seen = torch.from_numpy(((x - self.centre_) / self.scale_).astype(np.float32))
        parts = [self.network_.score(part, self._known_nodes) for part in seen.split(_ROWS)]
        scores = torch.cat(parts, 1).double().numpy()
        return scores.mean(0), scores.std(0)

    def _learnt(self) -> dict[str, NDArray[Any]]:
        weights = {_NETWORK + name: value.numpy() for name, value in self.network_.state_dict().items()}
        return weights | {name: getattr(self, f"{name}_") for name in _FITTED}

    @threads()
    def _relearn(self, state: Mapping[str, NDArray[Any]]) -> None:
        for name in _FITTED:
            setattr(self, f"{name}_", state[name])
        weights = {k.removeprefix(_NETWORK): torch.from_numpy(v) for k, v in state.items() if k.startswith(_NETWORK)}
        self.network_ = self._network(torch.Generator())
        self.network_.load_state_dict(weights)
        self.network_.eval()
        self._place_known()

    def _network(self, generator: torch.Generator) -> AssessorNetwork:
        sizes = self.members, self.known_.shape[1], self.width, self.embedding
        return AssessorNetwork(*sizes, self.bandwidth, self.threshold, generator)


class KnownNodes:
    """Nodes of a graph that others are joined with.

    at: (members, nodes, embedding) where they are. shift, spread: (members, 1, embedding) that standardised them.
    degree: (members, nodes). hidden: (members, nodes, width) after the first convolution.
    """

    def __init__(self, at: Tensor, shift: Tensor, spread: Tensor, degree: Tensor, hidden: Tensor):
        self.at, self.shift, self.spread = at, shift, spread
        self.degree, self.hidden = degree, hidden


class AssessorNetwork(nn.Module):
    """Autoencoders and graph convolutions side by side, one pair a member."""

    def __init__(
        self,
        members: int,
        inputs: int,
        width: int,
        embedding: int,
        bandwidth: float,
        threshold: float,
        generator: torch.Generator,
    ):
        super().__init__()
        self.members, self.bandwidth, self.threshold = members, bandwidth, threshold
        self.encoder = nn.ModuleList(
            [Linears(members, inputs, width, generator), Linears(members, width, embedding, generator)]
        )
        self.decoder = nn.ModuleList(
            [Linears(members, embedding, width, generator), Linears(members, width, inputs, generator)]
        )
        self.first = Linears(members, embedding, width, generator)
        self.second = Linears(members, width, 1, generator)

    def embed(self, x: Tensor) -> Tensor:
        """(members, n, embedding) of (n, inputs)."""
        first, second = self.encoder
        return second(F.silu(first(x.expand(self.members, -1, -1))))

    def rebuild(self, embedding: Tensor) -> Tensor:
        """(members, n, inputs) of (members, n, embedding)."""
        first, second = self.decoder
        return second(F.silu(first(embedding)))

    def similarity(self, a: Tensor, b: Tensor) -> Tensor:
        """(members, n, m) weights of the edges between standardised embeddings, 0 where there is none."""
        weight = torch.exp(-torch.cdist(a, b).square() / (2 * a.shape[-1] * self.bandwidth**2))
        return weight * (weight >= self.threshold)

    def graph(self, embedding: Tensor) -> tuple[Tensor, KnownNodes]:
        """(members, n, n) the normalised graph of the embeddings, and its nodes."""
        shift, spread = embedding.mean(1, keepdim=True), embedding.std(1, keepdim=True).clamp(min=1e-6)
        at = (embedding - shift) / spread
        own = torch.eye(at.shape[1])
        weights = self.similarity(at, at) * (1 - own) + own
        degree = weights.sum(2)
        joined = weights * degree.rsqrt()[:, :, None] * degree.rsqrt()[:, None, :]
        return joined, KnownNodes(at, shift, spread, degree, F.relu(self.first(joined @ at)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(members, n) scores in the graph of all rows of (n, inputs), and these rows as they are rebuilt."""
        embedding = self.embed(x)
        joined, nodes = self.graph(embedding)
        return self.second(joined @ nodes.hidden)[:, :, 0], self.rebuild(embedding)

    def nodes(self, x: Tensor) -> KnownNodes:
        """The graph of these rows, for others to be joined with."""
        return self.graph(self.embed(x))[1]

    def score(self, x: Tensor, known: KnownNodes) -> Tensor:
        """(members, n) scores, each row of (n, inputs) as if it alone were joined with the known nodes."""
        at = (self.embed(x) - known.shift) / known.spread
        weights = self.similarity(at, known.at)
        degree = 1 + weights.sum(2, keepdim=True)
        joined = weights / (degree * known.degree[:, None]).sqrt()
        hidden = F.relu(self.first(joined @ known.at + at / degree))
        return self.second(joined @ known.hidden + hidden / degree)[:, :, 0]
