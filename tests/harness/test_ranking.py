"""Ranking figures by hand, and the committed ones again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tierwise import metrics
from tierwise.harness.baselines import Scores
from tierwise.harness.checks import CALIBRATION, FIGURES, OUTSIDE
from tierwise.harness.problem import problem
from tierwise.harness.protocol import load_claim
from tierwise.harness.ranking import figures, work
from tierwise.harness.search import work as search

BENCH = Path(__file__).parents[2] / "bench"


def test_figures_of_a_perfect_and_of_a_reversed_order() -> None:
    truth = np.random.default_rng(0).permutation(1000).astype(float)
    tiers = np.minimum((999 - truth) // 200, 4).astype(int)
    perfect = figures(Scores(truth, tiers), truth, np.arange(50))
    reversed_ = figures(Scores(-truth, 4 - tiers), truth, np.arange(50))
    plain = set(FIGURES["ranking"]) - set(CALIBRATION)
    assert set(perfect) == {prefix + name for name in plain for prefix in ("", OUTSIDE)}
    for name in ("tau", "spearman", "weighted_tau", "tau_top10", "p_at_1", "p_at_10"):
        assert perfect[name] == pytest.approx(1)
        assert perfect[OUTSIDE + name] == pytest.approx(1)
    assert perfect["tier_accuracy"] == 1
    assert (perfect["n_at_1"], perfect["n_at_50"], perfect["regret_at_1"]) == (1, 1, 0)
    assert reversed_["tau"] == pytest.approx(-1)
    assert reversed_["tier_accuracy"] == pytest.approx(0.2)  # the middle tier
    assert (reversed_["n_at_1"], reversed_["n_at_10"]) == (1000, 991)
    assert (reversed_["regret_at_1"], reversed_["regret_at_10"]) == (999, 990)


def test_cells_with_a_label_have_no_part_outside() -> None:
    truth = np.arange(100.0)
    score = truth.copy()
    score[:50] = 49 - score[:50]  # half of the order is wrong, and all of that half has labels
    found = figures(Scores(score, np.zeros(100, dtype=int)), truth, np.arange(50))
    assert found["outside_tau"] == pytest.approx(1)
    assert found["tau"] == pytest.approx(stats.kendalltau(score, truth).statistic)
    assert found["tau"] < 0.6
    assert found["outside_tier_accuracy"] == pytest.approx(0.2)


def test_weighted_tau_is_that_of_scipy_and_heeds_the_top() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.random(80), rng.random(80)
    assert metrics.weighted_tau(a, b) == pytest.approx(stats.weightedtau(a, b).statistic)
    truth = np.arange(20.0)
    top, bottom = truth.copy(), truth.copy()
    top[[18, 19]], bottom[[0, 1]] = top[[19, 18]], bottom[[1, 0]]
    assert metrics.kendall_tau(top, truth) == pytest.approx(metrics.kendall_tau(bottom, truth))
    assert metrics.weighted_tau(top, truth) < metrics.weighted_tau(bottom, truth)


@pytest.mark.parametrize(
    "shard",
    [
        {"method": "trees", "dataset": "cifar10", "n": 78, "seed": 3},
        {"method": "flops", "dataset": "imagenet16-120", "n": 0, "seed": 0},
        {"method": "tier", "dataset": "cifar100", "n": 78, "seed": 11},
    ],
    ids=lambda shard: shard["method"],
)
def test_committed_ranking_figures_come_out_again(shard: dict[str, object], nb201_file: Path) -> None:
    for package in ("lightgbm", "torch"):
        pytest.importorskip(package)
    claim = load_claim(BENCH / "ranking_nasbench201.toml")
    data = problem(claim.data, str(shard["dataset"]), nb201_file.parent)
    new = work(claim, data, shard)["figures"][str(shard["n"])]
    # other processors sum in another order, so the last digits may differ
    assert committed("ranking-nasbench201", shard)[str(shard["n"])]["tau"] == pytest.approx(new["tau"], abs=0.01)


def test_a_committed_search_comes_out_again(nb201_file: Path) -> None:
    shard = {"method": "evolution", "dataset": "cifar100", "seed": 4}
    claim = load_claim(BENCH / "search_nasbench201.toml")
    new = search(claim, problem(claim.data, "cifar100", nb201_file.parent), shard)
    assert committed("search-nasbench201", shard) == {at: pytest.approx(row) for at, row in new["figures"].items()}


def committed(name: str, shard: dict[str, object]) -> dict[str, dict[str, float]]:
    content = json.loads((BENCH / "results" / f"{name}.json").read_text())
    return next(line["figures"] for line in content["runs"] if line["shard"] == shard)
