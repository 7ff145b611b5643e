"""Chains of layers: what is there, which are the very same network, and what they cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tierwise import registry
from tierwise.architecture import Architectures
from tierwise.errors import BadSetting, UnknownName
from tierwise.spaces.chain import Chain, ChainNetwork, Layer
from tierwise.spaces.formulas import Cost
from tierwise.testing import check_encoding, check_space

MOBILE = {"op": ["mbconv", "skip"], "kernel": [3, 5], "expansion": [3, 6]}
COSTS = ChainNetwork(
    {"mbconv": Cost("expansion*c_in*h*w*(kernel**2 + c_in + c)", "expansion*c_in*(kernel**2 + c_in + c)")},
    inputs=16,
    extra=Cost("c*classes", "c*classes + classes"),
)
DENSE = ChainNetwork({"": Cost("c_in*c*h*w", "c_in*c")})


def mobile(layers: int = 4, **settings: Any) -> Chain:
    """Inverted residual layers, each of which may be left out."""
    made = [Layer(f"block{k}", MOBILE, channels=16, size=8) for k in range(1, layers + 1)]
    return Chain("mobile", made, **{"identity": "skip", "network": COSTS, **settings})


def rows(space: Chain, *genes: tuple[int, ...]) -> Architectures:
    return Architectures(space, np.array(genes))


@pytest.mark.parametrize(
    "space",
    [
        mobile(),
        mobile(3, depths=[1, 2, 3]),
        Chain("kernels", [Layer("a", {"kernel": [3, 5]}), Layer("b", {"kernel": [3, 5, 7], "heads": [1, 2]})]),
        Chain("widths", [Layer(f"l{k}", {"channels": [8, 16, 24]}) for k in range(5)], depths=[0, 2, 5], network=DENSE),
        mobile(40, depths=list(range(10, 41))),
    ],
    ids=["identity", "depth", "plain", "channels", "huge"],
)
def test_a_chain_conforms(space: Chain) -> None:
    check_space(space)


@pytest.mark.parametrize("name", ["onehot", "paths", "cost_tensor", "flops", "params"])
def test_every_encoding_reads_chains(name: str) -> None:
    check_encoding(registry.find("encoding", name)(), mobile(3, depths=[1, 2, 3]))


def test_layers_beyond_the_depth_change_nothing() -> None:
    space = mobile(3, depths=[1, 3])
    short = rows(space, (0, 0, 0, 1, 0, 1, 1, 0, 0, 0), (0, 0, 0, 1, 1, 0, 0, 0, 1, 1))
    full = rows(space, (1, 0, 0, 1, 0, 1, 1, 0, 0, 0), (1, 0, 0, 1, 1, 0, 0, 0, 1, 1))
    assert len(set(space.canonical(short).tolist())) == 1
    assert len(set(space.canonical(full).tolist())) == 2
    assert space.totals(short)[0].tolist() == space.totals(short)[1].tolist()
    assert space.graph(short[0]).nodes == ("input", "mbconv/kernel 3/expansion 6", "output")


def test_a_layer_left_out_may_be_any_and_its_other_choices_do_not_count() -> None:
    space = mobile(2)
    one_layer = rows(space, (0, 1, 0, 1, 0, 0), (1, 1, 1, 0, 1, 0), (1, 0, 0, 0, 1, 0))
    assert len(set(space.canonical(one_layer).tolist())) == 1
    nothing = rows(space, (1, 0, 0, 1, 1, 1))
    assert space.graph(nothing[0]).edges == ((0, 1, ""),)
    assert space.totals(nothing).tolist() == [[160, 170]]


def test_layers_of_other_settings_are_other_layers() -> None:
    layers = [Layer("a", {"op": ["conv", "skip"]}, channels=8), Layer("b", {"op": ["conv", "skip"]}, channels=16)]
    space = Chain("n", layers, identity="skip")
    first, second = space.canonical(rows(space, (0, 1), (1, 0)))
    assert first != second
    reversed_kernels = Chain("n", [Layer("a", {"kernel": [3, 5]}), Layer("b", {"kernel": [3, 5]})])
    one, other = reversed_kernels.canonical(rows(reversed_kernels, (0, 1), (1, 0)))
    assert one != other


def test_every_key_of_a_small_chain_is_its_sequence_of_layers() -> None:
    space = mobile(3, depths=[1, 2, 3])
    every = space.enumerate()
    graphs, keys = space.graphs(every), space.canonical(every)
    sequences = [graphs[k].nodes for k in range(len(every))]
    pairs = set(zip(keys.tolist(), sequences, strict=True))
    assert len(pairs) == len(set(sequences)) == len(set(keys.tolist())) == 1 + 4 + 4**2 + 4**3


def test_costs_by_hand_follow_the_channels() -> None:
    layers = [Layer("a", {"channels": [8, 16]}, size=4), Layer("b", {"channels": [8, 16]}, size=2)]
    network = ChainNetwork({"": Cost("9*c_in*c*h*w", "9*c_in*c")}, 3, Cost("c*classes", "c*classes"))
    space = Chain("n", layers, depths=[1, 2], network=network)
    archs = rows(space, (1, 1, 0), (0, 1, 0))
    params = [9 * 3 * 16 + 9 * 16 * 8 + 80, 9 * 3 * 16 + 160]
    flops = [9 * 3 * 16 * 16 + 9 * 16 * 8 * 4 + 80, 9 * 3 * 16 * 16 + 160]
    assert space.totals(archs).tolist() == list(map(list, zip(flops, params, strict=True)))
    assert space.costs(archs)[0, 0, 1, 2].tolist() == [9 * 16 * 8 * 4, 9 * 16 * 8]
    assert space.totals(archs, classes=100)[1, 1] == 9 * 3 * 16 + 1600
    with pytest.raises(BadSetting, match="cost formulas"):
        Chain("n", layers).totals(archs)


@pytest.mark.parametrize(
    ("layers", "settings", "said"),
    [
        ([], {}, "at least one"),
        ([Layer("a", {"k": [1, 2]}), Layer("a", {"k": [1, 2]})], {}, "different names"),
        ([Layer("a", {})], {}, "one choice or more"),
        ([Layer("a", {"k": []})], {}, "one option or more"),
        ([Layer("a", {"k": [3, 3]})], {}, "each once"),
        ([Layer("a", {"channels": ["many"]})], {}, "numbers of channels"),
        ([Layer("a", {"k": range(300)})], {}, "300 combinations"),
        ([Layer(f"l{j}", {f"k{j}": range(200)}) for j in range(2)], {}, "400 different layers"),
        ([Layer("a", {"k": [1, 2]})], {"depths": [1, 2]}, "1 among them"),
        ([Layer("a", {"k": [1, 2]})], {"network": ChainNetwork(inputs=0)}, "1 or more channels"),
        ([Layer("a", {"k": [7, 8]})], {"network": ChainNetwork({"": Cost("c_in//(k-7)")})}, "division by zero"),
    ],
)
def test_an_impossible_chain_is_refused(layers: list[Layer], settings: dict[str, Any], said: str) -> None:
    with pytest.raises(BadSetting, match=said):
        Chain("bad", layers, **settings)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UnknownName, match='"skp"; did you mean "skip"'):
        mobile(2, identity="skp")
    with pytest.raises(UnknownName, match='"kernels"; did you mean "kernel"'):
        mobile(2, network=ChainNetwork({"mbconv": Cost("kernels*c")}))
    with pytest.raises(UnknownName, match='"mbcnv"; did you mean "mbconv"'):
        mobile(2, network=ChainNetwork({"mbcnv": Cost("c")}))
