from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from tierwise.architecture import Architectures
from tierwise.errors import BadArchitecture, BadSetting
from tierwise.networks.counting import counted
from tierwise.networks.stereo import likeliest, volume
from tierwise.spaces.stereo import NETS, StereoSpace
from tierwise.supernets.stereo import StereoSupernet
from tierwise.tasks.stereo import Stereo

SMALL = StereoSpace((2, 16, 16), 5)
PAIRS = torch.randn(3, 2, 16, 16, generator=torch.Generator().manual_seed(0))


@functools.cache
def supernet() -> StereoSupernet:
    return StereoSupernet(SMALL).eval()


def drawn(seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(len(c.options), generator=generator).softmax(0) for c in supernet().choices]


def some(n: int, seed: int = 0) -> Architectures:
    return SMALL.sample(n, np.random.default_rng(seed))


def test_costs_are_those_of_the_networks():
    archs = some(5)
    totals = SMALL.totals(archs)
    for arch, total in zip(archs, totals.tolist(), strict=True):
        assert counted(lambda arch=arch: SMALL.build(arch, classes=5, shape=SMALL.shape), SMALL.shape)[:2] == tuple(
            total
        )


def test_equal_keys_are_equal_networks_of_equal_cost():
    """A step beyond either end stays there; a cell is the convolutions on each of its two ways to the output."""
    every = SMALL.enumerate()
    keys, totals = SMALL.canonical(every), SMALL.totals(every)
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    np.testing.assert_array_equal(totals, totals[first][group])

    def ways(layers: int) -> int:
        paths = {(0,)}
        for _ in range(layers - 1):
            paths = {(*p, r) for p in paths for r in range(3) if abs(r - p[-1]) <= 1}
        return len(paths)

    cells = {tuple(sorted((b, a + c))) for a, b, c in itertools.product(range(2), repeat=3)}
    assert len(first) == len(cells) ** 2 * ways(3) * ways(4)


def test_a_graph_shows_cells_and_ways():
    arch = SMALL.parse(
        "conv3x3 skip_connect conv3x3 @ same coarser | conv3x3 conv3x3 skip_connect @ coarser coarser finer"
    )
    ops = [op for _, _, op in SMALL.graph(arch).edges]
    assert ops == [
        "feature conv3x3", "skip_connect", "feature conv3x3", "feature at 1/2", "feature at 1/4",
        "matching conv3x3", "matching conv3x3", "skip_connect", "matching at 1/4", "matching at 1/8", "matching at 1/4",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text", ["conv3x3 @ same same", "conv3x3 pool skip_connect @ same same | x", "a | b @ c"], ids=repr
)
def test_bad_text_is_refused(text: str):
    with pytest.raises(BadArchitecture):
        SMALL.parse(text)


@pytest.mark.parametrize("given", [((2, 15, 16), 5), ((1, 16, 16), 5), ((2, 16, 16), 4), ((2, 4, 16), 5)], ids=str)
def test_impossible_tasks_are_refused(given: tuple[tuple[int, ...], int]):
    with pytest.raises(BadSetting):
        StereoSpace(*given)
    with pytest.raises(BadSetting):
        SMALL.build(some(1)[0], shape=given[0], classes=given[1])


def test_the_volume_holds_every_pair():
    both = torch.randn(4, 2, 3, 6, generator=torch.Generator().manual_seed(1))
    found = volume(both, 9)
    assert found.shape == (2, 4, 5, 3, 6)
    for b, d, y, x in itertools.product(range(2), range(5), range(3), range(6)):
        right = both[2 + b, :, y, x - d] if x >= d else torch.zeros(2)
        torch.testing.assert_close(found[b, :, d, y, x], torch.cat([both[b, :, y, x], right]))


def test_a_sure_score_is_its_disparity():
    scores = torch.full((1, 1, 5, 2, 2), -50.0)
    scores[0, 0, 3] = 50.0
    torch.testing.assert_close(likeliest(scores, (4, 4)), torch.full((1, 4, 4), 6.0))


@pytest.mark.parametrize("seed", range(3))
def test_one_hot_weights_are_the_discrete_network(seed: int):
    """With the supernet's weights in the network that the space builds, name by name."""
    genes = supernet().derived(drawn(seed))
    arch = supernet().architecture(genes)
    network = SMALL.build(arch, classes=5, shape=SMALL.shape).eval()
    theirs = dict(zip((c.path for c in supernet().choices), genes, strict=True))
    for net, grid, part, stem in zip(
        NETS,
        (supernet().feature, supernet().matching),
        (network.features, network.matching),
        supernet().stems,
        strict=True,
    ):
        path = [0]
        part[0].load_state_dict(stem.state_dict())
        for k in range(net.layers):
            at = f"{k}-{path[-1]}"
            for edge, made in enumerate(part[1 + 2 * k].operations):
                option = theirs[f"{net.name}/cell/{('0-1', '0-2', '1-2')[edge]}"]
                made.load_state_dict(grid.cells[at].mixtures[edge].candidates[option].state_dict())
            if k + 1 < net.layers:
                choice = next(c for c in supernet().choices if c.path == f"{net.name}/{k}/{path[-1]}")
                way = choice.options[theirs[choice.path]]
                part[2 + 2 * k].load_state_dict(grid.moves[f"{at}-{way}"].state_dict())
                path.append(path[-1] + {"finer": -1, "same": 0, "coarser": 1}[way])
        part[2 * net.layers].load_state_dict(grid.ends[path[-1]].state_dict())
        assert path == net.path(Architectures.of([arch], SMALL).genes)[0].tolist()
    with torch.no_grad():
        torch.testing.assert_close(supernet()(PAIRS, supernet().one_hot(genes)), network(PAIRS))


@pytest.mark.parametrize("seed", range(20))
def test_the_decoded_ways_are_the_likeliest_of_all(seed: int):
    weights = drawn(seed)
    named = {c.path: (c.options, w.tolist()) for c, w in zip(supernet().choices, weights, strict=True)}
    path_of = supernet().architecture(supernet().derived(weights))
    for net in NETS:
        every: dict[tuple[int, ...], float] = {}
        for path in itertools.product(range(3), repeat=net.layers):
            chance = float(path[0] == 0)
            for k, (before, after) in enumerate(itertools.pairwise(path)):
                options, own = named.get(f"{net.name}/{k}/{before}", ((), ()))
                step = {-1: "finer", 0: "same", 1: "coarser"}.get(after - before)
                chance *= own[options.index(step)] if step in options else 0.0
            every[path] = chance
        assert sum(every.values()) == pytest.approx(1, rel=1e-5)
        found = tuple(net.path(Architectures.of([path_of], SMALL).genes)[0].tolist())
        assert every[found] == max(every.values())
        cell = [int(np.argmax(named[f"{net.name}/cell/{edge}"][1])) for edge in ("0-1", "0-2", "1-2")]
        assert list(path_of.genes[net.first : net.first + 3]) == cell


def test_every_weight_of_the_supernet_has_a_gradient():
    weights = [w.requires_grad_() for w in drawn(1)]
    output = supernet()(PAIRS, supernet().everywhere(weights))
    supernet().loss(output, torch.ones(3, 16, 16)).backward()
    assert all(w.grad is not None and w.grad.abs().sum() > 0 for w in weights)


def test_the_metrics_by_hand():
    task = Stereo(4, 2, 2)
    found = task.scores(torch.tensor([[[1.0, 2.5, 4.0, 0.0]]]), torch.tensor([[[1.5, 2.0, 2.0, 3.0]]]))
    assert found == pytest.approx({"negative_epe": -1.5, "epe": 1.5, "right": 50.0})


@pytest.mark.parametrize("given", [{"train": 1}, {"test": 0}], ids=str)
def test_impossible_numbers_are_refused(given: dict[str, int]):
    with pytest.raises(BadSetting, match=next(iter(given))):
        Stereo(**given)
