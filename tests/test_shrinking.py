"""Shrinking a space: the rule of tiers by hand, what all ways have in common, and the real table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.small_spaces import Flat, Grid, Unordered, tiny
from tierwise import load_space, make, registry, save_space, shrink
from tierwise.architecture import Architectures
from tierwise.errors import BadSetting, UnknownName
from tierwise.locality import autocorrelation
from tierwise.reduction import reduced_space
from tierwise.shrinking import WAYS, Shrinkage
from tierwise.space import Space
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.spaces.subset import Subset, part

TINY = 'kind = "edges"\nnodes = 3\nops = ["none", "skip", "conv1x1", "conv3x3", "pool"]\n'
TINY += 'zero = "none"\nidentity = "skip"\nshared = ["pool"]\n'


class Planted:
    """Scores by the number of options "c" or "d" in three places, and a little by a "d" in the first."""

    def __init__(self, best: int | None = None):
        self.best = best

    def fit(self, archs: Architectures, y: Any) -> Planted:
        return self

    def predict(self, archs: Architectures) -> Any:
        return (archs.genes[:, :3] >= 2).sum(1).astype(float) + 0.1 * (archs.genes[:, 0] == 3)


class Tiered(Planted):
    """The first so many with "c" or "d" in the first two places are the best tier."""

    def predict_tier(self, archs: Architectures) -> Any:
        tiers = np.ones(len(archs), dtype=np.int64)
        tiers[np.flatnonzero((archs.genes[:, :2] >= 2).all(1))[: self.best]] = 0
        return tiers


def labelled(space: Space, n: int = 30) -> tuple[Architectures, Any]:
    archs = space.sample(n, np.random.default_rng(1))
    return archs, np.random.default_rng(2).normal(size=n)


def kept(space: Space) -> list[list[int]]:
    return [np.flatnonzero(row).tolist() for row in space.allowed]


# ---- the rule of tiers ---------------------------------------------------------------------------------


def use(monkeypatch: pytest.MonkeyPatch, planted: Any) -> str:
    """Under a name of its own each time, because fitted predictors are remembered."""
    monkeypatch.setattr(registry, "make", lambda kind, name, **given: planted)
    return f"planted {id(planted)}"


def test_options_that_the_best_tier_lacks_are_gone(monkeypatch: pytest.MonkeyPatch):
    name = use(monkeypatch, Tiered())
    smaller = shrink(Grid(), *labelled(Grid()), predictor=name)
    assert kept(smaller) == [[2, 3], [2, 3], [0, 1, 2, 3], [0, 1, 2, 3]]


def test_shares_are_those_of_a_count_by_hand(monkeypatch: pytest.MonkeyPatch):
    space, planted = Grid(), Planted()
    name = use(monkeypatch, planted)
    every = [tuple(map(int, genes)) for genes in space.enumerate().genes]
    score = {x: sum(g >= 2 for g in x[:3]) + 0.1 * (x[0] == 3) for x in every}
    best = sorted(every, key=score.__getitem__, reverse=True)[:50]  # without tiers: fifty of 256
    for keep in (0.05, 0.3, 0.6, 0.95, 1.0):
        least = (1 - keep) / 4  # each option is in a quarter of the space
        wanted = [[o for o in range(4) if sum(x[g] == o for x in best) / 50 >= least] for g in range(4)]
        assert kept(shrink(space, *labelled(space), keep=keep, predictor=name)) == wanted
    assert wanted == [[0, 1, 2, 3]] * 4


def test_a_best_tier_of_a_few_is_filled_up_by_score(monkeypatch: pytest.MonkeyPatch):
    archs, y = labelled(Grid())
    by_score = shrink(Grid(), archs, y, predictor=use(monkeypatch, Planted()))
    assert shrink(Grid(), archs, y, predictor=use(monkeypatch, Tiered(best=1))) == by_score


def test_options_that_do_not_go_together_never_empty_a_listed_space(monkeypatch: pytest.MonkeyPatch):
    space = Unordered()

    class Widest(Planted):
        def predict(self, archs: Architectures) -> Any:
            return np.sort(archs.genes, axis=1) @ np.array([1.0, -1.0, 1.0, -1.0])

    smaller = shrink(space, *labelled(space), keep=0.01, predictor=use(monkeypatch, Widest()))
    assert 1 <= smaller.size < space.size
    assert space.contains(smaller.enumerate()).all()


# ---- what all ways have in common ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("declared") / "tiny.toml"
    path.write_text(TINY)
    assert load_space(path) == tiny()
    return path


@settings(max_examples=15, deadline=None)
@given(by=st.sampled_from(sorted(WAYS)), keep=st.floats(0.01, 1.0), seed=st.integers(0, 99), again=st.booleans())
def test_what_is_left_is_inside_and_opens_as_it_was_saved(
    declared: Path, by: str, keep: float, seed: int, again: bool
) -> None:
    space = load_space(declared)
    rng = np.random.default_rng(seed)
    archs = space.sample(40, rng).unique()
    y = archs.genes @ rng.normal(size=3) + rng.normal(size=len(archs))
    given: dict[str, Any] = {"predictor": "gp", "seed": seed}
    smaller = shrink(space, archs, y, by=by, keep=keep, **given)
    if again:
        smaller = shrink(smaller, archs, y, by="tiers", **given)
    assert 1 <= smaller.size <= space.size
    assert smaller.enumerate().isin(space.enumerate()).all()
    assert smaller == shrink(smaller, archs, np.ones(len(archs)), by=by, **given)
    file = declared.with_name("smaller.toml")
    save_space(smaller, file, declared)
    opened = load_space(file)
    assert opened == smaller
    assert opened.enumerate().genes.tolist() == smaller.enumerate().genes.tolist()
    assert smaller.contains(opened.mutate(opened.sample(20, rng), rng)).all()


@pytest.mark.parametrize("by", WAYS)
def test_a_space_too_large_to_list_is_shrunk_too(by: str):
    space = Flat()
    archs = space.sample(40, np.random.default_rng(0))
    y = archs.genes[:, :4].sum(1).astype(float)
    smaller = shrink(space, archs, y, by=by, predictor="gp")
    found = Shrinkage.of(space, smaller, archs, y, predictor="gp")
    assert found.size == (space.size, smaller.size)
    assert smaller.size < space.size
    assert found.predicted[1] > found.predicted[0]
    assert space.contains(smaller.sample(100, np.random.default_rng(1))).all()


@pytest.mark.parametrize("by", WAYS)
def test_equal_labels_shrink_nothing(by: str):
    space = tiny()
    assert shrink(space, space.enumerate()[:30], np.ones(30), by=by) is space


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"by": "tier"}, 'did you mean "tiers"'),
        ({"keep": 0.0}, "more than 0 and up to 1.0"),
        ({"keep": 1.1, "by": "lissnas"}, "more than 0 and up to 1.0"),
        ({"n": 9}, "at least 10 labelled"),
        ({"n": 19, "by": "ranknas"}, "at least 20 labelled"),
    ],
    ids=str,
)
def test_what_cannot_be_shrunk_by(given: dict[str, Any], said: str):
    archs, y = labelled(Grid(), given.pop("n", 30))
    with pytest.raises((BadSetting, UnknownName), match=said):
        shrink(Grid(), archs, y, **given)


# ---- lost and gained -----------------------------------------------------------------------------------


def test_lost_and_gained_are_those_of_a_count_by_hand(monkeypatch: pytest.MonkeyPatch):
    space = Grid()
    name = use(monkeypatch, Planted())
    smaller = space.narrow("layer/0", ["a", "b"]).narrow("layer/3", ["a"])
    archs, y = space.at([0, 200]), [1.0, 2.0]  # 200: option d first
    column = np.arange(256.0)
    column[5] = np.nan
    found = Shrinkage.of(space, smaller, archs, y, predictor=name, columns={"a column": column})
    assert found.size == (256, 32)
    assert not found.best_kept
    assert Shrinkage.of(space, smaller, archs, [2.0, 1.0], predictor=name).best_kept
    assert found.predicted == pytest.approx((3 * 0.5 + 0.1 / 4, 2 * 0.5))
    assert found.differing == pytest.approx((3 / 4, (1 / 2 + 3 / 4 + 3 / 4 + 0) / 4), abs=0.02)
    inside = [k for k in range(256) if k < 128 and k % 4 == 0]
    one = found.recorded["a column"]
    assert one.mean == pytest.approx((np.nanmean(column), np.mean(inside)))
    assert one.rank == 1 + sum(k > 124 for k in range(256))
    near = autocorrelation(space, Planted().predict, np.random.default_rng(0), 3)
    assert found.autocorrelation == pytest.approx(near.tolist())
    assert 0 < found.rank_distance[0] < found.rank_distance[2] < 0.4


def test_the_best_network_may_be_kept_in_other_genes():
    space = tiny()  # an edge that leads nowhere: whatever stands on the others is the same network
    dead = Architectures(space, np.array([[0, 3, 1], [0, 3, 2], [2, 2, 2]]))
    assert len(np.unique(space.canonical(dead))) == 2
    smaller = part(space, dead[[0, 2]])
    archs = space.at(np.arange(60, 80))
    archs = Architectures(space, np.concatenate([archs.genes, dead.genes[[1]]]))
    assert Shrinkage.of(space, smaller, archs, np.arange(21.0), predictor="gp").best_kept
    narrowed = space.narrow("cell/1-2", [space.choices[2].options[1]])
    assert Shrinkage.of(space, narrowed, archs, np.arange(21.0), predictor="gp").best_kept


@pytest.mark.parametrize("by", WAYS)
def test_what_is_left_of_the_real_space_is_smaller_and_better(by: str):
    data = make("benchmark", "nasbench201", dataset="cifar10")
    accuracy = data.expected("accuracy")
    archs = data.space.sample(100, np.random.default_rng(0))
    y = accuracy[data.space.index(archs)]
    smaller = shrink(data.space, archs, y, by=by, predictor="gp")
    found = Shrinkage.of(data.space, smaller, archs, y, predictor="gp", columns={"accuracy": accuracy})
    print(by, found)
    assert found.size[1] <= found.size[0] / 5
    assert found.best_kept
    assert found.predicted[1] > found.predicted[0]
    assert found.recorded["accuracy"].mean[1] > found.recorded["accuracy"].mean[0] + 1
    assert found.recorded["accuracy"].rank <= 10
    assert found.differing[1] < found.differing[0]


def test_the_example_of_the_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    section = (Path(__file__).parents[1] / "docs" / "guide.md").read_text().partition("## Shrink a space")[2]
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(section.partition("```python\n")[2].partition("```")[0], names)  # noqa: S102  our own guide
    assert names["inside"].space == names["smaller"]


def test_the_published_ways_are_those_of_the_strategies():
    space = NASBench201()
    archs = space.sample(40, np.random.default_rng(3))
    y = (archs.genes[:, 0] == 3) + 0.1 * (archs.genes[:, 1] == 2)
    assert shrink(space, archs, y, by="ranknas", predictor="gp") == reduced_space(space, archs, y, predictor="gp")
    left = shrink(space, archs, y, by="lissnas", predictor="gp")
    assert isinstance(left, Subset)
    assert len(np.unique(space.canonical(left.enumerate()))) == left.size
