"""What every ranking loss must say of scores."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'tierwise[torch]'")

from tierwise.errors import UnknownName  # noqa: E402
from tierwise.predictors.ranking_losses import LOSSES, find_loss, lambdarank, listmle, mse, ordinal  # noqa: E402

# lambdarank weighs pairs by the positions of the present scores, so its value says nothing; its gradient does
VALUED = [name for name in LOSSES if name != "lambdarank"]
SCORES = st.lists(st.integers(-40, 40).map(lambda k: k / 8), min_size=2, max_size=5, unique=True)
ORDERS = st.lists(st.integers(0, 4), min_size=2, max_size=8)


def gradient(loss, scores, order):
    x = torch.tensor(scores, dtype=torch.float64, requires_grad=True)
    value = loss(x, torch.as_tensor(order, dtype=torch.float64))
    (slope,) = torch.autograd.grad(value, x)
    return value.item(), slope.numpy()


@pytest.mark.parametrize("name", VALUED)
@settings(max_examples=25, deadline=None)
@given(scores=SCORES)
def test_the_right_order_has_the_least_loss_of_all_permutations(name, scores):
    best = sorted(scores)
    order = torch.arange(float(len(best)))
    losses = {p: LOSSES[name](torch.tensor(p, dtype=torch.float64), order).item() for p in permutations(best)}
    assert losses[tuple(best)] <= min(losses.values()) + 1e-9


@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=25, deadline=None)
@given(order=ORDERS)
def test_at_equal_scores_the_gradient_points_to_the_order(name, order):
    """Better labels are pushed up at least as much, the best one up and the worst one down."""
    _, slope = gradient(LOSSES[name], [0.0] * len(order), order)
    assert np.isfinite(slope).all()
    if len(set(order)) == 1:
        assert not slope.any()
    elif name != "lambdarank":  # which depends on how ties of scores are broken
        push = -slope[np.argsort(order, kind="stable")]
        assert (np.diff(push) >= -1e-9).all()
        assert push[-1] > 0 > push[0] or name == "ordinal"  # most labels may be in one tier


@pytest.mark.parametrize("name", LOSSES)
def test_descending_the_gradient_sorts(name):
    order = np.random.default_rng(0).permutation(10)
    scores = np.zeros(10)
    for _ in range(400):
        scores -= 0.5 * gradient(LOSSES[name], scores, order)[1]
    ranks = scores.argsort().argsort()
    if name == "lambdarank":  # a rank lower gains a quarter or less: nothing but the top counts
        assert order[scores.argsort()[-3:]].tolist() == [7, 8, 9]
    elif name == "ordinal":  # only tiers are told apart
        assert (ranks // 2 == order // 2).all()
    else:
        assert (ranks == order).all()


@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=25, deadline=None)
@given(order=ORDERS, seed=st.integers(0, 9))
def test_rows_may_be_permuted(name, order, seed):
    generator = np.random.default_rng(seed)
    scores, pick = generator.normal(size=len(order)), generator.permutation(len(order))
    value, slope = gradient(LOSSES[name], scores, order)
    permuted, permuted_slope = gradient(LOSSES[name], scores[pick], np.array(order)[pick])
    assert permuted == pytest.approx(value)
    np.testing.assert_allclose(permuted_slope, slope[pick], atol=1e-9)


@pytest.mark.parametrize("name", LOSSES)
def test_members_learn_as_if_they_were_alone(name):
    scores, order = np.random.default_rng(0).normal(size=(3, 7)), np.array([1, 4, 4, 2, 0, 3, 5])
    value, slope = gradient(LOSSES[name], scores, order)
    alone = [gradient(LOSSES[name], row, order) for row in scores]
    assert value == pytest.approx(sum(v for v, _ in alone))
    np.testing.assert_allclose(slope, [s for _, s in alone], atol=1e-9)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("scores", [[1e4, -1e4, 0.0], [0.0, 0.0, 0.0], [-1e4, 1e4, 5.0]])
def test_extreme_scores_and_equal_labels_stay_finite(name, scores):
    for order in ([2.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]):
        value, slope = gradient(LOSSES[name], scores, order)
        assert np.isfinite(value)
        assert np.isfinite(slope).all()


def test_figures_by_hand():
    scores, order = torch.tensor([2.0, 0.0, 1.0]), torch.tensor([3.0, 1.0, 1.0])
    soft = [np.log1p(np.exp(-2.0)), np.log1p(np.exp(-1.0))]  # the last two are tied: two pairs
    assert LOSSES["pairwise"](scores, order).item() == pytest.approx(np.mean(soft))
    assert LOSSES["hinge"](scores / 2, order).item() == pytest.approx(0.25)
    assert listmle(scores, order).item() == pytest.approx(np.log1p(np.exp(-2.0) + np.exp(-1.0)) / 3)
    assert mse(scores, torch.tensor([1.0, -1.0, 0.0])).item() == pytest.approx(
        ((2 - 1.5**0.5) ** 2 + 1.5 + 1) / 3, rel=1e-6
    )
    assert ordinal(torch.zeros(5), torch.arange(5.0)).item() > ordinal(torch.linspace(-2, 2, 5), torch.arange(5.0))


def test_lambdarank_by_hand():
    """Two labels: relevances 0 and 20; exchanged, the gain moves from the first place to the second."""
    value, slope = gradient(lambdarank, [0.0, 1.0], [3.0, 7.0])
    change = (2**20 - 1) * (1 - 1 / np.log2(3)) / (2**20 - 1)
    assert value == pytest.approx(2 * change * np.log1p(np.exp(-1.0)))  # a pair is met from both sides
    assert slope[1] == pytest.approx(-2 * change / (1 + np.e))


def test_an_unknown_loss_is_refused():
    with pytest.raises(UnknownName, match="pairwise"):
        find_loss("pairwse")
