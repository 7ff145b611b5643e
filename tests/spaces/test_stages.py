"""Spaces of stages: moves, keys, costs against built networks, text, what is built, bad declarations."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tierwise import load_space, registry
from tierwise.architecture import Architectures
from tierwise.errors import BadArchitecture, BadSetting, UnknownName
from tierwise.networks.counting import counted
from tierwise.spaces.stage import StageOptions
from tierwise.spaces.stages import Stages
from tierwise.testing import check_encoding, check_space

IMAGES = [
    StageOptions(8, (2, 8), ("conv3x3", "conv1x1", "max_pool_3x3"), ("relu", "tanh")),
    StageOptions(12, (4,), ("conv3x3",), ("relu", "none"), stride=2),
]
VECTORS = [StageOptions(8, (1, 4, 8), ("linear",), ("relu", "tanh"))]


def images(**settings: Any) -> Stages:
    return Stages("stages", 3, IMAGES, **settings)


def vectors(stages: int = 2, vertices: int = 3, **settings: Any) -> Stages:
    return Stages("stages", vertices, VECTORS * stages, **settings)


@pytest.mark.parametrize("space", [images(), vectors(), vectors(3, 5), vectors(1, 1), vectors(5, 6)], ids=repr)
def test_stages_conform(space: Stages) -> None:
    check_space(space)


@pytest.mark.parametrize("name", ["onehot", "paths", "cost_tensor", "flops"])
def test_encodings_read_stages(name: str) -> None:
    check_encoding(registry.make("encoding", name), vectors(2, 2))


@pytest.mark.parametrize(
    ("space", "shape"),
    [
        (images(), (1, 8, 8)),
        (images(normed=False), (3, 5, 4)),
        (images(), (2, 12)),
        (vectors(), (10,)),
        (vectors(3, 4, normed=False), (7,)),
    ],
    ids=["images", "odd sizes", "signals", "vectors", "without norms"],
)
def test_costs_are_those_of_the_network(space: Stages, shape: tuple[int, ...]) -> None:
    archs = space.sample(8, np.random.default_rng(0))
    totals = space.totals(archs, classes=5, shape=shape)
    for arch, total in zip(archs, totals, strict=True):
        assert counted(lambda arch=arch: space.build(arch, classes=5, shape=shape), shape)[:2] == tuple(total)
    each = space.costs(archs, classes=5, shape=shape).sum((1, 2, 3))
    around = totals - each
    assert (each > 0).any()
    for k, row in enumerate(archs.genes):  # projections depend on widths alone
        same = (archs.genes[:, [3, 9]] == row[[3, 9]]).all(1) if len(space.stages) == 2 else np.arange(8) == k
        assert (around[same] == around[k]).all()


def test_isomorphic_graphs_are_one_network_and_others_are_not() -> None:
    space = vectors(2, 3)
    archs = space.sample(400, np.random.default_rng(1))
    keys = space.canonical(archs)

    def form(genes: Any) -> tuple[Any, ...]:
        """Of three vertices: sorted (edges in, edges out) tell graphs apart."""
        stages = []
        for block in (genes[:6], genes[6:]):
            edges = [pair for pair, bit in zip(itertools.combinations(range(3), 2), block, strict=False) if bit]
            degrees = sorted((sum(j == v for _, j in edges), sum(i == v for i, _ in edges)) for v in range(3))
            stages.append((*degrees, *block[3:].tolist()))
        return tuple(stages)

    forms = [form(genes) for genes in archs.genes]
    groups = {key: {f for f, k in zip(forms, keys, strict=True) if k == key} for key in set(keys.tolist())}
    assert all(len(group) == 1 for group in groups.values())
    assert len(groups) == len(set(forms))


def test_the_network_computes_what_its_graph_says() -> None:
    space = Stages("one", 3, [StageOptions(4, (2,), ("linear",), ("tanh",))], normed=False)
    network: Any = space.build(space.parse("01.02 2 linear tanh"), classes=3, shape=(5,)).eval()
    stem, stage, end = network
    inward, dag, outward = stage
    assert dag.edges == [(0, 1), (1, 2), (1, 3), (2, 4), (3, 4)]
    x = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    first = inward(stem(x))
    second, third = (torch.tanh(dag.operations[k][0](first)) for k in (1, 2))
    output = torch.tanh(dag.operations[3][0](second)) + torch.tanh(dag.operations[4][0](third))
    torch.testing.assert_close(network(x), end(outward(output / math.sqrt(2))))


def test_a_candidate_as_wide_as_its_stage_has_no_projection() -> None:
    space = vectors(1, 2)
    wide, narrow = (space.build(space.parse(f"01 {width} linear relu"), classes=2, shape=(3,)) for width in (8, 4))
    count = [sum(p.numel() for p in network[1].parameters()) for network in (wide, narrow)]
    assert count == [2 * (8 * 8 + 8) + 16, 2 * (4 * 4 + 4) + 2 * 8 * 4 + 16]


def test_text_is_read_back_and_says_what_is_wrong() -> None:
    space = images()
    text = "01.12 2 conv1x1 tanh | - 4 conv3x3 none"
    arch = space.parse(text)
    assert arch.genes == (1, 0, 1, 0, 1, 1, 0, 0, 0, 0, 0, 1)
    assert space.format(Architectures.of([arch], space)) == [text]
    for wrong, said in {
        "01 2 conv1x1 tanh": "2 stages",
        "05 2 conv1x1 tanh | - 4 conv3x3 none": "stage 1: no edge 05",
        "01 2 conv1x1 tanh | - 5 conv3x3 none": "stage 2: no width 5; there is 4",
        "01 2 conv1x1 | - 4 conv3x3 none": "stage 1: expected edges, width, op, activation",
    }.items():
        with pytest.raises(BadArchitecture, match=said):
            space.parse(wrong)


def test_a_file_declares_stages(tmp_path: Path) -> None:
    file = tmp_path / "deep.toml"
    file.write_text(
        'kind = "stages"\nvertices = 5\nshape = [64]\n[[stages]]\nchannels = 16\nwidths = [1, 4, 16]\n'
        'ops = ["linear"]\nactivations = ["relu", "none"]\nrepeat = 3\n'
    )
    space = load_space(file)
    options = StageOptions(16, [1, 4, 16], ["linear"], ["relu", "none"])
    assert space == Stages("deep", 5, [options] * 3, shape=(64,))
    assert space.size == (2**10 * 3 * 2) ** 3 > 10**9
    assert (
        load_space({"kind": "stages", "vertices": 2, "stages": [{"channels": 4, "ops": ["conv3x3", "skip"]}]}).size == 4
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"vertices": 7}, "vertices"),
        ({"stages": []}, "stages"),
        ({"stages": [{"channels": 8, "widths": [4, 4]}]}, "widths of a stage"),
        ({"stages": [{"channels": 8, "ops": ["a b"]}]}, "ops of a stage"),
        ({"stages": [{"channels": 8, "activations": []}]}, "activations"),
    ],
)
def test_bad_declarations_name_the_field(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(BadSetting, match=said):
        load_space({"kind": "stages", "vertices": 3, "stages": [{"channels": 8}]} | changed)


def test_a_misspelt_key_and_an_unknown_operation_are_named() -> None:
    with pytest.raises(UnknownName, match='did you mean "widths"'):
        load_space({"kind": "stages", "vertices": 3, "stages": [{"channels": 8, "width": [4]}]})
    space = Stages("odd", 2, [StageOptions(4, (), ("konv",))])
    with pytest.raises(BadSetting, match="no operation is called konv"):
        space.build(space.sample(1, np.random.default_rng(0))[0], classes=2, shape=(1, 4, 4))
    with pytest.raises(BadSetting, match="conv3x3 needs images or signals"):
        images().totals(images().sample(1, np.random.default_rng(0)), shape=(4,))


def test_an_operation_of_ones_own_with_a_wrong_shape_is_refused() -> None:
    own = {"wide": lambda c_in, c_out, stride, activation: torch.nn.Linear(c_in, c_out + 1)}
    space = Stages("own", 2, [StageOptions(4, (2,), ("wide",))], operations=own)
    with pytest.raises(BadSetting, match=r"an output of shape \(1, 2\).*not \(1, 3\)"):
        space.build(space.sample(1, np.random.default_rng(0))[0], classes=2, shape=(3,))
