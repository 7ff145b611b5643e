"""What is published of the benchmarks, and what was counted in their tables, comes out of ours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.stats import kendalltau, spearmanr

from tests.conftest import DATA
from tierwise.architecture import Architectures
from tierwise.benchmarks.converted import load, nasbench101
from tierwise.benchmarks.recorded import objective
from tierwise.importers.convert import add
from tierwise.spaces.nasbench101 import NASBench101
from tierwise.spaces.nasbench201 import NASBench201

CELLS = NASBench201()
SHORT = {"cifar10": "c10", "cifar100": "c100", "imagenet16-120": "in16"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with both tables."""
    files = [DATA / "nb201.npz", DATA / "nb101.npz"]
    for file in files:
        if not file.is_file():
            pytest.skip(f"no {file.name} in {DATA}: set TIERWISE_DATA to the folder that holds it")
    folder = tmp_path_factory.mktemp("home")
    add(files, folder=folder / "benchmarks")
    return folder


@pytest.fixture(autouse=True)
def _at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIERWISE_HOME", str(home))


def column(dataset: str, label: str) -> Any:
    return load("nasbench201-npz", CELLS, dataset, label).expected("accuracy")


@pytest.fixture(scope="module")
def sample() -> Mapping[str, Any]:
    with np.load(DATA / "nb101.npz", allow_pickle=False) as arrays:
        return dict(arrays)


# ---- NAS-Bench-201 -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dataset", "test", "test_row", "validation", "validation_row", "mean", "test_of_validation_best"),
    [
        ("cifar10", 94.3733, 6111, 91.6067, 6111, 87.0629, 94.3733),
        ("cifar100", 73.5133, 9930, 73.4933, 9930, 61.4055, 73.5133),
        ("imagenet16-120", 47.3111, 857, 46.7333, 10_676, 33.5864, 46.2000),
    ],
)
def test_the_best_cells(
    dataset: str,
    test: float,
    test_row: int,
    validation: float,
    validation_row: int,
    mean: float,
    test_of_validation_best: float,
) -> None:
    tested, validated = column(dataset, "test@200"), column(dataset, "validation@200")
    assert len(tested) == len(validated) == 15_625
    assert (int(tested.argmax()), int(validated.argmax())) == (test_row, validation_row)
    assert tested.max() == pytest.approx(test, abs=6e-5)
    assert validated.max() == pytest.approx(validation, abs=6e-5)
    assert tested.mean() == pytest.approx(mean, abs=6e-5)
    assert tested[validated.argmax()] == pytest.approx(test_of_validation_best, abs=6e-5)


@pytest.mark.parametrize(
    ("dataset", "rho", "tau"),
    [("cifar10", 0.9841, 0.5945), ("cifar100", 0.9934, 0.6448), ("imagenet16-120", 0.9948, 0.6433)],
)
def test_what_validation_and_short_training_say_of_the_test(dataset: str, rho: float, tau: float, nb201: Any) -> None:
    tested = nb201[f"{SHORT[dataset]}_test200_mean"]  # as recorded: single seeds were evaluated again by their source
    assert spearmanr(column(dataset, "validation@200"), tested).statistic == pytest.approx(rho, abs=6e-5)
    assert kendalltau(column(dataset, "validation@12"), tested).statistic == pytest.approx(tau, abs=6e-5)


@pytest.mark.parametrize(
    ("dataset", "classes", "shape", "params", "macs", "scale"),
    [
        ("cifar10", 10, (3, 32, 32), 0.073306, 7.78241, 1.0),
        ("cifar100", 100, (3, 32, 32), 0.079156, 7.78250, 1.0),
        ("imagenet16-120", 120, (3, 16, 16), 0.080456, 1.94572, 0.25),
    ],
)
def test_costs_are_linear_in_the_convolutions(
    dataset: str, classes: int, shape: tuple[int, int, int], params: float, macs: float, scale: float, nb201: Any
) -> None:
    every = CELLS.enumerate()
    small, large = (every.genes == 2).sum(1), (every.genes == 3).sum(1)
    totals = CELLS.totals(every, classes=classes, shape=shape) / 1e6
    np.testing.assert_allclose(totals[:, 1], params + 0.028 * small + 0.24304 * large, atol=1e-7)
    recorded = nb201[f"{SHORT[dataset]}_flops_M"]
    np.testing.assert_allclose(recorded, macs + scale * (3.93216 * small + 35.38944 * large), atol=2e-5)


def test_multiplications_of_the_first_cells() -> None:
    macs = objective("nasbench201-npz", CELLS, "cifar10", "conv_macs")
    np.testing.assert_allclose(macs[:2] / 1e6, [15.64673, 113.95073], atol=5e-6)


@pytest.mark.parametrize(
    ("dataset", "share", "most"), [("cifar10", 0, 0), ("cifar100", 1.11, 0.010), ("imagenet16-120", 0.81, 0.083)]
)
def test_single_seeds_and_their_recorded_mean(dataset: str, share: float, most: float, nb201: Any) -> None:
    short = SHORT[dataset]
    apart = abs(np.nanmean(nb201[f"{short}_test200"].astype(float), 1) - nb201[f"{short}_test200_mean"])
    assert 100 * (apart > 1e-3).mean() == pytest.approx(share, abs=0.006)
    if most:
        assert apart.max() == pytest.approx(most, abs=6e-4)


def test_the_number_of_seeds() -> None:
    runs = load("nasbench201-npz", CELLS, "cifar100", "validation#noise").metrics["accuracy"]
    assert np.bincount(np.isfinite(runs).sum(1)).tolist() == [0, 0, 7_456, 8_169]


def test_disconnected_cells_and_their_marks() -> None:
    keys = CELLS.canonical(CELLS.enumerate())
    disconnected = keys == CELLS.canonical(Architectures(CELLS, np.zeros((1, 6))))
    zen = objective("nasbench201-npz", CELLS, "cifar10", "zen")
    assert disconnected.sum() == 341
    assert np.array_equal(zen == -1e8, disconnected)


@pytest.mark.parametrize(
    ("proxy", "finite_only", "rho"),
    [("ninaswot", True, 0.679), ("ninaswot", False, 0.691), ("ntk", True, 0.642), ("logsynflow", True, 0.767),
     ("synflow", True, 0.585), ("entropy", True, 0.714), ("zen", True, 0.386)],
)  # fmt: skip
def test_zero_cost_scores_rank_as_counted(proxy: str, finite_only: bool, rho: float) -> None:
    """Where scores that are not finite are ranked, they are the lowest."""
    tested = column("cifar10", "test@200")
    score = objective("nasbench201-npz", CELLS, "cifar10", proxy).astype(float)
    kept = np.isfinite(score) if finite_only else np.ones(len(score), bool)
    assert spearmanr(score[kept], tested[kept]).statistic == pytest.approx(rho, abs=6e-4)


def test_two_sources_of_zero_cost_scores_are_not_one() -> None:
    path = DATA / "nb201_zc13_subset.parquet"
    if not path.is_file():
        pytest.skip(f"no {path.name} in {DATA}")
    table = pq.read_table(path)
    first = np.array(table["dataset"].to_pylist()) == "c10"
    source = np.array(table["src"].to_pylist())[first]
    rows = table["space_index"].to_numpy()[first]
    tested = column("cifar10", "test@200")[rows]
    figures = {"archvizd3": (0.818, 0.792, 0.769, 0.725), "naslib": (0.800, 0.776, 0.772, 0.733)}
    for name, wanted in figures.items():
        for proxy, rho in zip(("nwot", "synflow", "params", "jacov"), wanted, strict=True):
            score = np.nan_to_num(table[proxy].to_numpy()[first][source == name], nan=-np.inf)  # none ranks last
            assert spearmanr(score, tested[source == name]).statistic == pytest.approx(rho, abs=6e-4), (name, proxy)


# ---- NAS-Bench-101 -------------------------------------------------------------------------------------------------


def test_the_labelled_sample_of_nasbench101(sample: Mapping[str, Any]) -> None:
    table = nasbench101(table="nasbench101-sample", label="validation@108")
    accuracy = table.expected("accuracy")
    assert accuracy is not None
    assert table.space.size == 30_001
    rows = NASBench101().index(table.space.enumerate())
    assert rows.tolist() == [*range(20_001), *range(36_202, 46_202)]
    assert accuracy.max() == pytest.approx(94.912, abs=6e-4)
    assert accuracy.mean() == pytest.approx(91.046, abs=6e-3)
    np.testing.assert_allclose(np.percentile(accuracy, (1, 50, 99)), (82.9, 91.6, 94.3), atol=0.06)
    assert accuracy[0] == pytest.approx(93.049, abs=6e-4)


@pytest.mark.parametrize(("of", "rho"), [("4", 0.451), ("12", 0.618), ("36", 0.879), ("params", 0.448), ("zen", 0.643)])
def test_what_less_than_full_training_says_on_nasbench101(of: str, rho: float, sample: Mapping[str, Any]) -> None:
    full = sample["labelled_val108"]
    if of == "params":
        other = sample["params"][sample["labelled_space_index"]]
    elif of == "zen":
        full, other = full[sample["zen_index"]], sample["zen"]
        assert sorted(sample["zen_index"].tolist()) == list(range(10_250))
    else:
        other = nasbench101(table="nasbench101-sample", label=f"validation@{of}").expected("accuracy")
    assert spearmanr(other, full).statistic == pytest.approx(rho, abs=6e-4)


def test_zero_cost_rows_of_nasbench101_repeat_cells() -> None:
    path = DATA / "nb101_zc500.parquet"
    if not path.is_file():
        pytest.skip(f"no {path.name} in {DATA}")
    table = pq.read_table(path)
    rows, count = np.unique(table["space_index"].to_numpy(), return_counts=True)
    assert (len(table), len(rows), count.max()) == (500, 292, 55)
    accuracy = table["val_accuracy"].to_numpy()
    np.testing.assert_allclose((accuracy.mean(), accuracy.min(), accuracy.max()), (89.579, 73.377, 94.712), atol=6e-4)
    space = NASBench101()
    params = space.totals(space.at(table["space_index"].to_numpy()))[:, 1]
    told = table["params"].to_numpy()
    # the source counts in millions, or in parameters
    told = told * (1e6 if told.max() < 1e4 else 1)
    assert (abs(told - params) < 0.5).sum() == 472
    assert (abs(told / params - 1) < 0.011).all()
