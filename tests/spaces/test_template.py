"""Templates: shapes worked out beforehand, masks, costs, files, and the networks that are built."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tierwise import load_space
from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadArchitecture, BadSetting, TierwiseError, UnknownName
from tierwise.export.source import python_source
from tierwise.networks.counting import counted
from tierwise.networks.template import block
from tierwise.spaces.template import TemplateSpace, template_space
from tierwise.spaces.template_ops import Misfit
from tierwise.spaces.template_presets import PRESETS, preset
from tierwise.spaces.template_shapes import Block, as_dict, infer, read_template, write_template
from tierwise.testing import check_space

INPUT = [1, 8, 8]


def conv(filters: int, kernel: int, **more: Any) -> dict[str, Any]:
    return {"op": "conv", "filters": filters, "kernel": kernel, **more}


def declared() -> dict[str, Any]:
    """Three blocks, a pool, and two blocks that are alike."""
    first = [{"name": f"conv{k}", "ops": [conv(4, k), {"op": "batch_norm"}, {"op": "relu"}]} for k in (1, 3, 5)]
    last = [{"name": name, "ops": [conv(6, 3), {"op": "relu"}]} for name in ("a", "b")]
    layers = [
        {"name": "first", "blocks": first},
        {"blocks": [{"name": "pool", "ops": [{"op": "max_pool"}]}]},
        {"name": "last", "blocks": last},
    ]
    return {"kind": "template", "name": "three", "input": INPUT, "layers": layers}


@pytest.mark.parametrize("name", ["small", "densenet", "vgg16"])
def test_masks_of_a_template_are_a_space(name: str) -> None:
    check_space(template_space(name))


def test_every_mask_with_a_block_on_in_each_layer_is_a_member_and_nothing_else() -> None:
    space = load_space(declared())
    assert [choice.path for choice in space.choices] == [
        "first/conv1",
        "first/conv3",
        "first/conv5",
        "last/a",
        "last/b",
    ]
    masks = list(itertools.product((0, 1), repeat=5))
    valid = [any(mask[:3]) and any(mask[3:]) for mask in masks]
    assert space.contains(Architectures(space, np.array(masks, dtype=np.int16))).tolist() == valid
    assert space.size == sum(valid) == 21
    with pytest.raises(BadArchitecture, match="no block of last is on"):
        space.parse("three/1-0-0-0-0")
    assert str(space.parse("conv1+conv5 | b")) == "three/1-0-1-0-1"


def test_layers_with_equal_blocks_on_are_one_network() -> None:
    space = load_space(declared())
    archs = Architectures.of([Architecture("three", (1, 0, 0, *tail)) for tail in ((1, 0), (0, 1), (1, 1))], space)
    one, other, both = space.canonical(archs).tolist()
    assert one == other != both


def test_what_has_no_weights_counts_by_its_share() -> None:
    pools = [
        {"name": name, "ops": [{"op": op}]} for name, op in (("m", "max_pool"), ("n", "max_pool"), ("v", "avg_pool"))
    ]
    space = load_space({"kind": "template", "name": "pools", "input": INPUT, "layers": [{"blocks": pools}]})
    genes = np.array([(1, 0, 0), (1, 1, 0), (1, 0, 1), (1, 1, 1), (0, 0, 1)], dtype=np.int16)
    keys = space.canonical(Architectures(space, genes)).tolist()
    assert keys[0] == keys[1]  # twice the same is the same
    assert len(set(keys)) == 4


@pytest.mark.parametrize("name", PRESETS)
def test_costs_of_presets_are_those_of_the_networks_that_are_built(name: str) -> None:
    shape = (1, 8, 8) if name != "alexnet" else (3, 32, 32)
    space = TemplateSpace(preset(name, shape, width=4))
    archs = space.sample(1, np.random.default_rng(0))
    for arch, totals in zip(archs, space.totals(archs, classes=7).tolist(), strict=True):
        flops, params, leaving = counted(lambda arch=arch: space.build(arch, classes=7, shape=shape), shape)
        assert (totals, leaving) == ([flops, params], (7,))


ops = st.one_of(
    st.builds(
        lambda op, k, s, d, p: {"op": op, "kernel": k, "stride": s, "dilation": d, "padding": p}
        | ({} if op == "depthwise" else {"filters": 3}),
        st.sampled_from(["conv", "separable", "depthwise"]), st.integers(1, 5), st.integers(1, 3), st.integers(1, 2),
        st.one_of(st.just("same"), st.integers(0, 2)),
    ),
    st.builds(
        lambda op, k, s, p: {"op": op, "kernel": k, "stride": s, "padding": p},
        st.sampled_from(["max_pool", "avg_pool"]), st.integers(1, 4), st.one_of(st.none(), st.integers(1, 3)),
        st.one_of(st.just("same"), st.integers(0, 2)),
    ),
    st.builds(
        lambda k, s, p: {"op": "transpose", "filters": 2, "kernel": k, "stride": s, "padding": p},
        st.integers(1, 3), st.integers(1, 3), st.integers(0, 1),
    ),
    st.sampled_from([
        {"op": "flatten"}, {"op": "global_pool"}, {"op": "global_max_pool"}, {"op": "upsample"}, {"op": "dropout"},
        {"op": "dense", "units": 5}, {"op": "batch_norm"}, {"op": "layer_norm"}, {"op": "gelu"}, {"op": "add"},
        {"op": "concat"}, {"op": "average"}, {"op": "instance_norm"},
    ]),
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(ops, min_size=1, max_size=4), st.sampled_from([(2, 6, 5), (3, 7), (4,)]))
def test_shapes_and_costs_foretell_those_of_torch(chosen: list[dict[str, Any]], entering: tuple[int, ...]) -> None:
    """Where shapes are said to fit, the network gives just these; where they do not, it can not be run."""
    own = Block.model_validate({"name": "b", "ops": chosen})
    shapes, flops, params, fits = [entering], 0, 0, True
    try:
        for op in own.ops:
            more = op.cost(shapes[-1]) if op.output(shapes[-1], entering) else (0, 0)
            flops, params = flops + more[0], params + more[1]
            shapes.append(op.output(shapes[-1], entering))
    except Misfit:
        fits = False
    if fits:
        pairs = [(op.model_dump(), shape) for op, shape in zip(own.ops, shapes, strict=False)]
        assert counted(lambda: block(pairs), entering) == (flops, params, shapes[-1])


@pytest.mark.parametrize(
    ("ops", "entering", "expected"),
    [
        ([conv(4, 9, padding=0)], (1, 8, 8), "too large for maps of 8×8"),
        ([conv(4, 4)], (1, 8, 8), "needs an odd kernel"),
        ([conv(4, 3)], (64,), "not a vector of 64"),
        ([{"op": "dense", "units": 4}], (1, 8, 8), "put flatten or global_pool before it"),
        ([conv(4, 3), {"op": "add"}], (1, 8, 8), "joins 4×8×8 with the block's input 1×8×8"),
        ([{"op": "max_pool", "kernel": 2, "padding": 2}], (1, 8, 8), "at most half of its kernel"),
        ([{"op": "global_pool"}, {"op": "global_pool"}], (1, 8, 8), "not a vector"),
        ([{"op": "max_pool", "kernel": 8}, {"op": "instance_norm"}], (1, 8, 8), "layer_norm fits"),
    ],
)
def test_what_can_not_stand_there_says_why(ops: list[Any], entering: tuple[int, ...], expected: str) -> None:
    found = infer(read_template({"input": list(entering), "layers": [{"blocks": [{"ops": ops}]}]}))
    assert len(found.errors) == 1
    assert expected in found.errors[0].message
    assert found.errors[0].op == len(ops) - 1


def test_an_error_is_at_its_link_and_names_what_would_fit() -> None:
    changed = declared()
    changed["layers"][0]["blocks"][2]["ops"][0]["padding"] = 0
    changed["layers"][2]["blocks"][1]["ops"][0]["filters"] = 5
    found = infer(read_template(changed))
    assert [(e.layer, e.block, e.op, e.fits) for e in found.errors] == [
        (0, 2, None, 'padding = "same" in op 1 (conv)'),
        (2, 0, None, "filters = 5 in op 1 (conv)") if found.output == (5, 4, 4) else
        (2, 1, None, "filters = 6 in op 1 (conv)"),
    ]  # fmt: skip
    assert found.leaving[0] == [(4, 8, 8), (4, 8, 8), (4, 4, 4)]
    assert found.entering == [(1, 8, 8), (4, 8, 8), (4, 4, 4)]
    with pytest.raises(
        BadSetting, match=r"three: first/conv5 = .*conv5 gives 4×4×4, where conv1, conv3 of first gives"
    ):
        load_space(changed)


@pytest.mark.parametrize(
    ("change", "kind", "names"),
    [
        (
            lambda t: t["layers"][0]["blocks"][1]["ops"][0].update(kernel="x"),
            BadSetting,
            "first/conv3: op 1: conv: kernel",
        ),
        (lambda t: t["layers"][0]["blocks"][1]["ops"][0].update(op="konv"), UnknownName, "first/conv3: op 1"),
        (lambda t: t["layers"][2]["blocks"][1].update(name="a"), BadSetting, "the name a comes twice"),
        (lambda t: t["layers"][1]["blocks"][0].update(ops=[]), BadSetting, "layer2/pool: ops"),
        (lambda t: t.pop("input"), BadSetting, "input = None"),
        (lambda t: t["layers"][0].update(bloks=1), BadSetting, "first: bloks"),
        (lambda t: t.update(layers=t["layers"][1:2]), BadSetting, "one with two or more"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(change: Any, kind: type[TierwiseError], names: str) -> None:
    given = declared()
    change(given)
    with pytest.raises(kind, match=names):
        load_space(given)


def test_a_template_is_written_and_read_again(tmp_path: Path) -> None:
    template = read_template(declared())
    write_template(template, tmp_path / "three.json")
    assert read_template(tmp_path / "three.json") == template
    assert load_space(tmp_path / "three.json") == load_space(declared()) == TemplateSpace(as_dict(template))
    blocks = 'blocks = [{ops = [{op = "relu"}]}, {ops = [{op = "tanh"}]}]'
    toml = f'kind = "template"\ninput = [1, 8, 8]\n[[layers]]\n{blocks}\n'
    (tmp_path / "two.toml").write_text(toml)
    assert load_space(tmp_path / "two.toml").size == 3
    assert json.loads((tmp_path / "three.json").read_text())["layers"][0]["blocks"][1]["ops"][0] == {
        "op": "conv", "filters": 4,
    }  # fmt: skip


def test_blocks_that_are_on_are_averaged_and_vectors_are_reshaped() -> None:
    space = load_space(declared())
    network = space.build(space.parse("conv1+conv5 | b"), classes=3, shape=(64,)).eval()
    x = torch.randn(5, 64, generator=torch.Generator().manual_seed(0))
    parts: dict[str, nn.Module] = dict(network.named_children())
    image = x.view(5, 1, 8, 8)
    one, five = (parts["1"].get_submodule(f"blocks.{k}") for k in (0, 1))
    inner = parts["3"](parts["2"]((one(image) + five(image)) / 2))
    expected = parts["4"].get_submodule("1")(inner.mean((2, 3)))
    torch.testing.assert_close(network(x), expected)
    with pytest.raises(BadSetting, match=r"input = \[1, 28, 28\]"):
        space.build(space.parse("conv1 | b"), classes=3, shape=(1, 28, 28))


@pytest.mark.parametrize("name", ["resnet", "densenet", "lenet"])
def test_its_networks_can_be_written_as_python(name: str) -> None:
    space = template_space(name)
    arch = space.sample(1, np.random.default_rng(3))[0]
    assert "class Network" in python_source(space.build(arch, classes=4, shape=(64,)), (64,), "a network")


def test_a_layer_keeps_a_block_when_the_others_are_banned() -> None:
    space = load_space(declared()).narrow("first/conv1", ["off"]).narrow("first/conv3", ["off"])
    assert space.size == 3
    with pytest.raises(BadSetting, match="still allowed"):
        space.narrow("first/conv5", ["off"])
