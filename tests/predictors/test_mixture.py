"""Weights of members, and the standard deviation of their mean."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tierwise.predictors.mixture import Mixture

LABELS = 60


def labels(seed=0):
    z = np.random.default_rng(seed).normal(size=LABELS)
    return (z - z.mean()) / z.std()


def said(z, errors, seed=1):
    """Members that say the label with errors of these sizes, each in a unit of its own."""
    rng = np.random.default_rng(seed)
    return np.stack([(k + 1) * (z + size * rng.normal(size=len(z))) + 5 * k for k, size in enumerate(errors)])


def even(members):
    return np.full(members, 1 / members)


def learnt(members, variance, z):
    """From even weights."""
    return Mixture.of(members, variance, z, even(len(members)))


def test_a_member_that_is_noise_gets_a_small_weight():
    z = labels()
    good = said(z, (0.5, 0.5, 0.5))
    good[2] = np.random.default_rng(2).normal(size=len(z))
    weights = learnt(good, np.full(len(z), 0.25), z).weights
    assert weights[2] < 0.15
    assert weights[:2].min() > 0.3


def test_the_better_of_two_members_weighs_more():
    z = labels()
    mixture = learnt(said(z, (0.3, 1.5)), np.full(len(z), 0.25), z)
    assert mixture.weights[0] > 1.5 * mixture.weights[1] > 0


def test_few_labels_leave_the_weights_near_even():
    def better_one(n, seed):
        z = labels(seed)
        return learnt(said(z, (0.3, 1.5), seed + 50)[:, :n], np.full(n, 0.25), z[:n]).weights[0]

    few, many = (np.mean([better_one(n, seed) for seed in range(20)]) for n in (6, LABELS))
    assert 0.5 < few < many


def test_weights_are_drawn_towards_those_before_any_label():
    z = labels()[:6]
    members, before = said(z, (0.5, 0.5)), np.array([0.9, 0.1])
    assert Mixture.of(members, np.full(6, 0.25), z, before).weights[0] > 0.7
    assert learnt(members, np.full(6, 0.25), z).weights[0] < 0.6


@settings(max_examples=60, deadline=None)
@given(arrays(float, (3, 12), elements=st.floats(-4, 4, width=32)), st.permutations(range(3)))
def test_weights_sum_to_one_and_move_with_their_members(members, order):
    z, variance = labels()[:12], np.full(12, 0.25)
    mixture, moved = (learnt(rows, variance, z) for rows in (members, members[order]))
    assert mixture.weights.sum() == pytest.approx(1)
    assert (mixture.weights >= 0).all()
    np.testing.assert_allclose(moved.weights, mixture.weights[order], atol=1e-6)
    np.testing.assert_allclose(moved.score(members[order]), mixture.score(members), atol=1e-5)
    np.testing.assert_allclose(
        moved.std(members[order], variance), mixture.std(members, variance), rtol=1e-4, atol=1e-5
    )


def test_the_unit_of_a_member_does_not_matter():
    z, variance = labels(), np.full(LABELS, 0.25)
    members = said(z, (0.4, 0.8, 1.2))
    other = members * np.array([[1.0], [1e3], [1e-3]]) + np.array([[0.0], [-7.0], [9.0]])
    mixture, scaled = learnt(members, variance, z), learnt(other, variance, z)
    np.testing.assert_allclose(scaled.weights, mixture.weights)
    np.testing.assert_allclose(scaled.score(other), mixture.score(members))


def test_standard_deviations_are_as_wide_as_the_errors():
    z = labels()
    members = said(z, (0.4, 0.8, 1.2))
    mixture = learnt(members, np.full(LABELS, 1e-4), z)  # a process that is far too sure
    errors = (z - mixture.score(members)) / mixture.std(members, np.full(LABELS, 1e-4))
    assert (errors**2).mean() == pytest.approx(1)


def test_members_that_differ_make_a_wider_standard_deviation():
    mixture = Mixture.before(even(2))
    agreeing, differing = (mixture.std(np.array([[0.5], [x]]), np.array([0.04])) for x in (0.5, 2.5))
    assert agreeing == pytest.approx([0.2])
    assert differing == pytest.approx([np.sqrt(0.04 + 1.0)])


def test_members_that_say_nothing_have_even_weights_and_finite_scores():
    z = labels()
    mixture = learnt(np.ones((3, LABELS)), np.full(LABELS, 0.25), z)
    assert mixture.weights == pytest.approx([1 / 3] * 3)
    assert np.isfinite(mixture.score(np.full((3, 5), 2.0))).all()
    assert (mixture.std(np.ones((3, 5)), np.full(5, 0.25)) > 0).all()


def test_a_state_gives_an_equal_mixture():
    z = labels()
    members = said(z, (0.4, 0.8))
    mixture = learnt(members, np.full(LABELS, 0.25), z)
    again = Mixture.restored(mixture.state())
    assert (again.score(members) == mixture.score(members)).all()
    assert (again.std(members, np.ones(LABELS)) == mixture.std(members, np.ones(LABELS))).all()
