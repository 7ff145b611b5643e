from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tierwise.errors import BadSetting
from tierwise.spaces.edges import Edges
from tierwise.supernets.trellis import Trellis

CELL = Edges("stereo", 3, ("conv3x3", "skip_connect"), zero="", identity="skip_connect")


def trellis(layers: int = 4, resolutions: int = 3, shape: tuple[int, ...] = (1, 8, 8)) -> Trellis:
    return Trellis(CELL, classes=4, shape=shape, layers=layers, resolutions=resolutions, channels=4)


NETS = {(layers, r): trellis(layers, r) for layers in (1, 2, 4, 5) for r in (1, 2, 3)}


def drawn(net: Trellis, seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(len(c.options), generator=generator).softmax(0) for c in net.choices]


def ways(net: Trellis, weights: list[Tensor], at: int = 0, layer: int = 0) -> list[tuple[float, tuple[int, ...]]]:
    """Every way from here on with its probability, by the names of the choices alone."""
    names = {c.path: (c.options, w.tolist()) for c, w in zip(net.choices, weights, strict=True)}
    if f"{layer}/{at}" not in names:
        return [(1.0, (at,))]
    found: list[tuple[float, tuple[int, ...]]] = []
    for option, weight in zip(*names[f"{layer}/{at}"], strict=True):
        after = at + {"finer": -1, "same": 0, "coarser": 1}[option]
        found += [(weight * p, (at, *rest)) for p, rest in ways(net, weights, after, layer + 1)]
    return found


@settings(max_examples=30, deadline=None)
@given(size=st.sampled_from(sorted(NETS)), seed=st.integers(0, 10_000))
def test_the_decoded_way_is_the_likeliest_of_all(size: tuple[int, int], seed: int):
    net = NETS[size]
    weights = drawn(net, seed)
    every = ways(net, weights)
    genes = net.derived(weights)
    chance, path = max(every)
    assert net.path(genes) == path
    assert math.isclose(sum(p for p, _ in every), 1, rel_tol=1e-5)
    assert chance == max(p for p, way in every if way == net.path(genes))
    assert list(genes[:3]) == [int(w.argmax()) for w in weights[:3]]


def test_a_greedy_way_is_not_always_the_likeliest():
    """Otherwise the test above would say nothing of Viterbi's decoding."""
    net, differ = NETS[4, 3], 0
    for seed in range(50):
        weights = drawn(net, seed)
        greedy = net.path([int(w.argmax()) for w in weights])
        differ += greedy != net.path(net.derived(weights))
    assert differ > 5


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 12)], ids=["images", "signals"])
@pytest.mark.parametrize("seed", range(3))
def test_one_hot_weights_are_one_way_through_the_grid(seed: int, shape: tuple[int, ...]):
    net = trellis(shape=shape).eval()
    genes = net.derived(drawn(net, seed))
    path, cell = net.path(genes), [torch.eye(2)[g] for g in genes[:3]]
    x = torch.randn(3, *shape, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        value = net.stem(x)
        for k, r in enumerate(path):
            value = net.grid.cells[f"{k}-{r}"](value, cell)
            if k + 1 < len(path):
                way = {-1: "finer", 0: "same", 1: "coarser"}[path[k + 1] - r]
                value = net.grid.moves[f"{k}-{r}-{way}"](value)
        expected = net.grid.ends[path[-1]](value)
        torch.testing.assert_close(net(x, net.one_hot(genes)), expected)


def test_with_one_resolution_the_grid_is_a_row():
    net = trellis(3, 1)
    assert [c.options for c in net.choices[3:]] == [("same",), ("same",)]
    assert net.path(net.derived(drawn(net, 0))) == (0, 0, 0)


def test_every_weight_has_a_gradient():
    net = trellis(3, 2)
    weights = [w.requires_grad_() for w in drawn(net, 1)]
    net(
        torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0)), net.everywhere(weights)
    ).square().sum().backward()
    assert all(w.grad is not None and w.grad.abs().sum() > 0 for w in weights)


@pytest.mark.parametrize(
    "settings", [{"layers": 0}, {"resolutions": 0}, {"channels": 0}, {"resolutions": 5}, {"shape": (7,)}], ids=str
)
def test_impossible_grids_are_refused(settings: dict[str, object]):
    with pytest.raises(BadSetting):
        Trellis(CELL, **{"classes": 4, "shape": (1, 8, 8), "layers": 3, "resolutions": 2, "channels": 4, **settings})
