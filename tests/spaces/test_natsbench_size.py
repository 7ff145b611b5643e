"""The 32,768 networks of five widths: official order, official costs, and the networks themselves."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tierwise import Study, make
from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadArchitecture, BadSetting
from tierwise.spaces.natsbench_size import NATSBenchSize
from tierwise.testing import check_space

SPACE = NATSBenchSize()
EVERY = SPACE.enumerate()
TASKS = {"cifar10": (10, (3, 32, 32)), "cifar100": (100, (3, 32, 32)), "imagenet16-120": (120, (3, 16, 16))}
# index and text, then million FLOPs and million parameters: as in the sample files of the authors' own repository
# (indices 0, 11 and 284) and in its notebook (index 12)
PUBLISHED = [
    (0, "8:8:8:8:8", "cifar10", 4.481114, 0.011714),
    (0, "8:8:8:8:8", "cifar100", 4.481924, 0.012524),
    (0, "8:8:8:8:8", "imagenet16-120", 1.121336, 0.012704),
    (11, "8:8:8:16:32", "cifar10", 6.84065, 0.049202),
    (11, "8:8:8:16:32", "cifar100", 6.84362, 0.052172),
    (11, "8:8:8:16:32", "imagenet16-120", 1.71404, 0.052832),
    (12, "8:8:8:16:40", "cifar10", 7.991706, 0.067378),
    (284, "8:8:40:32:40", "cifar10", 21.827994, 0.144834),
    (284, "8:8:40:32:40", "cifar100", 21.831684, 0.148524),
    (284, "8:8:40:32:40", "imagenet16-120", 5.461816, 0.149344),
]


def test_it_does_all_that_a_space_must() -> None:
    check_space(SPACE)


@pytest.mark.parametrize(("index", "text", "task", "flops", "params"), PUBLISHED)
def test_published_networks_cost_what_was_published(
    index: int, text: str, task: str, flops: float, params: float
) -> None:
    classes, shape = TASKS[task]
    assert SPACE.format(SPACE.at([index])) == [text]
    assert SPACE.parse(text) == SPACE.parse(str(index)) == SPACE.at([index])[0]
    found = SPACE.totals(SPACE.at([index]), classes=classes, shape=shape)[0]
    assert found.tolist() == [round(1e6 * flops), round(1e6 * params)]


def test_the_official_order_counts_the_last_layer_fastest() -> None:
    """As in the list of all names in the meta file of the authors' repository."""
    widths = [str(8 * k) for k in range(1, 9)]
    assert SPACE.format(EVERY) == [":".join(row) for row in itertools.product(widths, repeat=5)]
    assert SPACE.size == 32_768


def test_every_text_and_index_is_read_back() -> None:
    some = np.arange(0, SPACE.size, 101)
    assert [SPACE.parse(text) for text in SPACE.format(SPACE.at(some))] == list(SPACE.at(some))
    assert [SPACE.parse(str(row)) for row in some] == list(SPACE.at(some))


@settings(deadline=None, max_examples=40)
@given(st.text(max_size=30))
def test_noise_is_refused_with_a_named_error(noise: str) -> None:
    for text in (noise, "8:8:8:8:" + noise):
        try:
            assert SPACE.parse(text) in SPACE
        except BadArchitecture as error:
            assert error.text.strip() == text.strip()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("8:8:8:8", "4 widths"),
        ("8:8:8:8:9", "width '9', allowed 8, 16"),
        ("8:8:8:8:08", "width '08'"),
        ("32768", "0 to 32767"),
        ("9" * 5_000, "0 to 32767"),
        ("nats-bench-size/0-0-0-0-8", "allowed 0 to 7"),
    ],
)
def test_a_text_that_is_no_network_says_why(text: str, says: str) -> None:
    with pytest.raises(BadArchitecture, match=says):
        SPACE.parse(text)


def test_wider_layers_cost_more() -> None:
    for layer in range(5):
        genes = np.repeat([[3, 3, 3, 3, 3]], 8, axis=0)
        genes[:, layer] = range(8)
        totals = SPACE.totals(Architectures(SPACE, genes))
        rises = np.diff(totals, axis=0) > 0
        assert rises[[0, 1, 4, 5, 6]].all(), "the widths next to 32 save the linear map of a skip"


@pytest.mark.parametrize("shape", [(3, 30, 32), (3, 32, 30), (0, 32, 32), (64,)])
def test_an_impossible_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadSetting, match="divisible by 4"):
        SPACE.totals(SPACE.at([0]), shape=shape)
    with pytest.raises(BadSetting, match="divisible by 4"):
        SPACE.build(SPACE.at([0])[0], classes=10, shape=shape)


def test_the_graph_is_a_path_of_widths() -> None:
    graph = SPACE.graph(SPACE.parse("8:16:24:32:40"))
    assert graph.nodes == ("input", "8", "16", "24", "32", "40", "output")
    assert graph.edges == tuple((k, k + 1, "") for k in range(6))


def test_built_networks_have_exactly_the_counted_parameters() -> None:
    torch = pytest.importorskip("torch")
    some = [*SPACE.sample(6, np.random.default_rng(0)), SPACE.parse("8:8:8:8:8"), SPACE.parse("64:64:64:64:64")]
    for arch, (classes, shape) in zip(some, itertools.cycle(TASKS.values()), strict=False):
        network = SPACE.build(arch, classes=classes, shape=shape)
        counted = SPACE.totals(Architectures.of([arch], SPACE), classes=classes, shape=shape)[0, 1]
        assert sum(p.numel() for p in network.parameters()) == counted
        assert network(torch.zeros(2, *shape)).shape == (2, classes)
    with pytest.raises(BadArchitecture):
        SPACE.build(Architecture("nats-bench-size", (0, 0, 0, 0, 8)), classes=10, shape=(3, 32, 32))


@pytest.mark.parametrize("strategy", ["random", "evolution", "tiers"])
def test_a_search_finds_what_is_large_but_not_too_costly(strategy: str) -> None:
    """Accuracy of a made-up kind: it grows with the parameters, and ever less with the FLOPs."""

    def value(arch: Architecture) -> float:
        flops, params = SPACE.totals(Architectures.of([arch], SPACE))[0] / 1e6
        return float(np.log(params) - 0.01 * flops)

    totals = SPACE.totals(EVERY) / 1e6
    every = np.log(totals[:, 1]) - 0.01 * totals[:, 0]
    with Study(None, SPACE, strategy, value) as study:
        study.run(40)
        found = study.best()[0].metrics["accuracy"]
    assert found > np.quantile(every, 0.98 if strategy == "tiers" else 0.9)


def test_every_encoding_tells_networks_apart() -> None:
    some = SPACE.sample(60, np.random.default_rng(1)).unique()
    for name in ("onehot", "paths", "cost_tensor"):
        encoded = make("encoding", name).transform(some).reshape(len(some), -1)
        assert len(np.unique(encoded, axis=0)) == len(some)
