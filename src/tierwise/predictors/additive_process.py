"""A Gaussian process over several blocks of columns, each with its own amplitude and length scale."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular

from tierwise.errors import MissingExtra

try:
    import torch
    from torch import Tensor

    from tierwise.networks.threads import threads
except ImportError as error:
    raise MissingExtra("a Gaussian process over blocks", "torch", "torch") from error

Floats = NDArray[np.float64]
Blocks = Sequence[NDArray[np.floating[Any]]]

_ITERATIONS, _PRECISION = 40, 1e-3  # of L-BFGS: at most so many steps, and when the log evidence is near enough
_MOST = 300  # labels in the search for the likeliest kernel, whose time grows with their third power
_MOST_STD = 1_000  # labels that a variance is conditioned on: beyond, it is a little too large
_START = {"amplitude": 0.0, "length": 0.0, "noise": math.log(0.1)}  # logs; also where the priors have their tops
_SPREAD = {"amplitude": 2.0, "length": 1.0, "noise": math.sqrt(2)}
_FAR = 3.0  # spreads from the top of its prior: there a number stops to have an effect
_JITTER = 1e-6


class AdditiveProcess:
    """Regression with k(x, x') = sum over blocks of amplitude * Matérn 5/2(|x - x'| / length), plus white noise.

    A block that says nothing gets a small amplitude, so no column has to be chosen by hand. The blocks come with a
    mean of 0 and a mean squared norm of 1. Amplitudes, lengths and noise maximise the marginal likelihood of the
    labels times log-normal priors; ``evidence`` is the log of that maximum, comparable between sets of blocks.

    From: Duvenaud et al., "Additive Gaussian Processes" (2011), with one term a block.
    """

    theta: Floats  # (2 * blocks + 1,) logs of amplitudes, lengths and noise
    evidence: float

    @threads()
    def fit(self, blocks: Blocks, z: Floats, like: AdditiveProcess | None = None) -> Self:
        """Learn kernel and weights from blocks (n, d) and labels (n,) of mean 0 and variance 1.

        like: one that was fitted on the first of these blocks and these labels: the search begins with its kernel.
        """
        pick = np.random.default_rng(0).permutation(len(z))[:_MOST]
        distances = [torch.from_numpy(_distances(block[pick], block[pick])) for block in blocks]
        theta, centre, spread = _priors(len(blocks))
        if like is not None:
            theta.data.copy_(like.extended(centre))
        labels = torch.from_numpy(z[pick])
        best = torch.optim.LBFGS(
            [theta], max_iter=_ITERATIONS, tolerance_change=_PRECISION, line_search_fn="strong_wolfe"
        )

        def loss() -> Tensor:
            best.zero_grad()
            inside = theta.clamp(centre - _FAR * spread, centre + _FAR * spread)
            value = _misfit(distances, inside, labels) + (((theta - centre) / spread) ** 2).sum() / 2
            value.backward()
            return value

        try:
            best.step(loss)  # pyright: ignore[reportArgumentType]  (its stub wants a float)
        except RuntimeError:  # no Cholesky factor: a step too far to be computed: better the kernel before any label
            theta.data.copy_(centre)
        self.evidence = -loss().item()
        return self.condition(blocks, z, theta.detach().clamp(centre - _FAR * spread, centre + _FAR * spread).numpy())

    def extended(self, centre: Tensor) -> Tensor:
        """Its kernel with more blocks behind its own, which are as in `centre`, (2 * blocks + 1,)."""
        mine, more = torch.from_numpy(self.theta[:-1].reshape(2, -1)), centre[:-1].reshape(2, -1)
        rows = torch.cat([mine, more[:, mine.shape[1] :]], 1)
        return torch.cat([rows.ravel(), torch.tensor([self.theta[-1]])])

    def condition(self, blocks: Blocks, z: Floats, theta: Floats) -> Self:
        """Learn weights alone, with a kernel that is known."""
        self.theta, self.z = np.asarray(theta, dtype=np.float64), z
        self.blocks = [np.ascontiguousarray(block, dtype=np.float32) for block in blocks]
        covariance = self._kernel(self.blocks, self.blocks).astype(np.float64)
        covariance[np.diag_indices(len(z))] = self.variance + self.noise
        factor = cholesky(covariance, lower=True)
        self._inverse = cho_solve((factor, True), np.eye(len(z))) if len(z) <= _MOST_STD else None
        self.weights = cho_solve((factor, True), z)
        self._factor = factor[:_MOST_STD, :_MOST_STD].astype(np.float32)  # of the first labels: a leading part
        return self

    def believing(self, blocks: Blocks) -> AdditiveProcess:
        """Another one that takes its own means of the rows of blocks (m, d) for labels: only variances change."""
        both = [np.concatenate([known, new]) for known, new in zip(self.blocks, blocks, strict=True)]
        return AdditiveProcess().condition(both, np.concatenate([self.z, self.predict(blocks)]), self.theta)

    @property
    def variance(self) -> float:
        """Of a function value, before any label."""
        return float(np.exp(self.theta[: len(self.blocks)]).sum())

    @property
    def noise(self) -> float:
        """Variance of a label around the function value."""
        return float(np.exp(self.theta[-1])) + _JITTER

    def predict(self, blocks: Blocks) -> Floats:
        """(m,) means."""
        return self._kernel(blocks, self.blocks) @ self.weights

    def predict_var(self, blocks: Blocks) -> tuple[Floats, Floats]:
        """(m,) means and variances of the function, without the noise of labels."""
        kernel = self._kernel(blocks, self.blocks)
        reduced = solve_triangular(self._factor, kernel[:, : len(self._factor)].T, lower=True, check_finite=False)
        left = self.variance - np.einsum("nm,nm->m", reduced, reduced, dtype=np.float64)
        return kernel @ self.weights, np.maximum(left, 1e-6)

    def held_out(self, fold: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """(n,) means and variances of every labelled row, as if its fold had had no labels; the kernel is as learnt."""
        mean, variance = np.zeros(len(fold)), np.zeros(len(fold))
        for k in np.unique(fold):
            held, rest = np.flatnonzero(fold == k), np.flatnonzero(fold != k)
            if self._inverse is not None:  # from the inverse of all, without another factorisation
                part = np.linalg.inv(self._inverse[np.ix_(held, held)])
                mean[held] = self.z[held] - part @ (self._inverse @ self.z)[held]
                variance[held] = np.diag(part) - self.noise
            else:
                blocks = [block[rest] for block in self.blocks]
                without = AdditiveProcess().condition(blocks, self.z[rest], self.theta)
                mean[held], variance[held] = without.predict_var([block[held] for block in self.blocks])
        return mean, np.maximum(variance, 1e-6)

    def state(self) -> dict[str, NDArray[Any]]:
        """What it has learnt."""
        blocks = {f"block{k}": block for k, block in enumerate(self.blocks)}
        return {"theta": self.theta, "z": self.z, **blocks}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> Self:
        """The inverse of ``state``."""
        blocks = [state[f"block{k}"] for k in range((len(state["theta"]) - 1) // 2)]
        return self.condition(blocks, state["z"], state["theta"])

    def _kernel(self, left: Blocks, right: Blocks) -> NDArray[np.float32]:
        amplitudes, lengths = np.exp(self.theta[:-1]).reshape(2, -1)
        total = np.zeros((len(left[0]), len(right[0])), dtype=np.float32)
        for a, b, amplitude, length in zip(left, right, amplitudes, lengths, strict=True):
            r = np.sqrt(_distances(np.float32(1) * a, b))
            r *= np.float32(math.sqrt(5) / length)
            decay = np.exp(-r)
            decay *= np.float32(amplitude)
            r += r * r / 3 + 1
            r *= decay
            total += r
        return total


def _distances(left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """(n, m) squared Euclidean distances."""
    squares = (left**2).sum(1)[:, None] + (right**2).sum(1) - 2 * (left @ right.T)
    return np.maximum(squares, 0)


def _priors(blocks: int) -> tuple[Tensor, Tensor, Tensor]:
    """Where the search starts, and centre and spread of the priors: (2 * blocks + 1,) each."""

    def spread_out(values: Mapping[str, float]) -> Tensor:
        parts = [values["amplitude"]] * blocks + [values["length"]] * blocks + [values["noise"]]
        return torch.tensor(parts, dtype=torch.float64)

    return spread_out(_START).requires_grad_(), spread_out(_START), spread_out(_SPREAD)


def _misfit(distances: Sequence[Tensor], theta: Tensor, z: Tensor) -> Tensor:
    """Negative log marginal likelihood, without its constant."""
    amplitudes, lengths = theta[:-1].exp().reshape(2, -1)
    covariance = (theta[-1].exp() + _JITTER) * torch.eye(len(z), dtype=torch.float64)
    for squares, amplitude, length in zip(distances, amplitudes, lengths, strict=True):
        r = (5 * squares + 1e-12).sqrt() / length
        covariance = covariance + amplitude * (1 + r + r * r / 3) * (-r).exp()
    factor = torch.linalg.cholesky(covariance)
    weights = torch.cholesky_solve(z[:, None], factor)[:, 0]
    return z @ weights / 2 + factor.diagonal().log().sum()
