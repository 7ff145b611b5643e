import numpy as np
import pytest

from tierwise.architecture import Architectures
from tierwise.errors import BadSetting
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.tier_statistics import (
    PublishedSampler,
    TierRecords,
    TierStatistics,
    divergence,
    draw_options,
    option_counts,
    tier_blocks,
)

SPACE = NASBench201()


def rng(seed=0):
    return np.random.default_rng(seed)


def labelled(n=500, seed=0):
    """Architectures whose label is how many 3 x 3 convolutions they have, with a little noise."""
    archs = SPACE.sample(n, rng(seed))
    y = (archs.genes == 3).sum(1) + rng(seed + 1).random(n)
    return archs, SPACE.totals(archs), tier_blocks(y)


@pytest.mark.parametrize(("n", "sizes"), [(4236, [847] * 4 + [848]), (1000, [200] * 5), (5, [1] * 5)])
def test_block_sizes(n, sizes):
    assert np.bincount(tier_blocks(rng().random(n))).tolist() == sizes


def test_best_labels_are_in_tier_zero_and_ties_keep_their_order():
    assert tier_blocks([1.0, 5.0, 3.0, 2.0, 4.0]).tolist() == [4, 0, 2, 3, 1]
    assert tier_blocks(np.ones(10)).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    with pytest.raises(BadSetting):
        tier_blocks([1.0, 2.0], 5)


def test_option_counts_skip_inactive_genes():
    counts = option_counts(np.array([[0, -1], [1, 2], [1, 2]]), np.array([0, 1, 1]), 2, 3)
    assert counts.tolist() == [[[1, 0, 0], [0, 0, 0]], [[0, 2, 0], [0, 0, 2]]]


def test_draw_options_follows_the_chances():
    chances = np.array([[0.5, 0.5, 0.0], [0.0, 0.1, 0.9]])
    drawn = draw_options(chances, 20_000, rng())
    shares = np.stack([np.bincount(column, minlength=3) for column in drawn.T]) / len(drawn)
    np.testing.assert_allclose(shares, chances, atol=0.02)
    assert (shares[chances == 0] == 0).all()


def test_record_of_a_batch_by_hand():
    archs = Architectures(SPACE, np.array([[3, 3, 0, 0, 0, 0], [1] * 6, [2] * 6]))
    costs = np.array([[20_000_001, 11_000], [10_000_000, 1_000], [15_500_000, 6_500]])
    record = TierRecords.of(archs, costs, np.array([0, 4, 1]))
    # 21, 10, 16 MFLOPs: width ceil(11/5) = 3, edges 13 ... 25; 11, 1, 7 k parameters: width 2, edges 3 ... 11
    assert record.edges[0].tolist() == [[13e6, 16e6, 19e6, 22e6, 25e6], [3e3, 5e3, 7e3, 9e3, 11e3]]
    assert record.costs[0, :, 0].argmax(1).tolist() == [3, 1, 0, 0, 0]
    assert record.costs[0, :, 1].argmax(1).tolist() == [4, 2, 0, 0, 0]
    assert record.costs[0].sum((1, 2)).tolist() == [2, 2, 0, 0, 2]
    assert record.genes[0, 4].sum(0).tolist() == [0, 6, 0, 0, 0]


def test_equal_costs_make_a_valid_record():
    archs = SPACE.at([5, 5])
    record = TierRecords.of(archs, SPACE.totals(archs), np.array([0, 1]), n_tiers=2)
    assert (np.diff(record.edges[0]) > 0).all()
    assert record.costs.sum() == 4


def test_divergence_is_that_of_the_gate():
    assert divergence(np.array([3, 1, 0]), np.array([3, 1, 0])) == pytest.approx(0)
    # the softmax of counts is nearly one-hot: about (10 - 0) / 5
    assert divergence(np.array([20, 0, 0, 0, 0]), np.array([10, 0, 0, 20, 0])) == pytest.approx(2, abs=0.01)


def test_targets_are_upper_edges_and_the_gate_decides():
    archs, costs, tiers = labelled()
    record = TierRecords.of(archs, costs, tiers)
    forced = PublishedSampler(record).targets(0, 4000, rng())
    for kind in (0, 1):
        values, counts = np.unique(forced[:, kind], return_counts=True)
        assert values.tolist() == record.edges[0, kind].tolist()
        np.testing.assert_allclose(counts / 4000, 0.2, atol=0.03)
    opened = PublishedSampler(record, force_uniform=False).targets(0, 4000, rng())
    share = record.costs[0, 0, 0] / record.costs[0, 0, 0].sum()
    drawn = (opened[:, [0]] == record.edges[0, 0]).mean(0)
    np.testing.assert_allclose(drawn, share, atol=0.03)
    closed = PublishedSampler(record, force_uniform=False, thresholds=(1e9, 1e9, 1e9)).targets(0, 4000, rng())
    assert (closed == forced).all()


def test_a_small_first_tier_does_not_pass_the_gate():
    archs, costs, _ = labelled(200)
    record = TierRecords.of(archs, costs, np.repeat([0, 1, 2, 3, 4], [10, 40, 50, 50, 50]))
    sampler = PublishedSampler(record, force_uniform=False, thresholds=(-1e9, -1e9, -1e9))
    assert len(np.unique(sampler.targets(0, 4000, rng())[:, 0])) == 5


def test_guided_draws_stay_under_their_bounds():
    archs, costs, tiers = labelled()
    sampler = PublishedSampler(TierRecords.of(archs, costs, tiers))
    drawn = sampler.draw(SPACE, 0, 64, rng(7), totals=SPACE.totals)
    targets = sampler.targets(0, 3, rng(7)).repeat(25, 0)[:64]  # three pairs of targets, each used 25 times
    assert len(drawn) == 64
    assert (SPACE.totals(drawn) <= targets).all()


def test_impossible_bounds_keep_the_last_cell():
    archs, costs, tiers = labelled(50)
    sampler = PublishedSampler(TierRecords.of(archs, costs // 100, tiers), tries=3)
    cells = SPACE.sample(30, rng(3))
    drawn = sampler.draw(SPACE, 0, 10, rng(), totals=SPACE.totals, cells=lambda n, r: cells[:n])
    assert (drawn.genes == cells.genes[2::3]).all()


def test_cells_outside_the_space_are_dropped():
    archs, costs, tiers = labelled(50)
    sampler = PublishedSampler(TierRecords.of(archs, costs * 100, tiers), tries=2)
    narrow = SPACE.narrow("cell/0-1", ["nor_conv_3x3"])
    inside, outside = [[3, 0, 0, 0, 0, 0], [3, 1, 1, 1, 1, 1]], [0] * 6
    cells = Architectures(SPACE, np.array([inside[0], *[outside] * 4, inside[1]]))
    drawn = sampler.draw(narrow, 0, 3, rng(), totals=SPACE.totals, cells=lambda n, r: cells[:n])
    assert drawn.genes.tolist() == inside


def test_option_histogram_is_pooled_over_equal_choices():
    archs, costs, tiers = labelled(2000)
    record = TierRecords.of(archs, costs, tiers)
    cells = PublishedSampler(record, force_uniform=False).cells(SPACE, 0, 5000, rng())
    pooled = record.genes[0, 0].sum(0) / record.genes[0, 0].sum()
    shares = np.bincount(cells.genes.ravel(), minlength=5) / cells.genes.size
    np.testing.assert_allclose(shares, pooled, atol=0.02)
    assert pooled.argmax() == 3


def test_statistics_are_chances_and_smoothed():
    archs, costs, tiers = labelled()
    stats = TierStatistics.of(archs, costs, tiers)
    np.testing.assert_allclose(stats.costs.sum((1, 2)), 1)
    np.testing.assert_allclose(stats.genes.sum(2), 1)
    assert (stats.genes > 0).all()
    assert (stats.genes[0].argmax(1) == 3).all()  # the best tier is full of 3 x 3 convolutions
    with pytest.raises(BadSetting):
        TierStatistics.of(archs, costs, tiers, smoothing=0)


def test_draws_resemble_the_best_tier():
    archs, costs, tiers = labelled()
    stats = TierStatistics.of(archs, costs, tiers)
    drawn = stats.draw(SPACE, 200, rng(), totals=SPACE.totals)
    assert len(drawn) == len(drawn.unique()) == 200
    new = SPACE.totals(drawn)
    best = costs[tiers == 0]
    assert np.quantile(new[:, 0], 0.1) > np.quantile(costs[:, 0], 0.4)  # two-sided: no cheap cells
    np.testing.assert_allclose(np.median(new, 0), np.median(best, 0), rtol=0.2)
    worst = stats.draw(SPACE, 200, rng(), totals=SPACE.totals, tier=4)
    assert np.median(SPACE.totals(worst)[:, 0]) < np.median(new[:, 0])


def test_draws_obey_a_narrowed_space_and_repeat_with_the_seed():
    archs, costs, tiers = labelled()
    stats = TierStatistics.of(archs, costs, tiers)
    narrow = SPACE.narrow("cell/0-1", ["skip_connect"])
    drawn = stats.draw(narrow, 50, rng(5), totals=SPACE.totals)
    assert narrow.contains(drawn).all()
    assert (drawn.genes == stats.draw(narrow, 50, rng(5), totals=SPACE.totals).genes).all()


def test_draws_where_free_genes_are_seldom_members():
    class Even(NASBench201):
        """Only cells whose genes add up to a multiple of seven."""

        def contains(self, archs):
            return super().contains(archs) & (archs.genes.sum(1) % 7 == 0)

        def sample(self, n, rng):
            many = super().sample(20 * n, rng)
            return Architectures(self, many.genes[self.contains(many)][:n])

    archs, costs, tiers = labelled()
    space = Even()
    drawn = TierStatistics.of(archs, costs, tiers).draw(space, 50, rng(), totals=SPACE.totals)
    assert len(drawn) == 50
    assert space.contains(drawn).all()
    assert (drawn.genes == 3).mean() > 0.3
