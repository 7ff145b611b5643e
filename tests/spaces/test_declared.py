"""Spaces declared in TOML: read, checked, and searched without a line of code."""

from __future__ import annotations

import functools
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier

from tierwise import Study, registry
from tierwise.architecture import Architecture, Graph
from tierwise.errors import BadSetting, TooLarge, UnknownName
from tierwise.space import Space
from tierwise.spaces.declared import load_space
from tierwise.testing import check_space

EDGES = """
kind = "edges"
nodes = 4
ops = ["none", "skip", "conv1x1", "conv3x3", "pool3x3"]
zero = "none"
identity = "skip"
shared = ["pool3x3"]
[cost.conv1x1]
flops = "c*c*h*w"
params = "c*c"
[cost.conv3x3]
flops = "9*c*c*h*w"
params = "9*c*c"
[network]
stages = [{cells = 2, channels = 16, size = 8}, {cells = 1, channels = 32, size = 4}]
extra = {flops = "c*classes", params = "c*classes + classes"}
"""
NODES = """
kind = "nodes"
nodes = 3
ops = ["conv1x1", "conv3x3", "pool3x3"]
inputs = [1, 2]
output = "ends"
concat = true
shared = ["pool3x3"]
cost.conv3x3 = {flops = "9*c**2*h*w", params = "9*c**2"}
network.stages = [{cells = 3, channels = 16, size = 8}]
"""
CHAIN = """
kind = "chain"
depths = [2, 3, 4]
identity = "skip"
[[layers]]
name = "early"
repeat = 2
op = ["conv", "skip"]
kernel = [1, 3]
channels = 8
size = 8
[[layers]]
name = "late"
repeat = 2
op = ["conv", "skip"]
kernel = [1, 3]
channels = [8, 16]
size = 4
[cost.conv]
flops = "kernel**2*c_in*c*h*w"
params = "kernel**2*c_in*c"
[network]
inputs = 1
extra = {flops = "c*classes", params = "c*classes"}
"""
SIZES = """
kind = "sizes"
stages = [{widths = [4, 8, 16], depths = [1, 2], size = 8}, {widths = [8, 16, 32], depths = [0, 1], size = 4}]
[cost]
flops = "9*c_in*c*h*w"
params = "9*c_in*c"
[network]
inputs = 1
"""
FILES = {"edges": EDGES, "nodes": NODES, "chain": CHAIN, "sizes": SIZES}
GENES = {"edges": 5**6, "nodes": 3**3 * 1 * 3 * 6, "chain": 3 * 4**2 * 8**2, "sizes": 2 * 9 * 2 * 3}


def declared(kind: str, folder: Path, text: str | None = None) -> Space:
    path = folder / f"{kind}.toml"
    path.write_text(FILES[kind] if text is None else text)
    return load_space(path)


@functools.cache
def _digits() -> tuple[NDArray[Any], NDArray[Any]]:
    x, y = load_digits(return_X_y=True)
    return x[:800] / 16, y[:800]


def readout_accuracy(graph: Graph) -> float:
    """Percent of 300 digits right: a linear readout on the features of an untrained network of this graph.

    Convolutions and widths are random layers with rectifiers, pooling is a mean over neighbours.
    """
    x, y = _digits()
    values: list[Any] = [x, *[None] * (len(graph.nodes) - 1)]
    for target in range(1, len(graph.nodes)):
        terms = [_applied(op, values[i], i) for i, j, op in graph.edges if j == target and values[i] is not None]
        if terms:
            least = min(term.shape[1] for term in terms)
            values[target] = _applied(graph.nodes[target], sum(term[:, :least] for term in terms), target)
    if values[-1] is None:
        return 10.0
    readout = RidgeClassifier().fit(values[-1][:500], y[:500])
    return 100 * float(readout.score(values[-1][500:], y[500:]))


def _applied(op: str, value: NDArray[Any], place: int) -> NDArray[Any]:
    if op.startswith("pool"):
        return (value + np.roll(value, 1, 1) + np.roll(value, -1, 1)) / 3
    if not op.startswith(("conv", "width")):
        return value
    width = int(op.removeprefix("width ")) if op.startswith("width") else 12 + 12 * ("3" in op)
    rng = np.random.default_rng([place, width])
    return np.maximum(value @ rng.normal(0, value.shape[1] ** -0.5, (value.shape[1], width)), 0)


@pytest.mark.parametrize("kind", FILES)
def test_a_declared_space_conforms(kind: str, tmp_path: Path) -> None:
    space = declared(kind, tmp_path)
    assert (space.name, space.size) == (kind, GENES[kind])
    check_space(space)


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("strategy", ["random", "evolution", "tiers"])
def test_every_strategy_searches_every_kind(kind: str, strategy: str, tmp_path: Path) -> None:
    space = declared(kind, tmp_path)
    seen: list[Architecture] = []

    def evaluate(arch: Architecture) -> float:
        seen.append(arch)
        return readout_accuracy(space.graph(arch))

    most = float(np.quantile(space.totals(space.sample(500, np.random.default_rng(0)))[:, 1], 0.9))
    with Study(tmp_path / "study.db", space, strategy, evaluate, limits={"params": most}) as study:
        study.run(32)
        assert study.finished == len(seen) == len({int(k) for k in study.history().canon.tolist()}) == 32
        assert study.best()[0].metrics["accuracy"] > 30
        assert (space.totals(study.history().archs)[:, 1] <= most).all()


@pytest.mark.parametrize("kind", FILES)
def test_both_predictors_learn_every_kind(kind: str, tmp_path: Path) -> None:
    space = declared(kind, tmp_path)
    archs = space.sample(60, np.random.default_rng(1))
    labels = space.totals(archs)[:, 1]
    small = {"d_model": 8, "heads": 1, "d_k": 8, "layers": 1, "ffn": 8, "tier_hidden": 8, "score_hidden": 8}
    costs = {"flops_scale": 1e5, "params_scale": 1e3}
    for name, settings in {"tier": {"steps": 60, "members": 2}, "nar": {**small, **costs, "epochs": 2}}.items():
        predictor = registry.make("predictor", name, **settings).fit(archs, labels)
        scores = predictor.predict(archs)
        assert scores.shape == (60,)
        assert np.isfinite(scores).all()
        if name == "tier":
            assert np.corrcoef(scores, labels)[0, 1] > 0.5


def test_a_dict_declares_the_same_space_as_a_file(tmp_path: Path) -> None:
    given = {"kind": "sizes", "name": "mlp", "stages": [{"widths": [8, 16], "depths": [1, 2]}]}
    text = 'name = "mlp"\nkind = "sizes"\nstages = [{widths = [8, 16], depths = [1, 2]}]\n'
    assert load_space(given) == declared("sizes", tmp_path, text)
    copied = pickle.loads(pickle.dumps(load_space(given)))  # noqa: S301  our own bytes: how a worker process gets it
    assert copied == load_space(given)


def test_costs_are_those_of_the_formulas_by_hand(tmp_path: Path) -> None:
    space = declared("edges", tmp_path)
    archs = [Architecture("edges", (3, 0, 2, 0, 0, 1))]
    flops, params = space.totals(space.enumerate()[space.index(_batch(space, archs))])[0]
    assert params == 10 * (2 * 16**2 + 32**2) + 330
    assert flops == 10 * (2 * 16**2 * 64 + 32**2 * 16) + 320


def _batch(space: Space, archs: list[Architecture]) -> Any:
    from tierwise.architecture import Architectures

    return Architectures.of(archs, space)


def test_only_the_declared_edges_exist(tmp_path: Path) -> None:
    space = declared(
        "edges", tmp_path, 'kind = "edges"\nnodes = 4\nops = ["a", "b"]\nedges = [[2,3],[0,1],[0,2],[1,3]]'
    )
    assert [c.path for c in space.choices] == ["cell/0-1", "cell/0-2", "cell/1-3", "cell/2-3"]
    check_space(space)


def test_a_huge_declared_space_samples_but_is_not_listed(tmp_path: Path) -> None:
    space = declared("chain", tmp_path, 'kind = "chain"\nlayers = [{repeat = 30, kernel = [3, 5, 7]}]')
    assert len(space.sample(10, np.random.default_rng(0)).unique()) == 10
    with pytest.raises(TooLarge, match="too many to list"):
        space.enumerate()


MISTAKES = {
    "nothing": ("", "kind = None", "one of edges, nodes, chain, sizes"),
    "no TOML": ("kind = ", "file of a space", "a readable TOML or JSON file"),
    "an unknown kind": ('kind = "edge"', "kind of space", 'did you mean "edges"'),
    "an unknown key": (EDGES.replace("nodes =", "nods ="), "key in", 'did you mean "nodes"'),
    "an unknown key inside": (EDGES.replace("channels = 32", "chanels = 32"), "network.stages.1", '"channels"'),
    "a missing key": ('kind = "nodes"\nops = ["a"]', "nodes = None", "this key is needed"),
    "text for a number": (EDGES.replace("nodes = 4", 'nodes = "4"'), "nodes = '4'", "valid integer"),
    "a truth value for a number": (EDGES.replace("nodes = 4", "nodes = true"), "nodes = True", "valid integer"),
    "a bad name": ('name = "a/b"\n' + SIZES, "name = 'a/b'", "pattern"),
    "no options": (SIZES.replace("[8, 16, 32]", "[]"), "stages.1.widths", "at least 1 item"),
    "a doubled option": (CHAIN.replace("kernel = [1, 3]", "kernel = [3, 3]"), "early.1/kernel", "each once"),
    "a doubled operation": (EDGES.replace('"skip", "conv1x1"', '"skip", "skip"'), "ops", "distinct ops"),
    "a cycle": (EDGES.replace("nodes = 4", "nodes = 4\nedges = [[0,1],[1,2],[2,1],[2,3]]"), "edges", "1 -> 2 -> 1"),
    "a loop": (EDGES.replace("nodes = 4", "nodes = 4\nedges = [[0,1],[1,1],[1,3]]"), "edges", "1 -> 1"),
    "a backward edge": (EDGES.replace("nodes = 4", "nodes = 4\nedges = [[0,2],[2,1],[1,3]]"), "[[2, 1]]", "order of"),
    "an edge to nowhere": (EDGES.replace("nodes = 4", "nodes = 4\nedges = [[0,4]]"), "[0, 4]", "nodes 0 to 3"),
    "a rule for no operation": (EDGES.replace('zero = "none"', 'zero = "non"'), "operation of zero", '"none"'),
    "a cost of no operation": (EDGES.replace("[cost.conv3x3]", "[cost.conv3]"), "operation in", '"conv3x3"'),
    "an unknown variable": (EDGES.replace('"9*c*c"', '"9*ch*c"'), "cost.conv3x3.params", '"ch"'),
    "an unknown variable of a chain": (
        CHAIN.replace("kernel**2*c_in*c*", "kernl**2*c*"),
        "cost.conv.flops",
        '"kernel"',
    ),
    "a division by zero": (EDGES.replace('"9*c*c"', '"c/(h-4)"'), "cost.conv3x3.params", "where c = 32"),
    "a negative cost": (EDGES.replace('"9*c*c"', '"-c"'), "cost.conv3x3.params", "it is -16"),
    "a huge exponent": (EDGES.replace('"9*c*c"', '"c**9"'), "cost.conv3x3.params", "exponent of at most 8"),
    "a huge tower": (EDGES.replace('"9*c*c"', '"((c**8)**8)**8"'), "cost.conv3x3.params", "0 to 2**62"),
    "a call": (EDGES.replace('"9*c*c"', '"max(c,1)"'), "cost.conv3x3.params", "numbers, names"),
    "an attribute": (EDGES.replace('"9*c*c"', '"c.real"'), "cost.conv3x3.params", "numbers, names"),
    "a text as number": (EDGES.replace('"9*c*c"', "\"'c'*3\""), "cost.conv3x3.params", "numbers, names"),
    "no formula": (EDGES.replace('"9*c*c"', '"9*"'), "cost.conv3x3.params", "numbers, names"),
    "deep parentheses": (EDGES.replace('"9*c*c"', f'"{"(" * 240}c{")" * 240}"'), "cost.conv3x3.params", "numbers"),
    "a cost beside the formulas": (SIZES.replace("params =", "param ="), "cost", "param is neither"),
    "one architecture": ('kind = "edges"\nnodes = 3\nops = ["a"]', "1 architecture", "at least 2"),
    "too many options": (NODES.replace("nodes = 3", "nodes = 40").replace("[1, 2]", "20"), "inputs", "too many"),
    "too deep a chain": (CHAIN.replace("[2, 3, 4]", "[2, 5]"), "depth", "4 among them"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_file_and_field(mistake: str, tmp_path: Path) -> None:
    text, field, said = MISTAKES[mistake]
    assert text not in FILES.values()
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises((BadSetting, UnknownName), match=re.escape(said)) as caught:
        load_space(path)
    assert field in str(caught.value)
    assert "mine.toml" in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="nothing.toml"):
        load_space(tmp_path / "nothing.toml")
