"""Reducing a space to the choices that matter, and searching what is left."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.small_spaces import Flat, Unordered, tiny
from tests.strategies.stand_ins import regrets, use_ridge
from tierwise import Study
from tierwise.architecture import Architectures, Graphs
from tierwise.errors import BadSetting
from tierwise.reduction import choice_importance, pairwise_accuracy, reduced_space, unimportant
from tierwise.space import Choice, Space
from tierwise.spaces.listed import Listed
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.strategies.random import Random
from tierwise.strategies.ranknas import RankNAS
from tierwise.testing import check_strategy


class Exclusive(Listed):
    """Two switches of which at most one is on, and a choice of five."""

    def __init__(self) -> None:
        on = ("off", "on")
        super().__init__("exclusive", [Choice("a", on), Choice("b", on), Choice("c", tuple("vwxyz"))])

    def _members(self) -> Any:
        return np.array([(a, b, c) for a, b in ((0, 0), (0, 1), (1, 0)) for c in range(5)], dtype=np.int16)

    def graphs(self, archs: Architectures) -> Graphs:
        return Graphs(np.ones((len(archs), 1), np.uint8), np.zeros((len(archs), 1, 1), np.uint8), ("node",))

    def canonical(self, archs: Architectures) -> Any:
        a, b, c = archs.genes.T.astype(np.int64)
        return np.where((a & b) == 1, 0, 1 + a + 2 * b + 4 * c).astype(np.uint64)


def two_matter(genes: Any) -> Any:
    """Choices 0 and 3 matter; of 5, option 2 is better by a little; the others do not."""
    genes = np.asarray(genes)
    option, by_edge = genes[..., 3] % 3, genes[..., 0]
    return 10.0 * by_edge + 6.0 * option + 0.01 * (genes[..., 5] == 2)


def free(space: Space) -> list[int]:
    return np.flatnonzero(space.allowed.sum(1) > 1).tolist()


@pytest.mark.parametrize("space", [NASBench201(), Flat(), Unordered(), tiny()], ids=repr)
def test_conforms(space: Any, monkeypatch: pytest.MonkeyPatch):
    use_ridge(monkeypatch, "ranker")
    check_strategy(lambda: RankNAS(predictor="ranker", first=20, draws=400), space, trials=40)


def test_conforms_with_trees_of_pairs():
    check_strategy(lambda: RankNAS(first=20), tiny(), trials=30)


def test_what_matters_stays_free_and_the_rest_is_frozen_at_its_best(monkeypatch: pytest.MonkeyPatch):
    use_ridge(monkeypatch, "sums")
    space = NASBench201()
    archs = space.sample(80, np.random.default_rng(0))
    importance = choice_importance(archs, two_matter(archs.genes), predictor="sums")
    assert importance[[0, 3]].min() > 0.05
    assert np.abs(importance[[1, 2, 4, 5]]).max() < 0.01
    smaller = reduced_space(space, archs, two_matter(archs.genes), predictor="sums")
    assert free(smaller) == [0, 3]
    assert np.flatnonzero(smaller.allowed[5]).tolist() == [2]
    assert smaller.size == 25
    assert space.size == 15_625


def test_the_importance_of_the_only_choice_that_matters(monkeypatch: pytest.MonkeyPatch):
    use_ridge(monkeypatch, "alone")
    archs = NASBench201().sample(400, np.random.default_rng(1))
    importance = choice_importance(archs, archs.genes[:, 0].astype(np.float64), predictor="alone")
    # all pairs are right before; once exchanged, the score of either is any of five: half of the pairs are
    np.testing.assert_allclose(importance, [0.5, 0, 0, 0, 0, 0], atol=0.05)


def test_pairwise_accuracy_and_shares_by_hand():
    y = np.array([1.0, 2.0, 3.0, 3.0])  # five pairs differ
    assert pairwise_accuracy(np.array([[1.0, 2.0, 3.0, 4.0]]), y) == 1.0
    assert pairwise_accuracy(np.array([[1.0, 3.0, 2.0, 3.0]]), y) == pytest.approx(3.5 / 5)
    assert pairwise_accuracy(np.zeros((1, 2)), np.ones(2)) == 0.5
    importance = np.array([0.5, 0.05, 0.3, -0.2, 0.15])
    assert unimportant(importance, 0.95).tolist() == [3, 1]
    assert unimportant(importance, 0.8).tolist() == [3, 1, 4]
    assert unimportant(importance, 1.0).tolist() == [3]
    assert unimportant(-importance * 0, 0.5).tolist() == []


def test_equal_labels_reduce_nothing(monkeypatch: pytest.MonkeyPatch):
    use_ridge(monkeypatch, "equal")
    archs = NASBench201().sample(20, np.random.default_rng(2))
    assert reduced_space(archs.space, archs, np.ones(20), predictor="equal") == archs.space


def test_a_listed_space_is_never_emptied(monkeypatch: pytest.MonkeyPatch):
    use_ridge(monkeypatch, "listed")
    space = Exclusive()
    archs = space.at(np.arange(30) % 15)  # some twice
    smaller = reduced_space(space, archs, archs.genes @ np.array([0.01, 0.02, 1.0]), predictor="listed", keep=0.5)
    assert free(smaller) == [2]
    assert sorted(smaller.enumerate().genes.tolist()) in [[[*ab, c] for c in range(5)] for ab in ([0, 1], [1, 0])]


def test_a_narrowed_space_stays_narrowed(monkeypatch: pytest.MonkeyPatch):
    use_ridge(monkeypatch, "narrowed")
    space = NASBench201()
    archs = space.sample(80, np.random.default_rng(3))
    steered = space.narrow(space.choices[5].path, space.choices[5].options[3:])
    smaller = reduced_space(steered, archs, two_matter(archs.genes), predictor="narrowed")
    assert not (smaller.allowed & ~steered.allowed).any()
    assert free(smaller) == [0, 3]


def test_the_search_uses_up_the_reduced_space_and_then_takes_the_whole(monkeypatch: pytest.MonkeyPatch):
    fits = use_ridge(monkeypatch, "search")
    space = NASBench201()
    strategy = RankNAS(predictor="search", first=60)
    with Study(None, space, strategy, lambda arch: float(two_matter(arch.genes)), seed=4) as study:
        study.run(110)
        trials, history = study.trials(), study.history()
    assert [t.why["step"] for t in trials] == ["random"] * 60 + [
        f"ranked on {n} labels" for n in range(60, 110, 10) for _ in range(10)
    ]
    paths = [c.path for c in space.choices]
    inside = [k for k in range(60, 110) if trials[k].why["free"] == [paths[0], paths[3]]]
    assert 5 <= len(inside) <= 25
    assert inside == list(range(60, 60 + len(inside)))
    frozen = history.archs.genes[inside][:, [1, 2, 4, 5]]
    assert (frozen == frozen[0]).all()
    assert frozen[0, 3] == 2
    assert all(t.why["free"] == paths for t in trials[60 + len(inside) :])
    assert fits == [48] * 5 + [60, 70, 80, 90, 100]  # the space is reduced once, the ranker learns anew


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"first": 5}, "first.*20 or more"),
        ({"keep": 0.0}, "keep.*up to 1"),
        ({"keep": 1.5}, "keep.*up to 1"),
        ({"draws": 1}, "draws.*2 or more"),
    ],
    ids=str,
)
def test_settings_outside_what_is_allowed(wrong: dict[str, Any], said: str):
    with pytest.raises(BadSetting, match=said):
        RankNAS(**wrong)


def test_what_a_space_cannot_be_reduced_by():
    archs = NASBench201().at(range(19))
    with pytest.raises(BadSetting, match="labels.*at least 20"):
        reduced_space(archs.space, archs, np.arange(19.0))
    with pytest.raises(BadSetting, match="keep.*up to 1"):
        reduced_space(archs.space, archs, np.arange(19.0), keep=2.0)


def test_it_beats_random_search():
    ours, random = (regrets(s, seeds=3, trials=80) for s in (RankNAS(), Random()))
    print("regret after 80 trials:", ours, "random:", random)
    assert max(ours) < min(random)
