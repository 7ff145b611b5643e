"""Predictions of the map: when they are made, in what unit, and what was foretold before the result was known."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.navigator.conftest import Start, made_up
from tierwise import Study, make
from tierwise.metrics import kendall_tau
from tierwise.navigator import Navigator
from tierwise.navigator.architectures import arch_facts, explanation, neighbours
from tierwise.navigator.predictions import next_at, predictor_of
from tierwise.navigator.progress import agreement
from tierwise.navigator.scale import Scale
from tierwise.navigator.scoring import Labelled, fitted, score
from tierwise.strategies.bananas import Bananas
from tierwise.strategies.weaknas import WeakNAS

SPACE = make("space", "nasbench201")


def test_results_are_learnt_anew_when_they_have_grown_by_a_fifth_or_ten():
    counts, n = [], 0
    while n < 500:
        counts.append(n := next_at(n))
    assert counts[:6] == [10, 20, 30, 40, 50, 60]
    assert all(later - now == max(10, now // 5) for now, later in pairwise(counts))


def test_the_predictor_is_that_of_the_strategy():
    for strategy, name in ((Bananas(), "gp"), (WeakNAS(predictor="trees"), "trees"), ("random", "auto")):
        assert predictor_of(Study(None, SPACE, strategy, made_up)) == name


def labelled(n: int, name: str = "trees") -> Labelled:
    archs = SPACE.sample(n, np.random.default_rng(0))
    return Labelled(SPACE, archs.genes, np.array([made_up(arch) for arch in archs]), name, 0)


def test_scores_are_in_the_unit_of_the_results_and_tiers_are_cut_by_their_edges():
    found, truth = score(labelled(120), None), np.array([made_up(arch) for arch in SPACE.enumerate()])
    assert found.name == "trees"
    assert kendall_tau(found.score, truth) > 0.6
    assert abs(np.median(found.score) - np.median(truth)) < 3
    assert np.ptp(found.score) == pytest.approx(np.ptp(truth), rel=0.5)
    assert (found.tier == (found.edges[None] > found.score[:, None]).sum(1)).all()
    assert np.abs(np.bincount(found.tier, minlength=5) / len(truth) - 0.2).max() < 0.02


def test_tiers_are_fifths_of_the_map_whatever_was_evaluated():
    """Of the best 50 alone a predictor with tiers of its own learns; nearly all others are worse than all of these."""
    archs = SPACE.enumerate()
    best = archs[np.argsort([-made_up(arch) for arch in archs])[:50]]
    found = score(Labelled(SPACE, best.genes, np.array([made_up(arch) for arch in best]), "tier", 0), None)
    assert np.bincount(found.tier, minlength=5).max() < 0.3 * len(archs)


def test_boosted_trees_take_more_labels_than_auto_is_made_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tierwise.navigator.scoring.MOST_LABELS", 30)
    assert fitted(labelled(31, "auto"))[1] == "trees"


@example(np.array([0.0, 0.0, 0.0, 5e-324]), 0)
@example(np.array([0.0, 2e-308, 4e-308, 50.0]), 1)
@given(arrays(np.float64, st.integers(4, 40), elements=st.floats(-50, 50)), st.integers(0, 99))
def test_a_scale_keeps_the_order(scores: np.ndarray, seed: int):
    y = np.random.default_rng(seed).normal(size=len(scores))
    scale, asked = Scale.of(scores, y), np.linspace(-80, 80, 200)
    found = scale(asked)
    assert np.isfinite(found).all()
    assert (np.diff(found) >= 0).all()
    assert (scale.spread(asked, np.ones(200)) >= 0).all()


def test_a_scale_gives_labels_back_and_goes_on_beyond_them():
    y = np.linspace(60, 90, 21)
    scale = Scale.of(np.linspace(-1, 1, 21), y)
    assert scale(np.linspace(-1, 1, 21)) == pytest.approx(y)
    assert scale(np.array([1.5])) == pytest.approx([97.5])
    assert scale(np.array([-2.0])) == pytest.approx([45])
    assert scale.spread(np.array([0.0]), np.array([0.1])) == pytest.approx([1.5])
    assert np.isnan(scale.spread(np.array([0.0]), np.array([np.nan])))


def until_predicted(navigator: Navigator) -> None:
    """Look until a process has worked out predictions, and what would have been predicted before."""
    limit = time.monotonic() + 200
    while navigator.predictions.scores is None or len(navigator.predictions.before) < 15:
        assert time.monotonic() < limit, navigator.predictions.error
        time.sleep(0.1)
        navigator.refresh()


def test_predictions_come_from_a_process_of_their_own():
    study = Study(None, SPACE, WeakNAS(predictor="trees"), made_up)
    study.run(25)
    navigator = Navigator(study)
    until_predicted(navigator)
    described, before = navigator.columns.described, navigator.predictions.before
    assert described["predicted"].known == described["tier"].known == 15_625
    assert set(before) == set(range(10, 25))  # nothing is foretold of the first ten
    study.run(29)  # told after what was learnt from 25
    navigator.refresh()
    shares = navigator.predictions.scores.score
    for k in range(25, 29):
        value = shares[navigator.record.place(k)]
        assert before[k] == pytest.approx((shares < value).mean(), abs=1e-9)
    state = navigator.state()
    assert state.predictor is not None
    assert (state.predictor.name, state.predictor.labels) == ("trees", 25)
    done, y = navigator.record.done, navigator.record.y
    tau = kendall_tau(np.array([before[k] for k in done[10:]]), y[10:])
    assert state.predictor.tau == pytest.approx(tau)
    row = navigator.trials()[3].row
    near = neighbours(navigator, navigator.arch(row=row)).rows
    assert len(near) == 24
    assert [each.predicted for each in near] == sorted((each.predicted for each in near), reverse=True)
    own = navigator.columns.values["predicted"]
    for each in near:
        assert each.predicted == own[each.row]
        assert each.gain == pytest.approx(own[each.row] - own[row])
    why = explanation(navigator, navigator.arch(row=row))
    assert 0 < len(why.rows) <= 12
    assert [abs(each.effect) for each in why.rows] == sorted((abs(each.effect) for each in why.rows), reverse=True)
    facts = arch_facts(navigator, navigator.arch(row=row))
    assert facts.percentile == pytest.approx(100 * (own <= own[row]).mean())
    assert facts.trial == 4
    assert facts.allowed == ["evaluated: trial 4"]
    navigator.close()


def test_agreement_is_kendalls_tau_with_an_interval():
    rng = np.random.default_rng(0)
    y = rng.normal(size=120)
    predicted = y + rng.normal(size=120)
    found = agreement(predicted, y, 0)
    assert found is not None
    tau, low, high = found
    assert tau == pytest.approx(kendall_tau(predicted, y))
    again = [kendall_tau(predicted[rows], y[rows]) for rows in (rng.integers(0, 120, 120) for _ in range(300))]
    assert (low, high) == pytest.approx(tuple(np.quantile(again, (0.025, 0.975))), abs=0.05)
    assert agreement(predicted[:9], y[:9], 0) is None
    assert agreement(np.zeros(20), y[:20], 0) is None


def test_an_explanation_needs_predictions(start: Start):
    navigator = start(5)
    with pytest.raises(Exception, match="after 10 results"):
        explanation(navigator, navigator.arch(row=0))
