"""The Gaussian process over blocks, against scikit-learn's and against plain refits."""

import math

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: pip install 'tierwise[torch]'")

from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from tierwise.predictors import additive_process
from tierwise.predictors.additive_process import AdditiveProcess

ROWS, WIDTHS = 60, (3, 2)


def block(width, seed, rows=ROWS):
    """Columns of mean 0 and a mean squared norm of 1."""
    x = np.random.default_rng(seed).normal(size=(rows, width))
    return (x - x.mean(0)) / np.sqrt(x.var(0).sum())


def blocks(rows=ROWS, seed=0):
    return [block(width, seed + k, rows) for k, width in enumerate(WIDTHS)]


def standard(y):
    return (y - y.mean()) / y.std()


def labels(x, noise=0.1):
    """Of the first block alone."""
    y = np.sin(3 * x[0][:, 0]) + x[0][:, 1] + noise * np.random.default_rng(9).normal(size=len(x[0]))
    return standard(y)


def plain(process):
    """scikit-learn's process with the same kernel: a length of infinity takes a column out of a term."""
    amplitudes, lengths = np.exp(process.theta[:-1]).reshape(2, -1)
    ends = np.cumsum([0, *WIDTHS])
    kernel = None
    for k, (amplitude, length) in enumerate(zip(amplitudes, lengths, strict=True)):
        scale = np.full(ends[-1], np.inf)
        scale[ends[k] : ends[k + 1]] = length
        term = ConstantKernel(amplitude) * Matern(length_scale=scale, nu=2.5)
        kernel = term if kernel is None else kernel + term
    return GaussianProcessRegressor(kernel, alpha=process.noise, optimizer=None)


def test_means_and_variances_are_those_of_scikit_learn():
    x, new = blocks(), blocks(40, seed=5)
    process = AdditiveProcess().fit(x, labels(x))
    mean, variance = process.predict_var(new)
    expected, std = plain(process).fit(np.hstack(x), process.z).predict(np.hstack(new), return_std=True)
    np.testing.assert_allclose(mean, expected, atol=1e-4)
    np.testing.assert_allclose(process.predict(new), expected, atol=1e-4)
    np.testing.assert_allclose(variance, std**2, atol=1e-4)


def test_the_evidence_is_the_marginal_likelihood_with_its_priors():
    x = blocks()
    process = AdditiveProcess().fit(x, labels(x))
    centre = np.array([0.0] * 4 + [math.log(0.1)])
    spread = np.array([2.0, 2.0, 1.0, 1.0, math.sqrt(2)])
    priors = -(((process.theta - centre) / spread) ** 2).sum() / 2
    model = plain(process).fit(np.hstack(x), process.z)
    likelihood = model.log_marginal_likelihood_value_ + ROWS / 2 * math.log(2 * math.pi)
    assert process.evidence == pytest.approx(likelihood + priors, abs=1e-3)


def test_the_search_ends_at_a_maximum_of_the_evidence():
    x = blocks()
    process = AdditiveProcess().fit(x, labels(x))
    spread = np.array([2.0, 2.0, 1.0, 1.0, math.sqrt(2)])
    centre = np.array([0.0] * 4 + [math.log(0.1)])
    for step in np.vstack([np.eye(5), -np.eye(5)]) * 0.2:
        near = AdditiveProcess().condition(x, process.z, process.theta + step)
        value = plain(near).fit(np.hstack(x), process.z).log_marginal_likelihood_value_
        value += ROWS / 2 * math.log(2 * math.pi) - (((near.theta - centre) / spread) ** 2).sum() / 2
        assert value <= process.evidence + 1e-3


@pytest.mark.parametrize("most", [1_000, 10], ids=["from one inverse", "by refits"])
def test_what_is_said_of_held_out_rows_is_what_refits_say(monkeypatch, most):
    x = blocks()
    fold = np.random.default_rng(3).permutation(ROWS) % 5
    fitted = AdditiveProcess().fit(x, labels(x))
    monkeypatch.setattr(additive_process, "_MOST_STD", most)
    process = AdditiveProcess().condition(x, fitted.z, fitted.theta)
    monkeypatch.undo()
    mean, variance = process.held_out(fold)
    for k in range(5):
        rest, held = fold != k, fold == k
        refit = AdditiveProcess().condition([b[rest] for b in x], fitted.z[rest], fitted.theta)
        expected, left = refit.predict_var([b[held] for b in x])
        np.testing.assert_allclose(mean[held], expected, atol=2e-3)
        np.testing.assert_allclose(variance[held], left, atol=2e-3)


def test_a_useless_block_gets_a_small_amplitude():
    x = blocks()
    process = AdditiveProcess().fit(x, labels(x))
    useful, useless = np.exp(process.theta[:2])
    assert useless < 0.1 * useful


def test_a_useful_block_adds_to_the_evidence_and_a_useless_one_does_not():
    x = blocks()
    z = labels(x)
    other, first, both = (AdditiveProcess().fit(given, z).evidence for given in ([x[1]], [x[0]], x))
    assert first > other + 10
    assert both < first + 3


def test_more_noise_in_the_labels_is_found():
    x = blocks(200)
    quiet, loud = (AdditiveProcess().fit(x, labels(x, noise)).noise for noise in (0.05, 1.0))
    assert quiet < 0.1 < 0.3 < loud


def test_the_order_of_rows_does_not_matter():
    x = blocks()
    z, order = labels(x), np.random.default_rng(1).permutation(ROWS)
    process = AdditiveProcess().fit(x, z)
    moved = AdditiveProcess().fit([b[order] for b in x], z[order])
    np.testing.assert_allclose(moved.predict(x), process.predict(x), atol=1e-2)


def test_equal_labels_and_equal_rows_are_no_trouble():
    x = blocks()
    flat = AdditiveProcess().fit(x, np.zeros(ROWS))
    np.testing.assert_allclose(flat.predict(x), 0, atol=1e-12)
    twice = [np.vstack([b[:5]] * 4) for b in x]
    mean, variance = AdditiveProcess().fit(twice, standard(np.arange(20.0))).predict_var(twice)
    assert np.isfinite(mean).all()
    assert (variance > 0).all()


def test_a_state_predicts_the_same():
    x, new = blocks(), blocks(40, seed=5)
    process = AdditiveProcess().fit(x, labels(x))
    again = AdditiveProcess().restore(process.state())
    for one, other in zip(process.predict_var(new), again.predict_var(new), strict=True):
        assert (one == other).all()


def test_a_kernel_that_cannot_be_computed_ends_the_search(monkeypatch):
    calls = []
    cholesky = additive_process.torch.linalg.cholesky

    def failing(matrix):
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("not positive definite")
        return cholesky(matrix)

    monkeypatch.setattr(additive_process.torch.linalg, "cholesky", failing)
    x = np.random.default_rng(0).normal(size=(30, 2))
    process = AdditiveProcess().fit([x], (x[:, 0] - x[:, 0].mean()) / x[:, 0].std())
    assert process.theta == pytest.approx([0.0, 0.0, np.log(0.1)])
    assert np.corrcoef(process.predict([x]), x[:, 0])[0, 1] > 0.8
