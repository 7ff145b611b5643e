"""Untrained thumbnails: what they compute, checked by hand, and that their columns say something of accuracy."""

import numpy as np
import pytest
from scipy.stats import kendalltau

from tests.small_spaces import tiny
from tierwise import registry
from tierwise.architecture import Architectures
from tierwise.encodings import signals
from tierwise.spaces.nasbench201 import NASBench201

NONE, SKIP, CONV1, CONV3, POOL = range(5)
SPACE = NASBench201()
FIRST_SPECTRUM = slice(2, 7)


def columns(space, *genes):
    return signals.signals(Architectures(space, np.array(genes)), seed=0)


@pytest.mark.parametrize("name", ["nasbench201", "nasbench101", "darts", "nats-bench-size", "nasbench-graph"])
def test_every_space_gives_finite_columns_that_differ(name):
    space = registry.make("space", name)
    x = signals.signals(space.sample(200, np.random.default_rng(0)), seed=0)
    assert x.shape == (200, 17)
    assert np.isfinite(x).all()
    assert (x.std(0) > 0).any()


def test_a_cell_that_hands_on_its_input_has_the_spectrum_of_the_input(monkeypatch):
    monkeypatch.setattr(signals, "_DRAWS", 1)
    drawn = np.random.default_rng([0, 0]).normal(size=(24, 64))
    values = np.linalg.eigvalsh(drawn @ drawn.T / 64) + 1e-3
    expected = np.log(np.quantile(values, [0, 0.25, 0.5, 0.75, 1]))
    np.testing.assert_allclose(columns(tiny(), [NONE, SKIP, NONE])[0, FIRST_SPECTRUM], expected, rtol=1e-4)


def test_agreement_of_one_rectifier_by_hand():
    # one convolution: its rectifier sees the input in each cell, first as it was drawn
    drawn = np.random.default_rng([0, 0]).normal(size=(24, 64)) > 0
    agree = (drawn[:, None] == drawn[None]).sum(2)
    counted = signals._Agreement(np.zeros((1, 24, 24), np.float32), np.zeros(1, np.float32))
    x = np.random.default_rng([0, 0]).normal(size=(24, 8, 8)).astype(np.float32)[None]
    passed = counted.rectified(np.array([0]), x)
    np.testing.assert_array_equal(passed, np.maximum(x, 0))
    np.testing.assert_array_equal(counted.pairs[0], agree)
    by_hand = [np.linalg.slogdet(each + 1e-3 * np.eye(24))[1] for each in (agree, agree / 64)]
    np.testing.assert_allclose(counted.columns()[0], by_hand, rtol=1e-4)


def test_normalisation_is_over_inputs_and_pixels_of_each_channel():
    x = np.random.default_rng(0).normal(3, 5, size=(2, 24, 8, 8)).astype(np.float32)
    normal = signals._normalised(x)
    np.testing.assert_allclose(normal.mean((1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(normal.std((1, 2)), 1, atol=1e-4)


def test_a_dead_cell_is_told_from_a_live_one_and_rows_do_not_depend_on_their_batch():
    cells = SPACE.at(range(0, 15_625, 500))
    x = signals.signals(cells, 0)
    assert np.isfinite(x).all()
    np.testing.assert_allclose(signals.signals(cells[5:9], 0), x[5:9], rtol=1e-5)
    dead = columns(SPACE, [NONE] * 6)[0]
    assert (dead[2:] == np.float32(np.log(1e-3))).all()


def test_more_convolutions_tell_signals_apart():
    few, many = columns(tiny(), [NONE, CONV3, NONE], [CONV3, CONV3, CONV3])[:, 0]
    assert many > few


def test_the_first_column_ranks_cells_better_than_flops():
    accuracy = registry.make("benchmark", "nasbench201").expected("accuracy")
    rows = np.random.default_rng(0).permutation(SPACE.size)[:1_500]
    cells = SPACE.at(rows)
    own, flops = (
        kendalltau(x, accuracy[rows]).statistic for x in (signals.signals(cells, 0)[:, 0], SPACE.totals(cells)[:, 0])
    )
    assert own > 0.5
    assert own > flops - 0.05
