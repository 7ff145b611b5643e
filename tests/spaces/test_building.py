"""Networks of declared spaces: what is built, what it costs, and what is refused."""

from __future__ import annotations

import itertools
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.spaces.test_declared import FILES
from tierwise import Study, load_space, registry, save_space
from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadArchitecture, BadSetting, MissingExtra
from tierwise.space import Shape, Space
from tierwise.spaces.chain import Chain, ChainNetwork, Layer
from tierwise.spaces.edges import Edges
from tierwise.spaces.network import Network, Stage
from tierwise.spaces.nodes import Nodes
from tierwise.spaces.sizes import Sizes, SizeStage
from tierwise.spaces.subset import part
from tierwise.testing import check_space

EXAMPLES = Path(__file__).parents[2] / "examples"
OPS = ["none", "skip", "conv1x1", "sep_conv_3x3", "pool3x3"]
CELL = {"kind": "edges", "nodes": 4, "ops": OPS, "zero": "none", "identity": "skip", "shared": ["pool3x3"]}
STAGES = {"stages": [{"cells": 2, "channels": 8}, {"cells": 1, "channels": 12}]}
# every kind without formulas, and shapes of inputs that its networks take
SPACES: dict[str, tuple[dict[str, Any], list[Shape]]] = {
    "edges": ({**CELL, "network": STAGES}, [(3, 8, 8), (2, 9, 5), (3, 16)]),
    "dense cells": ({**CELL, "ops": ["none", "skip", "linear"], "shared": []}, [(5,), (2, 7)]),
    "nodes": (
        {"kind": "nodes", "nodes": 3, "ops": OPS, "zero": "none", "identity": "skip", "concat": True, "output": "last"},
        [(3, 8, 8), (1, 20)],
    ),
    "chain": (
        {
            "kind": "chain",
            "depths": [1, 2, 3],
            "identity": "skip",
            "layers": [
                {"op": ["conv", "mbconv", "skip"], "kernel": [3, 5], "repeat": 2, "channels": 6, "size": 8},
                {"op": ["dw_conv_3x3", "skip"], "activation": ["relu", "gelu"], "channels": [6, 8], "size": 4},
            ],
            "network": {"inputs": 4},
        },
        [(3, 8, 8), (4, 16), (1, 16, 16)],
    ),
    "strides": (
        {"kind": "chain", "layers": [{"stride": [1, 2], "width": [4, 6], "repeat": 3, "kernel": [1, 3]}]},
        [(3, 8, 8), (2, 11)],
    ),
    "sizes": ({"kind": "sizes", "stages": [{"widths": [4, 6], "depths": [1, 2]}, {"widths": [8], "depths": [0, 1]}]},
              [(3, 6, 6), (10,), (1, 12)]),
}  # fmt: skip


def multiply_adds(network: nn.Module, shape: Shape) -> int:
    """Of convolutions and linear layers for one input, from the shapes that pass through them."""
    total = 0

    def add(layer: nn.Module, _: Any, left: Tensor) -> None:
        nonlocal total
        weights: Tensor = layer.weight  # type: ignore[assignment]
        total += weights.numel() // weights.shape[0] * left[0].numel()

    kinds = (nn.Conv1d, nn.Conv2d, nn.Linear)
    hooks = [layer.register_forward_hook(add) for layer in network.modules() if isinstance(layer, kinds)]
    with torch.no_grad():
        network.eval()(torch.zeros(1, *shape))
    for hook in hooks:
        hook.remove()
    return total


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def one(space: Space, *genes: int) -> Architecture:
    return Architecture(space.name, genes)


CASES = [(name, shape) for name, (_, shapes) in SPACES.items() for shape in shapes]


@pytest.mark.parametrize(("name", "shape"), CASES, ids=str)
def test_networks_give_scores_learn_and_cost_what_is_counted(name: str, shape: Shape) -> None:
    space = load_space(SPACES[name][0])
    archs = space.sample(10, np.random.default_rng(1))
    totals = space.totals(archs, classes=7, shape=shape)
    for arch, (flops, params) in zip(archs, totals.tolist(), strict=True):
        network = space.build(arch, classes=7, shape=shape)
        assert not [m for m in network.modules() if type(m).__module__.startswith("tierwise.spaces")]
        assert (multiply_adds(network, shape), parameters(network)) == (flops, params)
        scores = network.train()(torch.randn(3, *shape))
        assert scores.shape == (3, 7)
        scores.square().sum().backward()
        connected = not isinstance(space, Edges | Nodes) or space.canonical(Architectures.of([arch], space))[
            0
        ] != _nothing(space)
        assert not connected or all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("name", SPACES)
def test_a_space_whose_costs_are_counted_conforms(name: str) -> None:
    check_space(load_space(SPACES[name][0]))


def _nothing(space: Edges | Nodes) -> int:
    """The key of the cells whose output nothing reaches."""
    return int(space.canonical(Architectures(space, np.zeros((1, len(space.choices)))))[0])


@pytest.mark.parametrize("kind", FILES)
def test_costs_by_operation_add_up_to_what_the_cells_cost(kind: str) -> None:
    declared = _without_formulas(FILES[kind])
    space, shape = load_space(declared), (1, 8, 8)
    archs = space.sample(50, np.random.default_rng(2))
    costs, totals = space.costs(archs, shape=shape), space.totals(archs, shape=shape)
    plain = "" in space.graphs(archs).ops
    within = (costs.max(2) if plain else costs.sum(2)).sum((1, 2))
    around = totals - within
    if kind == "edges":
        stem, reduction, head = 9 * 16 + 2 * 16, 9 * 16 * 32 + 2 * 32, 2 * 32 + 32 * 10 + 10
        assert (around[:, 1] == stem + reduction + head).all()
    assert (around >= 0).all()
    keys = space.canonical(archs)
    assert len({*zip(keys.tolist(), totals[:, 0].tolist(), totals[:, 1].tolist(), strict=True)}) == len(
        {*keys.tolist()}
    )


def _without_formulas(text: str) -> dict[str, Any]:
    declared = tomllib.loads(text)
    declared.pop("cost", None)
    declared.get("network", {}).pop("extra", None)
    return declared


# ---- formulas and networks --------------------------------------------------------------------------------

EXACT = """
kind = "edges"
nodes = 4
ops = ["none", "skip", "conv1x1", "conv3x3", "pool3x3"]
zero = "none"
identity = "skip"
shared = ["pool3x3"]
cost.conv1x1 = {flops = "c*c*h*w", params = "c*c + 2*c"}
cost.conv3x3 = {flops = "9*c*c*h*w", params = "9*c*c + 2*c"}
[network]
stages = [{cells = 2, channels = 16, size = 8}, {cells = 1, channels = 32, size = 4}]
[network.extra]                 # stem and reduction with batch norms, batch norm and classifier
flops = "9*3*16*64 + 9*16*32*h*w + c*classes"
params = "9*3*16 + 2*16 + 9*16*32 + 2*32 + 2*c + c*classes + classes"
"""


def test_exact_formulas_are_the_costs_of_the_networks() -> None:
    space = load_space(tomllib.loads(EXACT))
    assert isinstance(space, Edges)
    archs = space.sample(40, np.random.default_rng(0))
    pruned = Architectures(space, np.where(space.live(archs), archs.genes, 0))  # what is dead costs nothing when built
    totals = space.totals(pruned, classes=5)
    for arch, (flops, params) in zip(archs, totals.tolist(), strict=True):
        network = space.build(arch, classes=5, shape=(3, 8, 8))
        assert (multiply_adds(network, (3, 8, 8)), parameters(network)) == (flops, params)
    assert (space.totals(archs) >= space.totals(pruned)).all()


def test_the_perceptrons_of_the_example_cost_what_their_formulas_say() -> None:
    space = load_space(EXAMPLES / "own_table.toml")
    archs = space.sample(20, np.random.default_rng(0))
    for arch, (flops, params) in zip(archs, space.totals(archs).tolist(), strict=True):
        network = space.build(arch, classes=10, shape=(64,))
        assert (multiply_adds(network, (64,)), parameters(network)) == (flops, params)
    declared = tomllib.loads((EXAMPLES / "own_table.toml").read_text())
    counted = load_space({**declared, "cost": {}, "network": {"shape": [64]}})
    assert counted.totals(archs).tolist() == space.totals(archs).tolist()


# ---- what cells compute -------------------------------------------------------------------------------------


def test_a_cell_is_the_sum_over_its_edges() -> None:
    space = Edges("cells", 4, ("none", "skip", "max_pool_3x3", "pool"), identity="skip", network=Network((Stage(),)))
    x = torch.randn(2, 16, 6, 6)
    highest, mean = nn.MaxPool2d(3, 1, 1), nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    ops = [None, lambda v: v, highest, mean]
    for genes in itertools.islice(itertools.product(range(4), repeat=6), 0, None, 97):
        cell = space.build(one(space, *genes), classes=2, shape=(3, 6, 6))[1]
        nodes: list[Any] = [x, None, None, None]
        for gene, (i, j) in zip(genes, space.edges, strict=True):
            if gene and nodes[i] is not None:
                term = ops[gene](nodes[i])
                nodes[j] = term if nodes[j] is None else nodes[j] + term
        expected = torch.zeros_like(x) if nodes[3] is None else nodes[3]
        assert torch.allclose(cell(x), expected, atol=1e-5)


@pytest.mark.parametrize("concat", [False, True])
def test_a_cell_of_nodes_sums_what_it_reads(concat: bool) -> None:
    ops = ("skip", "max_pool_3x3", "none")
    space = Nodes("cells", 2, ops, inputs=(1, 2), zero="none", identity="skip", concat=concat, network=Network())
    x, pool = torch.randn(2, 16, 6, 6), nn.MaxPool2d(3, 1, 1)
    #  node 1 pools the input; node 2 passes input and node 1, as their sum
    arch = space.parse(f"cells/1-0-0-{space.choices[3].options.index('0+1')}")
    cell = space.build(arch, classes=2, shape=(3, 6, 6))[1]
    passed = x + pool(x)
    assert torch.allclose(cell(x), passed if not concat else cell.projection(passed), atol=1e-5)
    #  both read the input alone: the output reads both
    arch = space.parse(f"cells/1-0-0-{space.choices[3].options.index('0')}")
    cell = space.build(arch, classes=2, shape=(3, 6, 6))[1]
    joined = cell.projection(torch.cat([pool(x), x], 1)) if concat else pool(x) + x
    assert torch.allclose(cell(x), joined, atol=1e-5)
    nothing = space.build(one(space, 2, 0, 2, 0), classes=2, shape=(3, 6, 6))
    assert not nothing[1](x).any()


def test_stages_follow_their_sizes_or_halve() -> None:
    ops = ("none", "skip", "conv1x1")
    for sizes, shape, expected in (
        ((32, 16, 4), (3, 32, 32), [(32, 32), (16, 16), (4, 4)]),
        ((8, 8, 4), (3, 32, 64), [(8, 16), (8, 16), (4, 8)]),
        ((1, 1, 1), (3, 10, 6), [(10, 6), (5, 3), (3, 2)]),
    ):
        network = Network(tuple(Stage(1, 4 * k, size) for k, size in enumerate(sizes, start=1)))
        built = Edges("cells", 2, ops, network=network).build(Architecture("cells", (1,)), classes=2, shape=shape)
        value, seen = torch.randn(2, *shape), []
        for stage in range(3):
            value = built[2 * stage + 1](built[2 * stage](value))
            seen.append(tuple(value.shape[2:]))
        assert seen == expected
    space = Edges("cells", 2, ops, network=Network((Stage(1, 4, 32), Stage(1, 4, 16), Stage(1, 4, 4))))
    with pytest.raises(BadSetting, match=r"shape in cells/1 = \(3, 30, 30\).* 32, 16, 4, divide in turn"):
        space.build(one(space, 1), classes=2, shape=(3, 30, 30))


# ---- what the choices of a chain mean -------------------------------------------------------------------------


def test_the_choices_of_a_layer() -> None:
    layers = [
        Layer("a", {"kernel": [1, 5], "channels": [4, 8], "activation": ["relu", "tanh"]}),
        Layer("b", {"op": ["mbconv", "max_pool"], "expansion": [2, 3], "stride": [1, 2]}),
    ]
    space = Chain("n", layers, network=ChainNetwork())
    assert space.build(one(space, 1, 1, 1, 0, 1, 1), classes=3, shape=(2, 9, 9))[0][2].__class__ is nn.Tanh
    conv, block, _ = space.build(one(space, 1, 1, 0, 0, 1, 1), classes=3, shape=(2, 9, 9))
    assert (conv[0].kernel_size, conv[0].out_channels) == ((5, 5), 8)
    assert [m.out_channels for m in block.modules() if isinstance(m, nn.Conv2d)] == [24, 24, 8]
    assert block(torch.randn(2, 8, 9, 9)).shape == (2, 8, 5, 5)


def test_layers_that_are_left_out_pass_on_what_comes_in() -> None:
    declared = {"op": ["conv", "skip"], "channels": [4, 6]}
    layers = [Layer(f"l{k}", declared, size=size) for k, size in enumerate((8, 4, 2))]
    space = Chain("n", layers, depths=[0, 2, 3], identity="skip", network=ChainNetwork())
    nothing = space.build(one(space, 0, *[0] * 6), classes=3, shape=(3, 8, 8))
    assert [type(m) for m in nothing] == [nn.Sequential]
    assert parameters(nothing) == 3 * 3 + 3
    #  the second layer is left out, so the third brings the maps from 8 to 2 pixels
    network = space.build(one(space, 2, 0, 0, 1, 0, 0, 1), classes=3, shape=(3, 8, 8))
    assert [m.stride for m in network.modules() if isinstance(m, nn.Conv2d)] == [(1, 1), (4, 4)]
    with pytest.raises(BadSetting, match=r"shape in n/2-0-0-0-0-0-0 .*one whose height 8, the size of the layer l0"):
        space.build(one(space, 2, *[0] * 6), classes=3, shape=(3, 12, 12))


# ---- operations of one's own --------------------------------------------------------------------------------


def squeezed(entering: int, leaving: int, stride: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(entering, 2, 1, stride), nn.Conv2d(2, leaving, 1))


def heads(entering: int, leaving: int, stride: int, *, heads: int) -> nn.Module:
    return nn.Conv2d(entering, leaving, 1, stride, groups=heads)


def narrow(entering: int, leaving: int, stride: int) -> nn.Module:
    return nn.Conv2d(entering, 1, 1, stride)


def test_an_operation_of_ones_own() -> None:
    declared = {"kind": "edges", "name": "own", "nodes": 2, "ops": ["none", "squeezed"], "network": STAGES}
    space = load_space(declared, operations={"squeezed": squeezed})
    network = space.build(one(space, 1), classes=3, shape=(3, 8, 8))
    inner = 2 * (8 * 2 + 2 + 2 * 8 + 8) + 12 * 2 + 2 + 2 * 12 + 12
    around = 27 * 8 + 16 + 9 * 8 * 12 + 24 + 24 + 12 * 3 + 3
    assert parameters(network) == inner + around == space.totals(space.enumerate(), classes=3)[1, 1]
    small = part(space, space.enumerate()[1:])
    assert parameters(small.build(one(space, 1), classes=3, shape=(3, 8, 8))) == inner + around


def test_a_part_in_a_file_builds_with_operations_of_ones_own(tmp_path: Path) -> None:
    base = 'kind = "edges"\nname = "own"\nnodes = 3\nops = ["none", "squeezed"]\n'
    (tmp_path / "own.toml").write_text(base)
    small = load_space(tmp_path / "own.toml").narrow("cell/0-1", ["squeezed"])
    save_space(small, tmp_path / "small.toml", tmp_path / "own.toml")
    opened = load_space(tmp_path / "small.toml", {"squeezed": squeezed})
    assert opened == small
    network = opened.build(one(opened, 1, 0, 1), classes=3, shape=(3, 8, 8))
    assert network(torch.zeros(1, 3, 8, 8)).shape == (1, 3)
    with pytest.raises(BadSetting, match="no operation is called squeezed"):
        small.build(one(small, 1, 0, 1), classes=3, shape=(3, 8, 8))


def test_an_operation_of_a_chain_gets_its_other_choices() -> None:
    space = load_space(
        {"kind": "chain", "layers": [{"op": ["mixed", "conv"], "heads": [1, 2], "channels": 4}]}, {"mixed": heads}
    )
    first, second = (space.build(one(space, 0, k), classes=3, shape=(4, 8, 8)) for k in (0, 1))
    assert (parameters(first), parameters(second)) == (16 + 4 + 15, 8 + 4 + 15)
    with pytest.raises(
        BadSetting, match=r"operation of space in space/1-0 = 'conv'.*the choice heads is none of op, kernel"
    ):
        space.build(one(space, 1, 0), classes=3, shape=(4, 8, 8))


REFUSED: Mapping[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a name outside the vocabulary": (
        {"ops": ["none", "mystery"]}, {}, r"cells/1 = 'mystery'.*operations=\{\"mystery\": make\}",
    ),
    "an output of another shape": (
        {"ops": ["none", "narrow"]}, {"narrow": narrow}, r"cells/1 = 'narrow'.*\(1, 16, 8, 8\).*not \(1, 1, 8, 8\)",
    ),
    "an operation that raises": ({"ops": ["none", "broken"]}, {"broken": lambda *_: 1 / 0}, "raises ZeroDivisionError"),
    "no module": ({"ops": ["none", "number"]}, {"number": lambda *_: 3}, "it gives a int, no torch.nn.Module"),
    "other arguments": ({"ops": ["none", "one"]}, {"one": lambda c: nn.Identity()}, "raises TypeError"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", REFUSED)
def test_what_does_not_build_names_the_architecture(mistake: str) -> None:
    changes, operations, said = REFUSED[mistake]
    space = load_space({"kind": "edges", "name": "cells", "nodes": 2, **changes}, operations)
    with pytest.raises(BadSetting, match=said):
        space.build(one(space, 1), classes=3, shape=(3, 8, 8))
    with pytest.raises(
        BadSetting, match=r"costs of the space = 'cells'.*a space with cost formulas, or one that builds"
    ):
        space.totals(space.enumerate())


def test_shapes_and_genes_that_cannot_be() -> None:
    space = load_space(CELL)
    for shape in ((), (3, 8, 8, 8), (0, 8, 8), (3.5, 8, 8)):
        with pytest.raises(BadSetting, match=r"space/2-2-2-2-2-2.*\(channels, height, width\) of an image"):
            space.build(one(space, *[2] * 6), classes=3, shape=shape)
    with pytest.raises(BadSetting, match="conv1x1 needs images or signals, not vectors"):
        space.build(one(space, *[2] * 6), classes=3, shape=(16,))
    with pytest.raises(BadArchitecture, match="gene cell/0-1 is 9"):
        space.build(one(space, 9, *[2] * 5), classes=3, shape=(3, 8, 8))


# ---- costs that are counted -----------------------------------------------------------------------------------


def test_a_limit_holds_in_a_space_without_formulas() -> None:
    space = load_space({**CELL, "network": STAGES})
    every = space.totals(space.enumerate())
    most = int(np.quantile(every[:, 1], 0.3))
    with Study(None, space, "random", lambda arch: float(sum(arch.genes)), limits={"params": most}) as study:
        study.run(20)
        assert (space.totals(study.history().archs)[:, 1] <= most).all()
    narrowed = space.narrow("cell/0-1", ["skip", "conv1x1"])
    assert narrowed.totals(narrowed.enumerate()).tolist() == every[space.index(narrowed.enumerate())].tolist()
    assert registry.make("encoding", "params").transform(space.at([0, 5]))[:, 0].tolist() == every[[0, 5], 1].tolist()


def test_without_torch_costs_are_unknown_and_nothing_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    cells, sizes = load_space(CELL), Sizes("mlp", [SizeStage([4, 8])], network=ChainNetwork())
    monkeypatch.setitem(sys.modules, "torch", None)
    for space in (cells, sizes):
        with pytest.raises(BadSetting, match=r"costs of the space.*pip install 'tierwise\[torch\]'"):
            space.totals(space.sample(1, np.random.default_rng(0)))
        with pytest.raises(MissingExtra, match=r"tierwise\[torch\]"):
            space.build(space.sample(1, np.random.default_rng(0))[0], classes=3, shape=(3, 8, 8))
