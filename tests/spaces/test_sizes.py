"""Spaces of widths and depths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier

from tierwise import registry
from tierwise.architecture import Architectures
from tierwise.errors import BadSetting
from tierwise.spaces.chain import ChainNetwork
from tierwise.spaces.formulas import Cost
from tierwise.spaces.sizes import Sizes, SizeStage
from tierwise.testing import check_encoding, check_space

PERCEPTRON = ChainNetwork({"": Cost("c_in*c", "c_in*c + c")}, 64, Cost("c*classes", "c*classes + classes"))


def perceptrons() -> Sizes:
    return Sizes("mlp", [SizeStage([8, 16, 32], depths=[1, 2, 3])], network=PERCEPTRON)


@pytest.mark.parametrize(
    "space",
    [
        perceptrons(),
        Sizes("stages", [SizeStage([8, 16], [1, 2], own_widths=False, size=8), SizeStage([16, 32, 64], [0, 4])]),
        Sizes("widths", [SizeStage(range(8, 72, 8), size=16)] * 5),
        Sizes("huge", [SizeStage([16, 32, 64, 128], range(1, 9)), SizeStage([64, 128, 256], range(2, 9))]),
    ],
    ids=lambda space: space.name,
)
def test_a_size_space_conforms(space: Sizes) -> None:
    check_space(space)


@pytest.mark.parametrize("name", ["onehot", "paths", "cost_tensor", "flops", "params"])
def test_every_encoding_reads_sizes(name: str) -> None:
    check_encoding(registry.find("encoding", name)(), perceptrons())


def test_choices_are_named_by_stage_and_layer() -> None:
    space = Sizes("n", [SizeStage([8, 16], [1, 2]), SizeStage([8, 16], [2], own_widths=False, name="head")])
    assert [c.path for c in space.choices] == ["stage1/depth", "stage1/1/width", "stage1/2/width", "head/width"]
    assert space.graph(Architectures(space, np.array([[0, 1, 0, 0]]))[0]).nodes[1:-1] == (
        "width 16",
        "width 8",
        "width 8",
    )


def test_networks_are_as_many_as_sequences_of_widths() -> None:
    space = perceptrons()
    assert space.size == 81
    assert len(np.unique(space.canonical(space.enumerate()))) == 3 + 9 + 27


def test_parameters_are_those_of_the_real_networks() -> None:
    """Against scikit-learn's multilayer perceptrons: its weights are counted, not computed."""
    space, rng = perceptrons(), np.random.default_rng(0)
    x, y = rng.random((20, 64)), np.arange(20) % 10
    archs = space.sample(12, rng)
    graphs = space.graphs(archs)
    for row, params in enumerate(space.totals(archs)[:, 1].tolist()):
        widths = [int(name.removeprefix("width ")) for name in graphs[row].nodes[1:-1]]
        network = MLPClassifier(widths).partial_fit(x, y, classes=range(10))
        assert sum(weights.size for weights in [*network.coefs_, *network.intercepts_]) == params


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        ([], "one stage or more"),
        ([SizeStage([])], "one option or more"),
        ([SizeStage([8, 8])], "each once"),
        ([SizeStage([0, 8])], "numbers of channels"),
        ([SizeStage([8, 16], [])], "numbers of layers"),
        ([SizeStage([8, 16], [0])], "numbers of layers"),
        ([SizeStage([8, 16], [1, 1])], "different numbers"),
        ([SizeStage([8], name="a"), SizeStage([8], name="a")], "different names"),
        ([SizeStage(range(1, 300))], "299 combinations"),
    ],
)
def test_impossible_stages_are_refused(stages: list[Any], said: str) -> None:
    with pytest.raises(BadSetting, match=said):
        Sizes("bad", stages)
