"""Bayesian linear regression on arch2vec's embedding, or on the last layer of a small network that reads it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import BayesianRidge

from tierwise import registry
from tierwise.architecture import Architectures, Archs
from tierwise.encoding import Encoding
from tierwise.errors import BadSetting, MissingExtra
from tierwise.predictor import Predictor, check_fitted, check_labels
from tierwise.predictors.encoded import normal_scores

try:
    import torch
    from torch import Tensor, nn

    from tierwise.networks.threads import threads
except ImportError as error:
    raise MissingExtra("predictor arch2vec", "torch", "torch") from error

BASES = ("dngo", "linear")
_WIDTH, _LAYERS, _EPOCHS = 128, 3, 100
_BATCH, _STEPS, _LEARNING_RATE = 10, 16, 0.01
_ROWS = 8_192  # embedded at a time
_ENCODING, _NETWORK = "encoding.", "network."
_FITTED = ("centre", "scale", "basis_centre", "weights", "intercept", "covariance", "noise")

Matrix = NDArray[np.float64]


class BayesianLinear(Predictor):
    """Scores and standard deviations from a Bayesian linear regression on arch2vec's embedding.

    The labels are replaced by the normal scores of their ranks. Precisions of weights and noise are those of largest
    evidence; the standard deviation is that of a new label, noise included. That of "dngo" is too small, because the
    network has seen the labels that its last layer is regressed on.

    basis: "dngo" regresses on the last layer of a network of three layers of 128 that is trained on the labels first;
    "linear" on the embedding itself. pretraining_epochs: of the encoding `arch2vec`, which is learnt once a space and
    kept. seed: decides the network's weights and batches.

    Fitted: ``encoding_`` (an encoding with its weights, saved with the predictor), ``network_`` (None for "linear").

    Raises BadSetting for another basis.

    From: Yan et al., "Does Unsupervised Architecture Representation Learning Help Neural Architecture Search?"
    (2020), and Snoek et al., "Scalable Bayesian Optimization Using Deep Neural Networks" (2015).
    As published: 3 x 128, 100 epochs, the linear head. Ours: normal scores of the labels; at most 16 batches an epoch,
    so that a fit on thousands of labels takes seconds.

    >>> BayesianLinear(basis="linear").get_params()
    {'basis': 'linear', 'pretraining_epochs': 10, 'seed': 0}
    """

    gives_std = True

    def __init__(self, basis: str = "dngo", pretraining_epochs: int = 10, seed: int = 0):
        self.basis = basis
        self.pretraining_epochs = pretraining_epochs
        self.seed = seed

    def fit(self, archs: Archs, y: Any) -> Self:
        """Learn from (n,) labels, higher better, n at least 4. Raises BadSetting."""
        rows, labels = check_labels(archs, y)
        if self.basis not in BASES:
            raise BadSetting("basis", self.basis, " or ".join(f'"{name}"' for name in BASES))
        encoding = self._encoding().fit(rows)
        x = encoding.transform(rows).astype(np.float64)
        self.centre_, self.scale_ = x.mean(0), np.maximum(x.std(0), 1e-6)
        target = normal_scores(labels)
        self.network_ = _trained((x - self.centre_) / self.scale_, target, self.seed) if self.basis == "dngo" else None
        basis = self._basis(x)
        self.basis_centre_ = basis.mean(0)
        head = BayesianRidge().fit(basis - self.basis_centre_, target)
        self.weights_, self.intercept_ = np.asarray(head.coef_), np.asarray(head.intercept_)
        self.covariance_, self.noise_ = np.asarray(head.sigma_), np.asarray(1 / head.alpha_)
        self.encoding_ = encoding
        return self

    def predict(self, archs: Archs, return_std: bool = False) -> Any:
        """(n,) scores; with `return_std` also (n,) standard deviations. Both are normal scores of the labels."""
        check_fitted(self, "encoding_")
        parts = Architectures.of(archs).chunks(_ROWS)
        scored = [self._score(self.encoding_.transform(part).astype(np.float64)) for part in parts]
        score, std = (np.concatenate(each) for each in zip(*scored, strict=True))
        return (score, std) if return_std else score

    def _encoding(self) -> Encoding:
        return cast(Encoding, registry.make("encoding", "arch2vec", epochs=self.pretraining_epochs))

    def _score(self, x: Matrix) -> tuple[Matrix, Matrix]:
        basis = self._basis(x) - self.basis_centre_
        variance = np.einsum("nd,de,ne->n", basis, self.covariance_, basis, optimize=True)
        return basis @ self.weights_ + self.intercept_, np.sqrt(np.maximum(variance, 0.0) + self.noise_)

    @threads()
    @torch.no_grad()
    def _basis(self, x: Matrix) -> Matrix:
        """(n, d) what the linear head sees."""
        standard = (x - self.centre_) / self.scale_
        if self.network_ is None:
            return standard
        return self.network_[:-1](torch.from_numpy(standard).float()).double().numpy()

    def state(self) -> dict[str, NDArray[Any]]:
        """Weights of the encoding and of the network, and the linear head."""
        check_fitted(self, "encoding_")
        arrays = {_ENCODING + name: value for name, value in cast(Any, self.encoding_).state().items()}
        if self.network_ is not None:
            arrays |= {_NETWORK + name: value.numpy() for name, value in self.network_.state_dict().items()}
        return arrays | {name: getattr(self, f"{name}_") for name in _FITTED}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """The inverse of ``state``."""
        for name in _FITTED:
            setattr(self, f"{name}_", state[name])
        self.network_ = None
        if self.basis == "dngo":
            with torch.device("meta"):  # without first weights, which would be drawn at random
                self.network_ = _network(len(self.centre_))
            weights = {name: torch.from_numpy(value) for name, value in _part(state, _NETWORK).items()}
            self.network_.load_state_dict(weights, assign=True)
        encoding = self._encoding()
        cast(Any, encoding).restore(_part(state, _ENCODING))
        self.encoding_ = encoding


def _part(state: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def _network(inputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for depth in range(_LAYERS):
        layers += [nn.Linear(_WIDTH if depth else inputs, _WIDTH), nn.Tanh()]
    return nn.Sequential(*layers, nn.Linear(_WIDTH, 1))


@threads()
def _trained(x: Matrix, y: Matrix, seed: int) -> nn.Sequential:
    """A network trained on the mean squared error, its last map included, which is then thrown away."""
    inputs, target = torch.from_numpy(x).float(), torch.from_numpy(y).float()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _network(x.shape[1])
        optimizer = torch.optim.Adam(network.parameters(), lr=_LEARNING_RATE)
        for _ in range(_EPOCHS):
            for rows in torch.randperm(len(y)).split(max(_BATCH, math.ceil(len(y) / _STEPS))):
                optimizer.zero_grad()
                _error(network(inputs[rows])[:, 0], target[rows]).backward()
                optimizer.step()
    return network


def _error(seen: Tensor, target: Tensor) -> Tensor:
    return ((seen - target) ** 2).mean()
