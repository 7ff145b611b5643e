"""The default predictor: better than baselines and members, on every kind of space, with inputs good and bad."""

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau, norm

pytest.importorskip("torch", reason="torch is not installed: pip install 'tierwise[torch]'")
pytest.importorskip("lightgbm", reason="lightgbm is not installed: pip install 'tierwise[trees]'")

from tests.small_spaces import Costed, Flat, Unordered, tiny
from tests.spaces.test_declared import FILES, declared
from tierwise import registry
from tierwise.benchmarks.own import load
from tierwise.encodings.columns import Columns
from tierwise.encodings.paths import LivePaths
from tierwise.errors import BadSetting, NotFitted
from tierwise.predictor import RepeatedLabels
from tierwise.predictors import additive_process, auto
from tierwise.predictors.auto import Auto
from tierwise.predictors.boosted_trees import BoostedTrees
from tierwise.spaces.darts import DARTS
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.spaces.natsbench_size import NATSBenchSize

SPACE = NASBench201()
CELLS = SPACE.enumerate()
EXAMPLES = Path(__file__).parents[2] / "examples"


def tau(one, other):
    return float(kendalltau(one, other).statistic)


def drawn(n, draw):
    return np.random.default_rng([777, draw]).permutation(SPACE.size)[:n]


@pytest.fixture(scope="module")
def accuracy():
    return registry.make("benchmark", "nasbench201").expected("accuracy")


@pytest.fixture(scope="module")
def fitted(accuracy):
    """Three predictors with 78 labels, and two with 20."""
    draws = [(78, 0), (78, 1), (78, 2), (20, 0), (20, 1)]
    return {draw: Auto().fit(CELLS[drawn(*draw)], accuracy[drawn(*draw)]) for draw in draws}


@pytest.fixture(scope="module")
def one(fitted):
    return fitted[78, 0]


def truth(archs):
    """What depends on every choice, and on what the network costs where that is known."""
    options = np.random.default_rng(5).normal(size=(archs.shape[1], 16))
    of_genes = np.where(archs.genes < 0, 0, options[np.arange(archs.shape[1]), archs.genes]).sum(1)
    try:
        costs = np.log1p(archs.space.totals(archs)[:, 0])
    except BadSetting:
        return of_genes
    return of_genes + 2 * (costs - costs.mean()) / (costs.std() or 1.0)


def spread_over(space, n, seed=0):
    """Architectures to learn from, and others."""
    archs = space.sample(n + 300, np.random.default_rng(seed))
    return archs[:n], archs[n:]


@pytest.mark.parametrize(("labels", "least"), [(20, 0.69), (78, 0.83)])
def test_beats_costs_and_trees_and_its_worst_member(fitted, accuracy, labels, least):
    seen = []
    for (n, draw), predictor in fitted.items():
        if n == labels:
            columns = predictor._columns(CELLS)
            members = [predictor.process_.predict(columns), *(m.predict(CELLS) for m in predictor.members_)]
            trees = BoostedTrees().fit(CELLS[drawn(n, draw)], accuracy[drawn(n, draw)]).predict(CELLS)
            worst = min(tau(said, accuracy) for said in members)
            seen.append([tau(predictor.predict(CELLS), accuracy), worst, tau(trees, accuracy)])
    own, worst, trees = np.mean(seen, axis=0)
    flops, params = (tau(cost, accuracy) for cost in SPACE.totals(CELLS).T)
    assert own > max(least, worst, trees + 0.01, flops, params)


def test_nine_of_ten_labels_lie_in_the_interval_of_nine_tenths(fitted, accuracy):
    covered = []
    for (n, draw), predictor in fitted.items():
        if n == 78:
            rest = np.setdiff1d(np.arange(SPACE.size), drawn(n, draw))
            score, std = predictor.predict(CELLS[rest], return_std=True)
            place = np.searchsorted(np.sort(accuracy[drawn(n, draw)]), accuracy[rest])
            z = norm.ppf(np.clip(place, 0.5, n - 0.5) / n) / norm.ppf((np.arange(n) + 0.5) / n).std()
            covered.append((np.abs(z - score) < norm.ppf(0.95) * std).mean())
    assert 0.75 < np.mean(covered) < 0.98


def test_tiers_follow_the_scores_and_chances_sum_to_one(one):
    score, tier, chance = one.predict(CELLS), one.predict_tier(CELLS), one.predict_tier_proba(CELLS)
    assert (np.diff(tier[np.argsort(-score)]) >= 0).all()
    assert set(tier) == set(range(5))
    assert chance.shape == (SPACE.size, 5)
    np.testing.assert_allclose(chance.sum(1), 1)
    assert (chance.argmax(1) == tier).mean() > 0.6


def test_any_number_of_threads_and_chunks_gives_equal_scores(one, monkeypatch):
    some = CELLS[::3]
    whole = one.predict(some, return_std=True)
    for threads, rows in [(1, 8_192), (4, 700)]:
        monkeypatch.setattr(auto.os, "cpu_count", lambda threads=threads: threads)
        monkeypatch.setattr(auto, "_ROWS", rows)
        for expected, again in zip(whole, one.predict(some, return_std=True), strict=True):
            np.testing.assert_allclose(again, expected, atol=1e-4)
    assert one.predict(CELLS[:0]).shape == (0,)


@pytest.mark.parametrize("kind", FILES)
def test_learns_declared_spaces_of_every_kind(kind, tmp_path):
    archs, rest = spread_over(declared(kind, tmp_path), 40)
    assert tau(Auto().fit(archs, truth(archs)).predict(rest), truth(rest)) > 0.6


def test_learns_widths():
    archs, rest = spread_over(NATSBenchSize(), 40)
    assert tau(Auto().fit(archs, truth(archs)).predict(rest), truth(rest)) > 0.55


def test_learns_what_cells_of_darts_cost():
    archs, rest = spread_over(DARTS(), 40)
    known, hidden = (part.space.totals(part)[:, 0] for part in (archs, rest))
    predictor = Auto(encodings=("paths", "onehot", "flops", "params"))  # no network is trained beforehand
    assert tau(predictor.fit(archs, known).predict(rest), hidden) > 0.4


def test_learns_a_table_of_ones_own():
    data = load(EXAMPLES / "own_table.toml", EXAMPLES / "own_table.csv")
    archs = data.space.enumerate()
    accuracy, chosen = data.metrics["accuracy"], np.random.default_rng(0).permutation(len(archs))[:20]
    assert tau(Auto().fit(archs[chosen], accuracy[chosen]).predict(archs), accuracy) > 0.5


ONE_CHOICE = 'kind = "sizes"\nstages = [{widths = [4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48], depths = [1]}]'


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("one choice", 4),
        ("one choice", 10),
        ("no costs", 4),
        ("too many paths", 4),
        ("no paths", 4),
        ("no paths", 10),
        ("eighty choices", 4),
        ("eighty choices", 10),
    ],
)
def test_odd_spaces_are_scored(name, labels, tmp_path):
    spaces = {"no costs": tiny(), "too many paths": tiny(15), "no paths": Unordered(), "eighty choices": Flat()}
    space = declared("one", tmp_path, ONE_CHOICE) if name == "one choice" else spaces[name]
    archs = space.sample(300, np.random.default_rng(0))
    known = archs[np.sort(np.unique(archs.keys(), return_index=True)[1])[:labels]]
    predictor = Auto().fit(known, truth(known))
    score, std = predictor.predict(archs, return_std=True)
    assert np.isfinite(score).all()
    assert len(np.unique(score)) > 1
    assert (std > 0).all()
    if name != "eighty choices":  # whose graphs show the first of them alone
        plain = tuple(each for each in predictor.encodings_ if not each.startswith("pretrained"))
        first = "paths" if name in ("one choice", "no costs") else "onehot"
        assert plain[0] == first
        assert set(plain) <= {first, "params", "flops"}, "of a declared space costs are counted"


def test_a_space_of_too_many_paths_has_no_path_counts():
    with pytest.raises(BadSetting, match="paths"):
        LivePaths().transform(tiny(15).sample(100, np.random.default_rng(0)))


def test_an_input_that_is_equal_for_all_labels_is_passed_over():
    space = tiny()
    archs = space.enumerate()
    told = Columns.of(space, {"a": (np.arange(space.size) == 124).astype(float)})
    predictor = Auto(inputs=(told,)).fit(archs[:100:20], truth(archs[:100:20]))
    assert predictor.encodings_ == ("paths",)
    assert np.abs(predictor.predict(archs)).max() < 20


def test_a_large_number_of_labels_is_learnt_from_a_part_of_them(monkeypatch):
    monkeypatch.setattr(additive_process, "_MOST", 60)
    monkeypatch.setattr(additive_process, "_MOST_STD", 100)
    archs, rest = spread_over(SPACE, 150)
    score, std = Auto().fit(archs, truth(archs)).predict(rest, return_std=True)
    assert tau(score, truth(rest)) > 0.6
    assert (std > 0).all()


def numbers(accuracy, noise, absent=0.0):
    """A recorded input with this much noise, some of it not recorded."""
    rng = np.random.default_rng(6)
    order = norm.ppf((np.argsort(np.argsort(accuracy)) + 0.5) / len(accuracy))
    column = order + noise * rng.normal(size=len(accuracy))
    return Columns.of(SPACE, {"recorded": np.where(rng.random(len(accuracy)) < absent, np.nan, column)})


@pytest.mark.parametrize("absent", [0.0, 0.05])
def test_an_input_that_carries_the_truth_is_used(accuracy, absent):
    chosen, told = drawn(40, 1), numbers(accuracy, 0.2, absent)
    predictor = Auto(inputs=(told,)).fit(CELLS[chosen], accuracy[chosen])
    assert told in predictor.encodings_
    assert tau(predictor.predict(CELLS), accuracy) > 0.82  # 0.78 without it


def test_an_input_of_noise_is_not_used(one, accuracy):
    chosen = drawn(78, 0)
    columns = {name: np.random.default_rng(k).normal(size=SPACE.size) for k, name in enumerate("ab")}
    noise = tuple(Columns.of(SPACE, {name: column}) for name, column in columns.items())
    predictor = Auto(inputs=noise).fit(CELLS[chosen], accuracy[chosen])
    assert predictor.encodings_ == one.encodings_
    assert tau(predictor.predict(CELLS), accuracy) > tau(one.predict(CELLS), accuracy) - 0.01


def test_labels_added_later_rank_as_well_as_all_at_once(one, accuracy):
    chosen = drawn(78, 0)
    later = Auto().fit(CELLS[chosen[:60]], accuracy[chosen[:60]])
    before, encodings, weights = tau(later.predict(CELLS), accuracy), later.encodings_, later.mixture_.weights
    assert later.partial_fit(CELLS[chosen[60:]], accuracy[chosen[60:]]) is later
    assert later.encodings_ == encodings
    assert (later.mixture_.weights == weights).all()
    assert tau(later.predict(CELLS), accuracy) > max(before, tau(one.predict(CELLS), accuracy) - 0.01)


def test_labels_cannot_be_added_to_nothing_to_another_space_or_to_a_file(tmp_path):
    small = tiny(cls=Costed)
    archs = small.enumerate()[::20]
    with pytest.raises(NotFitted, match="call fit"):
        Auto().partial_fit(archs, truth(archs))
    predictor = Auto().fit(archs, truth(archs))
    with pytest.raises(BadSetting, match="space = .nasbench201.*allowed: tiny"):
        predictor.partial_fit(CELLS[:5], np.arange(5))
    with pytest.raises(BadSetting, match="labels"):
        predictor.partial_fit(archs[:2], [1.0, np.nan])
    predictor.save(tmp_path / "saved.npz")
    with pytest.raises(BadSetting, match="from a file"):
        Auto.load(tmp_path / "saved.npz").partial_fit(archs, truth(archs))


def test_a_saved_one_reads_its_inputs_from_their_file(tmp_path):
    space = tiny(cls=Costed)
    archs, path = space.enumerate(), tmp_path / "recorded.csv"
    recorded = np.random.default_rng(0).permutation(space.size)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["architecture", "a"], *zip(map(str, archs), recorded, strict=True)])
    known = archs[::5]
    predictor = Auto(inputs=(f"columns:{path}",)).fit(known, recorded[::5])
    assert predictor.encodings_ == ("paths", f"columns:{path}")
    assert tau(predictor.predict(archs), recorded) > 0.9
    predictor.save(tmp_path / "saved.npz")
    again = Auto.load(tmp_path / "saved.npz")
    for expected, read in zip(predictor.predict(archs, True), again.predict(archs, True), strict=True):
        np.testing.assert_allclose(read, expected, atol=1e-5)


def test_numbers_in_memory_cannot_be_saved(tmp_path):
    space = tiny()
    archs = space.enumerate()[::30]
    told = Columns.of(space, {"a": np.arange(space.size)})
    with pytest.raises(BadSetting, match="file"):
        Auto(encodings=("onehot",), inputs=(told,)).fit(archs, np.arange(5)).save(tmp_path / "saved.npz")
    assert not list(tmp_path.iterdir())


def test_equal_labels_two_values_and_repeated_rows(accuracy):
    chosen = drawn(40, 1)
    score, std = Auto().fit(CELLS[chosen], np.ones(40)).predict(CELLS, return_std=True)
    assert np.isfinite(score).all()
    assert (std > 0).all()
    two = Auto().fit(CELLS[chosen], accuracy[chosen] > np.median(accuracy[chosen]))
    assert tau(two.predict(CELLS), accuracy) > 0.5
    twice = np.tile(chosen[:9], 2)
    with pytest.warns(RepeatedLabels):
        repeated = Auto().fit(CELLS[twice], np.concatenate([accuracy[chosen[:9]] - 1, accuracy[chosen[:9]] + 1]))
    once = Auto().fit(CELLS[chosen[:9]], accuracy[chosen[:9]])
    np.testing.assert_allclose(repeated.predict(CELLS), once.predict(CELLS), atol=1e-5)


def test_ranks_the_space_from_the_best_of_a_search(accuracy):
    tried = drawn(600, 1)
    best = tried[np.argsort(-accuracy[tried])[:60]]
    assert tau(Auto().fit(CELLS[best], accuracy[best]).predict(CELLS), accuracy) > 0.1


def test_wrong_settings_are_refused():
    archs = CELLS[:20]
    with pytest.raises(BadSetting, match="n_tiers"):
        Auto(n_tiers=0).fit(archs, np.arange(20))
    with pytest.raises(BadSetting, match="encodings"):
        Auto(encodings=()).fit(archs, np.arange(20))
    with pytest.raises(NotFitted):
        Auto().predict(archs)
