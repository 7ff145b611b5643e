"""Spaces of one's own code: which choices are found, when they are asked for, what follows, and what is refused."""

from __future__ import annotations

import functools
import itertools
import pickle
import random
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tests.marked_networks import Net, Numbers, ParametersOf, perceptron
from tests.spaces.test_building import multiply_adds, parameters
from tierwise import Study, pick, space_of
from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadArchitecture, BadSetting, UnknownName
from tierwise.spaces import marked
from tierwise.testing import check_space

SHAPE = (3, 8, 8)
BLOCKS = ("conv", "depthwise", "none")


@pytest.fixture(scope="module")
def space() -> marked.Marked:
    return space_of(Net, shape=SHAPE)


def parameters_by_hand(width: int, blocks: tuple[str, ...], kernel: int) -> int:
    each = {"conv": kernel**2 * width**2 + width, "depthwise": 9 * width + width, "none": 0}
    return 3 * width + width + sum(each[block] for block in blocks) + width * 10 + 10


def networks() -> set[tuple[int, tuple[str, ...], int]]:
    """Every network of `Net`: width, blocks, and the kernel, 0 where no block has one."""
    found = set()
    for width, depth in itertools.product((4, 6, 8), (1, 2, 3)):
        for blocks in itertools.product(BLOCKS, repeat=depth):
            found |= {(width, blocks, kernel) for kernel in ((3, 5) if "conv" in blocks else (0,))}
    return found


# ---- outside of a search ------------------------------------------------------------------------------------


def test_code_that_picks_takes_the_first_options_by_itself() -> None:
    network = Net()
    assert parameters(network) == parameters_by_hand(4, ("conv",), 3)
    assert pick("width", range(3, 5)) == 3
    assert pick("act", [nn.ReLU, nn.GELU]) is nn.ReLU
    assert pick("block", {"pair": lambda: [1], "none": list}) == [1]
    assert pick("activation", {"relu": (made := nn.ReLU()), "none": None}) is made


# ---- what is found ------------------------------------------------------------------------------------------


def test_choices_and_when_they_are_asked_for(space: marked.Marked) -> None:
    assert {c.path: c.options for c in space.choices} == {
        "width": ("4", "6", "8"),
        "depth": ("1", "2", "3"),
        "kernel": ("3", "5"),
        **{f"block{k}": BLOCKS for k in range(3)},
    }
    assert (space.name, space.size) == ("Net", 3 * 3 * 2 * 3**3)
    assert space.when("width") == space.when("block0") == ""
    assert (space.when("block1"), space.when("block2")) == ("depth in 2, 3", "depth in 3")
    assert "block0 in conv" in space.when("kernel")
    with pytest.raises(UnknownName, match='did you mean "block2"'):
        space.when("blck2")


def test_architectures_are_equal_where_the_code_does_the_same(space: marked.Marked) -> None:
    every = space.enumerate()
    seen = set()
    for arch, key in zip(every, space.canonical(every).tolist(), strict=True):
        chosen = space.decisions(arch)
        blocks = tuple(chosen[f"block{k}"] for k in range(int(chosen["depth"])))
        network = int(chosen["width"]), blocks, int(chosen["kernel"]) if "conv" in blocks else 0
        seen.add((key, network))
    assert {network for _, network in seen} == networks()
    assert len(seen) == len(networks()) == len({key for key, _ in seen})


@pytest.mark.parametrize("made", [lambda: space_of(Net, shape=SHAPE), lambda: space_of(perceptron, shape=(5,))])
def test_a_marked_space_conforms(made: Callable[[], marked.Marked]) -> None:
    check_space(made())


def test_graphs_are_paths_of_what_was_taken(space: marked.Marked) -> None:
    graph = space.graph(space.parse("width=6; depth=2; block0=none; block1=conv; kernel=5"))
    assert graph.nodes[:3] == ("input", "width 6", "depth 2")
    assert sorted(graph.nodes[3:-1]) == ["block conv", "block none", "kernel 5"]
    assert graph.edges == tuple((k, k + 1, "") for k in range(len(graph.nodes) - 1))


def test_text_names_choices_and_marks_what_is_not_asked_for(space: marked.Marked) -> None:
    arch = space.parse("depth=1; block0=depthwise")
    text = space.format(Architectures.of([arch], space))[0]
    assert space.parse(text) == arch
    assert "width=4; depth=1; block0=depthwise" in text
    assert "(block2=conv)" in text
    assert "(kernel=3)" in text
    for wrong in ("depth=4", "deep=1", "depth=1, width=4", "(depth=1"):
        with pytest.raises(BadArchitecture, match=r"is no choice and option of Net: .*depth=1\|2\|3"):
            space.parse(wrong)


# ---- networks and costs -------------------------------------------------------------------------------------


def test_networks_and_their_costs(space: marked.Marked) -> None:
    archs = space.sample(25, np.random.default_rng(0))
    for arch, (flops, params) in zip(archs, space.totals(archs).tolist(), strict=True):
        chosen = space.decisions(arch)
        blocks = tuple(chosen[f"block{k}"] for k in range(int(chosen["depth"])))
        network = space.build(arch, classes=10, shape=SHAPE)
        assert type(network) is Net
        assert parameters(network) == params == parameters_by_hand(int(chosen["width"]), blocks, int(chosen["kernel"]))
        # 'same' padding is a convolution that the hooks see as well
        assert multiply_adds(network, SHAPE) == flops
    assert space.build(archs[0], classes=4, shape=(1, 8, 8))(torch.zeros(2, 1, 8, 8)).shape == (2, 4)


def test_costs_of_very_many_networks_are_sums(space: marked.Marked, monkeypatch: pytest.MonkeyPatch) -> None:
    one_by_one = space.totals(space.enumerate())
    monkeypatch.setattr(marked, "_FEW", 10)
    fresh = space_of(Net, shape=SHAPE)
    assert fresh.totals(fresh.enumerate()).tolist() == one_by_one.tolist()
    assert len(fresh._counted) < 150 < len(networks())


def test_costs_that_are_no_small_sums_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def tangled() -> nn.Module:
        numbers = [pick(f"n{k}", [1, 2, 3]) for k in range(3)]
        return nn.Linear(4, 1 + 7 * (numbers == [3, 2, 3]))

    found = space_of(tangled, shape=(4,))
    monkeypatch.setattr(marked, "_FEW", 2)
    expected = [40 if arch.genes == (2, 1, 2) else 5 for arch in found.enumerate()]
    assert found.totals(found.enumerate())[:, 1].tolist() == expected


def test_limits_hold_and_workers_build(space: marked.Marked) -> None:
    most = 300
    with Study(None, space, "random", ParametersOf(space), limits={"params": most}) as study:
        study.run(6, executor="local", workers=1)
        values = [trial.metrics["accuracy"] for trial in study.trials()]
        assert len(values) == 6
        assert values == space.totals(study.history().archs)[:, 1].tolist()
        assert max(values) <= most


def test_what_a_builder_may_take() -> None:
    found = space_of(perceptron, shape=(5,))
    assert found.name == "perceptron"
    assert found.when("width2") == "layers in 2"
    assert found.build(found.parse("width1=8; layers=2"), classes=3, shape=(5,))(torch.zeros(2, 5)).shape == (2, 3)
    assert found.totals(found.at([0]), classes=3).tolist() == [[5 * 4 + 4 * 3, 5 * 4 + 4 + 4 * 3 + 3]]
    of_two = space_of(functools.partial(perceptron, classes=2), name="two", classes=9, shape=(5,))
    assert of_two.totals(of_two.at([0]), classes=3)[0, 1] == 5 * 4 + 4 + 4 * 9 + 9
    assert pickle.loads(pickle.dumps(of_two)) == of_two  # noqa: S301  our own bytes: how a worker process gets it


def test_code_that_needs_numbers_is_run_with_numbers() -> None:
    before = torch.get_rng_state()
    found = space_of(Numbers, shape=(4,))
    assert found.totals(found.enumerate()).tolist() == [[32, 40], [48, 60]]
    assert torch.equal(before, torch.get_rng_state())


# ---- conditions of other kinds ------------------------------------------------------------------------------


def conditional(rule: Callable[[Mapping[str, str]], bool], choices: int, options: int = 2) -> Callable[[], nn.Module]:
    """Code in which ``extra`` is picked where a rule of the options before it holds."""

    def build() -> nn.Module:
        taken = {f"c{k}": pick(f"c{k}", [str(o) for o in range(options)]) for k in range(choices)}
        return nn.Linear(1, pick("extra", [1, 2]) if rule(taken) else 1)

    return build


RULES: dict[str, Callable[[Mapping[str, str]], bool]] = {
    "both of two": lambda c: c["c1"] == c["c4"] == "1",
    "either of three": lambda c: "1" in (c["c0"], c["c3"], c["c5"]),
    "all of five": lambda c: all(c[f"c{k}"] == "1" for k in range(5)),
    "exactly one of two": lambda c: c["c0"] != c["c2"],
    "a sum": lambda c: sum(int(c[f"c{k}"]) for k in range(6)) >= 4,
    "two alike": lambda c: c["c1"] == c["c2"],
}


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_of_a_few_choices_is_learnt(rule: str) -> None:
    found = space_of(conditional(RULES[rule], 6))
    every = found.enumerate()
    expected = [RULES[rule](found.decisions(arch)) for arch in every]
    gene = [c.path for c in found.choices].index("extra")
    assert found.conditions.asked(every.genes)[:, gene].tolist() == expected
    assert 0 < sum(expected) < len(expected)


def test_choices_inside_choices() -> None:
    def build() -> nn.Module:
        depth = 0
        while depth < 8 and pick(f"more{depth}", ["yes", "no"] if depth % 2 else ["no", "yes"]) == "yes":
            pick(f"width{depth}", [1, 2])
            depth += 1
        return nn.Linear(1, 1 + depth)

    found = space_of(build)
    assert len(found.choices) == 16
    assert len(np.unique(found.canonical(found.enumerate()))) == sum(2**k for k in range(9))
    assert found.when("more3") == "more0 in yes and more1 in yes and more2 in yes"


@settings(deadline=None, max_examples=15)
@given(st.data())
def test_two_architectures_are_equal_where_random_code_does_the_same(data: st.DataObject) -> None:
    """Each choice is picked where one of some earlier choices has some option, or where all of them have."""
    rules: list[tuple[bool, list[tuple[int, int]]]] = [(True, [])]
    for k in range(1, 6):
        literals = data.draw(st.lists(st.tuples(st.integers(0, k - 1), st.integers(0, 2)), max_size=2))
        rules.append((data.draw(st.booleans()) or not literals, literals))

    def taken(answer: Callable[[str, list[int]], int]) -> dict[int, int]:
        found: dict[int, int] = {}
        for k, (every, literals) in enumerate(rules):
            holds = [found.get(other) == option for other, option in literals]
            if all(holds) if every else any(holds):
                found[k] = answer(f"c{k}", [0, 1, 2])
        return found

    found = space_of(lambda: nn.Linear(1, 1 + len(taken(pick))), name="random")
    archs = found.enumerate()
    does: list[Any] = []
    for arch in archs:
        decisions = found.decisions(arch)
        does.append(tuple(taken(lambda name, _, decisions=decisions: int(decisions[name])).items()))
    pairs = set(zip(found.canonical(archs).tolist(), does, strict=True))
    assert len(pairs) == len(set(does)) == len({key for key, _ in pairs})


# ---- what is refused ----------------------------------------------------------------------------------------


def linear(width: Any) -> nn.Module:
    return nn.Linear(1, int(width))


def chance() -> nn.Module:
    return linear(pick("a", [1, 2]) if random.random() < 0.5 else pick("b", [1, 2]))


def chance_of_options() -> nn.Module:
    return linear(pick("a", random.sample(range(1, 60), 20)))


def changing_options() -> nn.Module:
    return linear(pick("kernel", [3, 5] if pick("a", ["x", "y"]) == "x" else [7, 9]))


def one_name_twice() -> nn.Module:
    return nn.Sequential(linear(pick("width", [1, 2])), linear(pick("width", [2, 3])))


def no_options() -> nn.Module:
    return linear(pick("width", []))


def one_option_twice() -> nn.Module:
    return linear(pick("width", [1, 1]))


def bad_name() -> nn.Module:
    return linear(pick("my width", [1, 2]))


def unnamed_option() -> nn.Module:
    return pick("layer", [nn.Linear(1, 1), nn.Linear(1, 2)])


def unnamed_function() -> nn.Module:
    return pick("layer", [lambda: 1, lambda: 2])


def awkward_option() -> nn.Module:
    return linear(len(pick("text", ["a=b", "c"])))


def no_choice() -> nn.Module:
    return linear(1)


def one_architecture() -> nn.Module:
    return linear(pick("width", [1]))


def no_module() -> Any:
    return pick("width", [1, 2])


def failing() -> nn.Module:
    width, depth = pick("width", [8, 16]), pick("depth", [1, 2])
    return nn.Conv2d(width, 6 if depth == 2 else 8, 3, groups=8)


def needing(depth: int, width: int) -> nn.Module:
    return linear(pick("a", [1, 2]) * depth * width)


def parity() -> nn.Module:
    odd = sum(pick(f"c{k}", [0, 1]) for k in range(12)) % 2
    return linear(pick("extra", [1, 2]) if odd else 1)


REFUSED: dict[str, tuple[Any, str]] = {
    "chance": (chance, r"choice [ab] = .*the code picks now [ab], now [ab]"),
    "options by chance": (chance_of_options, "choice a = .*the same options in the same order"),
    "options that change": (changing_options, r"choice kernel = \['7', '9'\].*as before with 3; or another name"),
    "one name with two lists": (one_name_twice, r"choice width = \['2', '3'\].*as before with 1, 2; or another name"),
    "no options": (no_options, r"options of the choice width = \[\].*one option or more"),
    "an option twice": (one_option_twice, "one option or more, each once"),
    "a bad name": (bad_name, "name of a choice = 'my width'"),
    "an option without a name": (unnamed_option, r'choice layer = \'Linear\'.*pick\("layer", \{"name": what\}\)'),
    "a function without a name": (unnamed_function, "choice layer = 'function'"),
    "an option that texts cannot hold": (awkward_option, "without ; = and line breaks"),
    "no choice": (no_choice, r"choices = 'none'.*pick\(name, options\)"),
    "one architecture": (one_architecture, "choices of one_architecture = '1 architecture'"),
    "no module": (no_module, "it gives a int, no torch.nn.Module"),
    "a network that fails": (
        failing,
        "a network for every combination of choices; this one raises ValueError",
    ),
    "an instance": (Net(), "no module that is built"),
    "other arguments": (needing, r"arguments of .*needing.*\['depth', 'width'\].*functools.partial"),
    "a rule of too many": (parity, "choice extra = 'no rule found that says when it is asked for'"),
    "no function": (3, "a module class, or a function that gives a module"),
}


@pytest.mark.parametrize("mistake", REFUSED)
def test_what_cannot_be_traced_is_named(mistake: str) -> None:
    made, said = REFUSED[mistake]
    with pytest.raises(BadSetting, match=said):
        space_of(made)


def test_the_architecture_that_fails_is_named() -> None:
    with pytest.raises(BadSetting, match=re.escape("width=8; depth=2")):
        space_of(failing)


def test_inputs_that_a_network_does_not_take_name_the_architecture() -> None:
    found = space_of(perceptron)
    with pytest.raises(
        BadSetting, match=r"costs of the space = 'width1=8; layers=1; width2=4'.*space_of\(\.\.\., shape="
    ):
        found.totals(Architectures.of([found.parse("width1=8")], found))


def test_a_pick_while_the_network_runs_is_refused() -> None:
    class Late(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = linear(pick("width", [1, 2]))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(x) * pick("scale", [1, 2])

    found = space_of(Late, shape=(1,))
    with pytest.raises(BadSetting, match="choice scale = 'asked for while the network runs'"):
        found.totals(found.enumerate())


def test_what_no_other_process_can_import_says_so() -> None:
    found = space_of(lambda: linear(pick("width", [1, 2])), name="local")
    assert found.narrow("width", ["2"]).size == 1  # narrowing copies, and needs no other process
    with pytest.raises(BadSetting, match=r"space of .*top level of a module.*executor 'inline'"):
        pickle.dumps(found)


def test_a_choice_that_no_run_has_met_is_refused_when_it_is_met(space: marked.Marked) -> None:
    class Later:
        met = False

    def build() -> nn.Module:
        return linear(pick("width", [1, 2]) + (pick("late", [1, 2]) if Later.met else 0))

    found = space_of(build, shape=(1,))
    Later.met = True
    with pytest.raises(BadSetting, match="choices of build = 'late in build/0'"):
        found.build(Architecture("build", (0,)), classes=2, shape=(1,))
