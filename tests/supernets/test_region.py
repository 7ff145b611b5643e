"""Regions and their supernets: discrete networks, parameters, permutations, best paths, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tests.supernets.staged import digits, drawn, images, region, vectors
from tierwise.errors import BadArchitecture, BadSetting, TooLarge
from tierwise.evaluators.dataset import Arrays
from tierwise.networks.counting import built
from tierwise.supernets.inherited import inherited_scores
from tierwise.supernets.region import Region, best_paths
from tierwise.supernets.stages import StagedSupernet, memory_needed, supernet

SHAPES = {"vectors": (10,), "images": (3, 6, 6)}


def made(chosen: Region, seed: int = 0) -> StagedSupernet:
    return supernet(chosen, shape=SHAPES[chosen.space.name], classes=5, batch=8, seed=seed)


def inputs(chosen: Region, n: int = 8) -> torch.Tensor:
    return torch.randn(n, *SHAPES[chosen.space.name], generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("chosen", [drawn(vectors(), 3, 2), drawn(images(), 3, 2)], ids=repr)
def test_one_hot_weights_are_the_plain_network_with_the_same_weights(chosen: Region) -> None:
    net, x = made(chosen), inputs(chosen)
    for path in chosen.paths():
        (arch,) = chosen.archs(path[None])
        plain = chosen.space.build(arch, classes=5, shape=SHAPES[chosen.space.name])
        parts = [part for k, number in enumerate(path) for part in (net.before[k], net.candidate(k, int(number)))]
        plain.load_state_dict(nn.Sequential(*parts, net.end).state_dict())
        for training in (True, False):
            net.train(training)
            plain.train(training)
            assert torch.equal(net(x, net.one_hot(path.tolist())), plain(x))


def test_a_region_of_one_candidate_a_stage_is_the_plain_network() -> None:
    chosen = drawn(vectors(3), 1, 1, 1)
    net, x = made(chosen), inputs(chosen)
    plain, weights = net.discrete([0, 0, 0]), [torch.ones(1)] * 3
    assert torch.equal(net(x, weights), plain(x))
    assert [type(layer) for layer in plain] == [type(layer) for layer in plain_network(chosen)]
    assert (
        sum(p.numel() for p in net.parameters())
        == chosen.space.totals(chosen.archs(chosen.paths()), classes=5, shape=(10,))[0, 1]
    )


def plain_network(chosen: Region) -> Any:
    (arch,) = chosen.archs(chosen.paths())
    return chosen.space.build(arch, classes=5, shape=(10,))


def test_a_copy_does_not_change_with_the_supernet() -> None:
    chosen = drawn(vectors(), 2, 2)
    net, x = made(chosen), inputs(chosen)
    plain = net.discrete([1, 0]).eval()
    before = plain(x)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(1.0)
    assert torch.equal(plain(x), before)


@pytest.mark.parametrize("space", [vectors(3), images()], ids=repr)
def test_parameters_are_the_skeleton_and_the_sum_of_the_candidates(space: Any) -> None:
    chosen = drawn(space, *[4] * len(space.stages))
    shape = SHAPES[space.name]
    totals = space.totals(chosen.archs(np.stack([np.arange(4)] * len(space.stages), 1)), classes=5, shape=shape)[:, 1]
    skeleton = space._counted(shape, 5).skeleton[1]
    assert sum(p.numel() for p in made(chosen).parameters()) == skeleton + (totals - skeleton).sum()


def test_disconnected_graphs_are_legal() -> None:
    chosen = region(vectors(), ["- 4 linear relu", "01 4 linear relu"], ["02 16 linear tanh"])
    net, x = made(chosen), inputs(chosen)
    assert net(x, net.one_hot([0, 0])).isfinite().all()
    alone: Any = net.candidate(0, 0)
    assert sorted(alone[1].edges) == [(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4)]


def test_a_seed_makes_the_same_weights_and_takes_no_global_number() -> None:
    chosen = drawn(vectors(), 2, 2)
    before = torch.get_rng_state()
    one, two, other = made(chosen, 3), made(chosen, 3), made(chosen, 4)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_paths_are_architectures_and_all_of_them() -> None:
    chosen = drawn(vectors(3), 2, 3, 4)
    archs = chosen.archs(chosen.paths())
    assert chosen.size == len(archs) == len(archs.unique()) == 24
    texts = chosen.space.format(archs)
    stages = [choice.options for choice in chosen.choices]
    assert texts == [f"{a} | {b} | {c}" for a in stages[0] for b in stages[1] for c in stages[2]]


def test_memory_grows_with_the_sum_of_the_candidates_and_with_the_batch() -> None:
    both, batch = ["01 16 linear relu", "01 16 linear tanh"], 4096

    def needed(*stages: list[str], size: int = batch) -> float:
        chosen = region(vectors(len(stages)), *stages)
        sketch = built(lambda: StagedSupernet(chosen, (10,), 5))
        assert isinstance(sketch, StagedSupernet)
        return memory_needed(sketch, (10,), size)

    one, two, three = needed(both), needed(both, both), needed(both, both, both)
    assert three - two == pytest.approx(two - one)
    least = 3 * batch * 16 * 4 / 2**30  # of a candidate: three operations keep 16 numbers an input
    assert needed(both) - needed(both[:1]) > least
    assert (two - one) / 2 > least
    assert needed(both, size=2 * batch) == pytest.approx(2 * one, rel=0.05)


# ---- best paths ----------------------------------------------------------------------------------------

COMBINED = {"sum": np.sum, "mean": np.mean, "min": np.min}
SCORES = st.lists(st.lists(st.integers(-9, 9).map(float), min_size=1, max_size=4), min_size=1, max_size=4)


@given(SCORES, st.integers(1, 30), st.sampled_from(sorted(COMBINED)))
def test_the_best_paths_are_those_of_brute_force(scores: list[list[float]], count: int, how: str) -> None:
    columns = [np.array(own) for own in scores]
    every = np.stack(np.meshgrid(*columns, indexing="ij"), -1).reshape(-1, len(columns))
    wanted = np.sort([float(COMBINED[how](row)) for row in every])[::-1][:count]
    paths, found = best_paths(columns, count, lambda own: float(COMBINED[how](own)))
    np.testing.assert_allclose(found, wanted)
    assert len({tuple(path) for path in paths.tolist()}) == len(wanted)
    for path, score in zip(paths, found, strict=True):
        assert COMBINED[how]([own[k] for own, k in zip(columns, path, strict=True)]) == pytest.approx(score)


def test_the_best_paths_of_a_huge_region_are_found_at_once() -> None:
    columns = [np.linspace(0, 1, 50) * 3.0**-k for k in range(20)]
    paths, scores = best_paths(columns, 100, lambda own: float(own.sum()))
    assert (paths[0] == 49).all()
    assert scores[0] == pytest.approx(sum(column.max() for column in columns))
    assert (np.diff(scores) <= 0).all()


# ---- what is refused -----------------------------------------------------------------------------------


def test_a_region_too_large_for_memory_is_refused_before_it_is_built() -> None:
    chosen = drawn(images(), 4, 4)
    with pytest.raises(BadSetting, match=r"memory for <region of images: 4 x 4 candidates> = '0\.\d+ GiB'.*0\.01 GiB"):
        supernet(chosen, shape=(3, 32, 32), classes=10, batch=64, memory=0.01)
    huge = drawn(images(), 2, 2)
    with pytest.raises(BadSetting, match="fewer or narrower candidates, or batches of less than 100000000"):
        supernet(huge, shape=(3, 32, 32), classes=10, batch=100_000_000)


@pytest.mark.parametrize(
    ("candidates", "error", "said"),
    [
        ([[(0, 0, 0, 0, 0, 0)]], BadSetting, "each of 2 stages"),
        ([[], [(0, 0, 0, 0, 0, 0)]], BadSetting, "none empty"),
        ([[(0, 0, 0, 0)], [(0, 0, 0, 0, 0, 0)]], BadSetting, "stage 1.*rows of 6 genes"),
        ([[(0, 0, 0, 9, 0, 0)], [(0, 0, 0, 0, 0, 0)]], BadArchitecture, "stage1/width is 9"),
        ([[(1, 0, 0, 0, 0, 0), (0, 0, 1, 0, 0, 0)], [(0, 0, 0, 0, 0, 0)]], BadSetting, "all differ"),
    ],
    ids=["stage missing", "none", "short rows", "out of range", "isomorphic"],
)
def test_bad_regions_say_what_is_wrong(candidates: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        Region(
            vectors(),
            [np.array(rows, dtype=np.int16).reshape(len(rows), len(rows[0]) if rows else 6) for rows in candidates],
        )


def test_more_candidates_than_there_are_cannot_be_drawn_nor_too_many_paths_listed() -> None:
    with pytest.raises(BadSetting, match="candidates of stage 1"):
        drawn(vectors(1), 100)
    with pytest.raises(TooLarge):
        drawn(vectors(6), *[20] * 6).paths()


def test_shapes_that_do_not_fit_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    space = vectors()
    chosen = drawn(space, 2, 2)
    plain = type(space).stage_module

    def wrong(self: Any, stage: int, genes: Any, shape: Any) -> nn.Module:
        module = plain(self, stage, genes, shape)
        last = list(genes) == chosen.candidates[1][1].tolist()
        return nn.Sequential(module, nn.Linear(16, 3)) if stage == 1 and last else module

    monkeypatch.setattr(type(space), "stage_module", wrong)
    text = chosen.choices[1].options[1]
    with pytest.raises(BadSetting, match=rf"output of stage 2: {text}.*\(8, 3\).*\(8, 16\)"):
        made(chosen)
    with pytest.raises(BadSetting, match=rf"input of stage 2: {text} = \(8, 16, 2\)"):  # signals of length 2
        supernet(chosen, shape=(7, 2), classes=5, batch=8)


# ---- inherited weights ---------------------------------------------------------------------------------


def test_inherited_scores_are_the_losses_of_plain_networks_and_change_nothing() -> None:
    chosen, data = drawn(vectors(), 3, 2), digits(64, 100).validation
    assert isinstance(data, Arrays)
    net = supernet(chosen, shape=(64,), classes=10, batch=8)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    scores = inherited_scores(net, chosen.paths(), data)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    net.train()  # there is no dropout: this is batch norm on these data
    for path, score in zip(chosen.paths(), scores, strict=True):
        outputs = net(data.x, net.one_hot(path.tolist())).log_softmax(1)
        assert score == pytest.approx(float(outputs[torch.arange(100), data.y].mean().detach()), rel=1e-5)
    assert scores.std() > 1e-3
