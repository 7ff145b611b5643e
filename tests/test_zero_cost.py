"""Many proxies of many architectures: once a network, the same whatever else is asked, worst where nothing passes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.conftest import DATA
from tests.small_networks import Built
from tests.small_spaces import Flat, tiny
from tierwise import make, zero_cost
from tierwise.architecture import Architecture, Architectures
from tierwise.distinct_networks import distinct
from tierwise.errors import BadSetting, UnknownName
from tierwise.networks.passes import reproducible
from tierwise.spaces.darts import DARTS
from tierwise.spaces.nasbench101 import NASBench101
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.spaces.natsbench_size import NATSBenchSize
from tierwise.zero_cost import AZ_NAS, WORST, az_nas, measure, proxies

SPACE = tiny(cls=Built)
NAMES = zero_cost.installed()
QUICK: dict[str, Any] = {"batch": 4, "classes": 3, "shape": (3, 6, 6)}


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    zero_cost._memory.cache_clear()
    yield
    zero_cost._memory.cache_clear()


class Counting(Built):
    """Counts the networks that it builds."""

    def build(self, arch: Architecture, **task: Any) -> nn.Module:
        made.append(arch)
        return super().build(arch, **task)


made: list[Architecture] = []


def cells(*genes: tuple[int, ...]) -> Architectures:
    return Architectures(SPACE, np.array(genes))


def test_the_names_of_the_papers_are_there() -> None:
    """Those of NAS-Bench-Suite-Zero but parameters and FLOPs, which are costs, and what came later."""
    suite = {
        "epe_nas",
        "fisher",
        "grad_norm",
        "grasp",
        "jacob_cov",
        "l2_norm",
        "naswot",
        "plain",
        "snip",
        "synflow",
        "zen",
    }
    assert set(NAMES) == {*suite, "zico", "swap", "ntk", "linear_regions", *AZ_NAS}


def test_a_network_is_built_once_for_all_proxies() -> None:
    space = tiny(cls=Counting)
    archs = Architectures(space, np.array([[0, 2, 0], [3, 2, 0], [0, 2, 4], [3, 3, 3], [0, 2, 0]]))
    steps: list[tuple[int, int]] = []
    made.clear()
    found = proxies(space, archs, NAMES, progress=lambda *step: steps.append(step), **QUICK)
    assert len(set(space.canonical(archs).tolist())) == len(made) == 2
    assert steps == [(1, 2), (2, 2)]
    for column in found.values():
        assert column.shape == (5,)
        assert len(set(column[[0, 1, 2, 4]].tolist())) == 1
    proxies(space, archs[1:], NAMES, **QUICK)
    assert len(made) == 2, "what was measured is remembered"
    proxies(space, archs[:1], NAMES[:1], **{**QUICK, "seed": 1})
    assert len(made) == 3


def test_a_proxy_is_the_same_whatever_else_is_asked() -> None:
    archs = cells((3, 2, 1), (2, 4, 3), (0, 3, 0))
    together = proxies(SPACE, archs, NAMES, **QUICK)
    for name in NAMES:
        zero_cost._memory.cache_clear()
        alone = proxies(SPACE, archs[1:2], [name], **QUICK)[name]
        assert alone[0] == pytest.approx(together[name][1], rel=1e-6), name
    zero_cost._memory.cache_clear()
    backwards = proxies(SPACE, archs[::-1], NAMES[::-1], **QUICK)
    for name, column in together.items():
        assert backwards[name][::-1] == pytest.approx(column, rel=1e-6), name


def test_seeds_and_images_change_what_depends_on_them() -> None:
    archs = cells((3, 2, 1))
    images = np.random.default_rng(5).normal(size=(8, 3, 6, 6))
    base, other, pictures = (
        proxies(SPACE, archs, NAMES, **{**QUICK, **changed}) for changed in ({}, {"seed": 1}, {"images": images})
    )
    assert [name for name in NAMES if base[name] == other[name]] in ([], ["swap"])  # a small whole number
    unchanged = {name for name in NAMES if base[name] == pictures[name]}
    assert {"l2_norm", "synflow", "zen"} <= unchanged <= {"l2_norm", "synflow", "zen", "swap"}


def test_nothing_of_torch_is_left_changed() -> None:
    torch.manual_seed(3)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    proxies(SPACE, cells((3, 2, 1)), NAMES, **QUICK)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads


def test_the_images_say_what_is_built() -> None:
    images = np.zeros((4, 1, 5, 5)) + np.arange(4)[:, None, None, None]
    found = proxies(SPACE, cells((3, 2, 1)), ["l2_norm", "snip"], images=images, batch=4, classes=3)
    stem = proxies(SPACE, cells((3, 2, 1)), ["l2_norm"], batch=4, classes=3, shape=(1, 5, 5))
    assert found["l2_norm"] == stem["l2_norm"]


# ---- the network that stands for its equals -----------------------------------------------------------------


def test_the_smallest_of_equal_networks_is_measured() -> None:
    space = NASBench201()
    every = space.enumerate()
    chosen = distinct(every)
    keys = space.canonical(every)
    assert (space.canonical(chosen) == keys).all()
    assert len(np.unique(chosen.keys())) == len(np.unique(keys)) == 5_260
    params = space.totals(every)[:, 1]
    least = dict(zip(*(column[::-1].tolist() for column in _by_size(keys, params)), strict=True))
    assert space.totals(chosen)[:, 1].tolist() == [least[key] for key in keys.tolist()]
    part = every[[15_000, 3, 77]]
    assert (distinct(part).genes == chosen.genes[[15_000, 3, 77]]).all(), "whatever else is in the batch"
    narrow = space.narrow("cell/0-1", ["none"]).narrow("cell/0-2", ["none", "skip_connect"])
    some = narrow.sample(20, np.random.default_rng(0))
    assert (distinct(some).genes == distinct(Architectures(space, some.genes)).genes).all()


def _by_size(keys: np.ndarray, params: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(params, kind="stable")
    return keys[order], params[order]


def test_dead_convolutions_do_not_count() -> None:
    """The second cell has a convolution that nothing reads and one that reads nothing."""
    space = NASBench201()
    archs = Architectures(space, np.array([[0, 3, 0, 0, 0, 1], [3, 3, 0, 0, 0, 1], [0, 3, 0, 0, 3, 1]]))
    assert len(set(space.totals(archs)[:, 1].tolist())) > 1
    found = proxies(space, archs, ["l2_norm", "naswot", "synflow"], batch=4, shape=(3, 8, 8))
    for column in found.values():
        assert len(set(column.tolist())) == 1


def test_in_other_spaces_each_stands_for_itself() -> None:
    darts, members = DARTS().sample(4, np.random.default_rng(0)), NASBench101().at([0, 5])
    assert (distinct(darts).genes == darts.genes).all()
    assert (distinct(members).genes == members.genes).all()
    flat = Flat().sample(3, np.random.default_rng(0))
    assert (distinct(flat).genes == flat.genes).all()


# ---- what has no score --------------------------------------------------------------------------------------


def test_a_disconnected_cell_is_below_all_others() -> None:
    archs = distinct(SPACE.enumerate()).unique()
    found = proxies(SPACE, archs, [*NAMES, "az_nas"], **QUICK)
    dead = SPACE.canonical(archs) == SPACE.canonical(cells((0, 0, 0)))[0]
    assert dead.sum() == 1
    for name, column in found.items():
        assert np.isfinite(column).all()
        if name != "l2_norm":  # it looks at no image: the weights around the cells are left
            assert (column[~dead] > column[dead]).all() or name == "az_trainability"
        if name not in ("l2_norm", "swap", "linear_regions", "az_nas"):
            assert column[dead] == WORST
        if name != "az_trainability":
            assert (column[~dead] > WORST).all(), name
    assert found["swap"][dead] == found["linear_regions"][dead] == 1


@pytest.mark.parametrize("op", ["skip", "conv1x1", "conv3x3", "pool"])
def test_cells_of_one_operation_have_scores(op: str) -> None:
    code = SPACE.ops.index(op)
    found = proxies(SPACE, cells((0, code, 0)), NAMES, **QUICK)
    worst = {name for name in NAMES if found[name] == WORST}
    assert worst == ({"az_trainability"} if op == "skip" else set()), "a cell that changes nothing is not trainable"


def test_the_sum_of_ranks_is_that_of_the_smallest_networks() -> None:
    archs = cells((3, 2, 1), (0, 3, 2), (1, 1, 1), (4, 0, 2))
    found = proxies(SPACE, archs, [*AZ_NAS, "az_nas"], **QUICK)
    flops = SPACE.totals(distinct(archs), classes=3, shape=(3, 6, 6))[:, 0]
    assert flops[1] < SPACE.totals(archs, classes=3, shape=(3, 6, 6))[1, 0]
    assert found["az_nas"].tolist() == az_nas(*(found[name] for name in AZ_NAS), flops).tolist()
    assert list(proxies(SPACE, archs, ["az_nas"], **QUICK)) == ["az_nas"]


# ---- other spaces and networks ------------------------------------------------------------------------------


@pytest.mark.parametrize("space", [NASBench101(), NATSBenchSize(), DARTS(channels=4, layers=3)], ids=lambda s: s.name)
def test_every_space_that_builds_networks_has_all_proxies(space: Any) -> None:
    some = space.sample(30, np.random.default_rng(0))
    archs = some[[int(space.totals(some)[:, 1].argmin())]]
    found = proxies(space, archs, NAMES, batch=4, shape=(3, 8, 8))
    assert {name for name, column in found.items() if column[0] == WORST} == set()


def test_signals_and_vectors_are_measured_like_images() -> None:
    signals = nn.Sequential(
        *(nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.ReLU(), nn.Conv1d(4, 4, 3), nn.BatchNorm1d(4), nn.ReLU()),
        *(nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 3)),
    )
    vectors = nn.Sequential(
        *(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
    )
    for network, shape in ((signals, (2, 9)), (vectors, (6,))):
        found = measure([network], NAMES, batch=8, classes=3, shape=shape)
        assert {name for name, column in found.items() if column[0] == WORST} == set()


def test_the_encoding_is_the_column() -> None:
    archs = cells((3, 2, 1), (0, 3, 2))
    encoding = make("encoding", "snip", **QUICK)
    assert encoding.transform(archs)[:, 0] == pytest.approx(proxies(SPACE, archs, ["snip"], **QUICK)["snip"], rel=1e-6)
    assert encoding.feature_names(SPACE) == ["snip"]


@pytest.mark.parametrize("name", ["synflow", "l2_norm"])
def test_published_proxies_that_need_no_images_are_reproduced(name: str) -> None:
    """Of NAS-Bench-Suite-Zero; what is left is the luck of other random weights."""
    path = DATA / "nb201_zc13_subset.parquet"
    if not path.is_file():
        pytest.skip(f"no {path.name} in {DATA}: set TIERWISE_DATA to the folder that holds it")
    table = pytest.importorskip("pyarrow.parquet").read_table(path).slice(0, 8)
    space, rows = NASBench201(), table["space_index"].to_pylist()
    with reproducible(0):
        networks = [space.build(arch, classes=10, shape=(3, 32, 32)) for arch in space.at(rows)]
    found = measure(networks, [name])[name]
    assert found == pytest.approx(np.array(table[name].to_pylist()), rel=0.05)
    assert np.ptp(found) > 0.5 * found.mean()


# ---- bad input ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"batch": 1}, "batch = 1"),
        ({"seed": -1}, "seed = -1"),
        ({"classes": 1}, "classes = 1"),
        ({"images": np.zeros((3, 3, 6, 6))}, "4 or more: 1 batches of 4"),
        ({"images": np.full((4, 3, 6, 6), np.nan)}, "images"),
        ({"images": np.array(["a"] * 4)}, "finite numbers"),
        ({"labels": np.zeros(3, int), "images": np.zeros((4, 3, 6, 6))}, "a whole number below 3 for each image"),
        ({"labels": np.array([0, 1, 2, 3]), "images": np.zeros((4, 3, 6, 6))}, "labels"),
        ({"labels": np.zeros(8)}, "labels"),
    ],
)
def test_bad_settings_are_named(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(BadSetting, match=says):
        proxies(SPACE, cells((3, 2, 1)), ["snip"], **{**QUICK, **settings})


def test_zico_needs_two_batches() -> None:
    with pytest.raises(BadSetting, match="8 or more: 2 batches of 4"):
        proxies(SPACE, cells((3, 2, 1)), ["zico"], **QUICK, images=np.zeros((7, 3, 6, 6)))


def test_what_is_no_proxy_is_named() -> None:
    with pytest.raises(UnknownName, match='did you mean "synflow"'):
        proxies(SPACE, cells((3, 2, 1)), ["synflw"], **QUICK)
    with pytest.raises(BadSetting, match="az_expressivity, .*, zico, az_nas"):
        proxies(SPACE, cells((3, 2, 1)), ["onehot"], **QUICK)
    with pytest.raises(BadSetting, match="a space that builds networks"):
        proxies(Flat(), Flat().sample(1, np.random.default_rng(0)), ["snip"], **QUICK)
