"""Networks of terms: what is built computes what the term says, and costs what is counted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tierwise.architecture import Architectures
from tierwise.errors import BadSetting
from tierwise.networks.operations import Place
from tierwise.networks.primitives import PRIMITIVES, primitive
from tierwise.spaces.grammar import Grammar
from tierwise.spaces.hnasbench201 import HNASBench201


class Times(nn.Module):
    """Multiplies by a number."""

    def __init__(self, factor: float):
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.factor * x


def numbers(topology: str, **given: object) -> Grammar:
    """Terms whose primitives multiply by 2, 3, 5, ..."""
    primes = {"two": 2.0, "three": 3.0, "five": 5.0, "seven": 7.0, "eleven": 11.0, "thirteen": 13.0}
    own = {name: (lambda c_in, c_out, stride, factor=factor: Times(factor)) for name, factor in primes.items()}
    return Grammar("numbers", "NET", {"NET": f"{topology} | id"}, operations=own, channels=2, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("topology", "factor"),
    [
        ("series(two, three, five)", 2 * 3 * 5),
        ("branch(two, three, five)", 2 + 3 + 5),
        ("residual(two, three, five)", 2 * 3 + 5),
        ("cell(two, three, five)", 2 * 5 + 3),
        # edges 0-1, 0-2, 1-2, 0-3, 1-3, 2-3
        ("cell(two, three, five, seven, eleven, thirteen)", 7 + 2 * 11 + (3 + 2 * 5) * 13),
        ("series(branch(two, three), residual(five, id))", (2 + 3) * (5 + 1)),
        ("twice(two, three, five)", 2 * 3 + 2 * 5),
    ],
)
def test_topologies_compute_what_they_say(topology: str, factor: float) -> None:
    space = numbers(topology, topologies={"twice": [(0, 1), (1, 2), (1, 2)]})
    network = space.build(space.parse(topology), classes=3, shape=(2, 4, 4))
    maps = torch.randn(2, 2, 4, 4)
    assert torch.allclose(network[1](maps), factor * maps)


@pytest.mark.parametrize("shape", [(3, 9, 8), (2, 12), (6,)])
@pytest.mark.parametrize("name", PRIMITIVES)
def test_primitives_keep_or_halve(name: str, shape: tuple[int, ...]) -> None:
    dims = len(shape) - 1
    place = Place(4, 8, 2, dims) if name == "res_block" else Place(4, 4, 1, dims)
    if dims == 0 and name == "instance_norm":
        with pytest.raises(ValueError, match="not vectors"):
            primitive(name, place)
        return
    out = primitive(name, place)(torch.randn(2, 4, *shape[1:]))
    halved = [-(-size // place.stride) for size in shape[1:]]
    assert out.shape == (2, place.leaving, *halved)


def test_a_residual_block_doubles_channels_and_halves_maps() -> None:
    rules = {"NET": "series(OP, res_block, OP, res_block)", "OP": "bare_conv_3x3 | id"}
    space = Grammar("halving", "NET", rules, channels=4)
    arch = space.parse("series(bare_conv_3x3, res_block, bare_conv_3x3, res_block)")
    network = space.build(arch, classes=5, shape=(1, 8, 8))
    shapes = list[tuple[int, ...]]()
    for layer in network[1]:
        layer.register_forward_hook(lambda _, __, out: shapes.append(tuple(out.shape[1:])))
    assert network(torch.randn(2, 1, 8, 8)).shape == (2, 5)
    assert shapes == [(4, 8, 8), (8, 4, 4), (8, 4, 4), (16, 2, 2)]


def test_any_operation_can_be_the_one_that_halves() -> None:
    space = Grammar("vectors", "NET", {"NET": "series(linear, OP)", "OP": "relu | id"}, channels=4, halving=["linear"])
    network = space.build(space.at([0])[0], classes=3, shape=(6,))
    assert network(torch.randn(2, 6)).shape == (2, 3)
    assert network[-1][-1].in_features == 8


def parameters_of(space: Grammar, archs: Architectures, shape: tuple[int, ...]) -> list[int]:
    networks = (space.build(arch, classes=10, shape=shape) for arch in archs)
    return [sum(p.numel() for p in network.parameters()) for network in networks]


def test_totals_are_those_of_the_networks() -> None:
    space = HNASBench201(channels=4)
    archs = space.derive(4, np.random.default_rng(0))
    assert space.totals(archs, shape=(3, 16, 16))[:, 1].tolist() == parameters_of(space, archs, (3, 16, 16))


def test_a_shared_term_costs_what_its_place_makes_it_cost() -> None:
    rules = {
        "NET": "series(CELL, res_block, CELL)",
        "CELL": "cell(OP, OP, OP)",
        "OP": "conv3x3 | id | bare_dw_conv_3x3",
    }
    space = Grammar("shared", "NET", rules, shared=["CELL"], channels=3)
    archs = space.enumerate()
    assert space.totals(archs, shape=(1, 8, 8))[:, 1].tolist() == parameters_of(space, archs, (1, 8, 8))


def test_multiply_adds_by_hand() -> None:
    space = Grammar("hand", "NET", {"NET": "series(OP, res_block)", "OP": "bare_conv_3x3 | id"}, channels=4)
    flops = space.totals(space.enumerate(), classes=7, shape=(3, 8, 8))[:, 0].tolist()
    stem, last = 9 * 3 * 4 * 64, 8 * 7
    block = 9 * 4 * 8 * 16 + 9 * 8 * 8 * 16 + 4 * 8 * 16
    assert flops == [stem + 9 * 4 * 4 * 64 + block + last, stem + block + last]


def test_shapes_that_do_not_fit_are_named_with_the_production() -> None:
    space = Grammar("unfit", "NET", {"NET": "branch(A, A)", "A": "res_block | conv3x3"}, channels=4)
    same, other = space.parse("branch(res_block, res_block)"), space.parse("branch(res_block, conv3x3)")
    assert space.build(same, classes=2, shape=(1, 8, 8))(torch.randn(2, 1, 8, 8)).shape == (2, 2)
    for act in (
        lambda: space.build(other, classes=2, shape=(1, 8, 8)),
        lambda: space.totals(Architectures.of([same, other], space), shape=(1, 8, 8)),
    ):
        with pytest.raises(BadSetting) as caught:
            act()
        assert "production NET -> branch(A, A)" in str(caught.value)
        assert "shapes (8, 4, 4) and (4, 8, 8)" in str(caught.value)


def test_an_unknown_operation_is_named() -> None:
    space = Grammar("odd", "NET", {"NET": "series(OP, OP)", "OP": "id | conv_3x"})
    with pytest.raises(BadSetting, match="operation of odd.*conv_3x"):
        space.build(space.parse("series(id, conv_3x)"), classes=2, shape=(1, 8, 8))
