"""The benchmark in the package: its data, its classes, its columns against the file, and trainings made again."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tools.mnist1d import pool_pairs, protocol, reference
from tools.mnist1d.train import every_class
from torch import nn

from tests.canonical_oracle import canonical_form
from tierwise import Study
from tierwise.benchmarks import mnist1d
from tierwise.benchmarks.mnist1d import ABSENT, EPOCHS, FILE, load
from tierwise.benchmarks.mnist1d_cells import DATA, costs, distinct, live_edges, signals
from tierwise.errors import BadSetting, BadTable, UnknownName
from tierwise.networks.mnist1d import Network
from tierwise.spaces.nasbench201 import OPS, NASBench201

SPACE = NASBench201()
CELLS = SPACE.enumerate()


@pytest.fixture(scope="module")
def raw() -> Mapping[str, Any]:
    """The file as numpy reads it."""
    with np.load(FILE, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


# ---- the signals ---------------------------------------------------------------------------------------------------


def test_the_signals_are_those_that_were_trained_on() -> None:
    with np.load(DATA, allow_pickle=False) as arrays:
        x, y = arrays["x"], arrays["y"]
    known = "254a33d9f427987d1ee535e42d41a156b565b319cfe9d80c8f846f41d453d69e"
    assert hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest() == known
    assert np.bincount(y).tolist() == [1_400] * 10
    given, labels = signals()
    assert given.shape == (14_000, 40)
    assert np.array_equal(labels, y)
    assert given[:4_000].mean() == pytest.approx(0, abs=1e-5)
    assert given[:4_000].std() == pytest.approx(1, abs=1e-5)
    assert np.corrcoef(given.ravel(), x.ravel().astype(np.float64))[0, 1] == pytest.approx(1, abs=1e-9)


def test_other_signals_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = np.zeros((14_000, 40), np.float16), np.zeros(14_000, np.uint8)
    np.savez(tmp_path / "other.npz", x=x, y=y)
    monkeypatch.setattr("tierwise.benchmarks.mnist1d_cells.DATA", tmp_path / "other.npz")
    with pytest.raises(BadTable, match="not the data that the benchmark was trained on"):
        signals()


# ---- classes and costs ---------------------------------------------------------------------------------------------


def test_a_class_is_one_network() -> None:
    """Against forms written out: equal within a class, different between cells that differ in class."""
    of_cell, trained = distinct()
    assert len(trained) == 5_260
    assert np.array_equal(of_cell[trained], np.arange(5_260))
    assert (np.diff(trained) > 0).all(), "classes are numbered by their first cells"
    rows = np.random.default_rng(0).choice(15_625, 60, replace=False)
    rows = np.concatenate([rows, trained[of_cell[rows]]])

    def form(row: int) -> str:
        cell = [OPS[op] for op in CELLS.genes[row]]
        return canonical_form(cell, 4, zero="none", identity="skip_connect", shared=("avg_pool_3x3",))

    forms = [form(row) for row in rows.tolist()]
    for (a, one), (b, other) in itertools.combinations(zip(of_cell[rows].tolist(), forms, strict=True), 2):
        assert (a == b) == (one == other)


def test_a_live_edge_is_on_a_way_from_input_to_output() -> None:
    ways = ([(0, 3)], [(0, 1), (1, 3)], [(0, 2), (2, 3)], [(0, 1), (1, 2), (2, 3)])
    passes = CELLS.genes != OPS.index("none")
    expected = np.zeros_like(passes)
    for way in ways:
        genes = [SPACE.edges.index(edge) for edge in way]
        expected[:, genes] |= passes[:, genes].all(1, keepdims=True)
    assert np.array_equal(live_edges(CELLS.genes), expected)


def counted(net: Network) -> tuple[int, int]:
    """FLOPs by what every layer is really given, and parameters."""
    flops: list[int] = []

    def note(layer: nn.Module, given: Any, out: torch.Tensor) -> None:
        if isinstance(layer, nn.Conv1d):
            flops.append(layer.weight.numel() * out.shape[2])
        elif isinstance(layer, nn.BatchNorm1d):
            flops.append(2 * out[0].numel())
        elif isinstance(layer, nn.Linear):
            flops.append(layer.weight.numel())
        elif layer is net.features:
            flops.append(out[0].numel())  # of the mean over positions

    for layer in net.modules():
        layer.register_forward_hook(note)
    with torch.no_grad():
        net(torch.zeros(2, 40))
    return sum(flops), sum(p.numel() for p in net.parameters())


def test_costs_are_those_of_the_networks() -> None:
    rows = np.random.default_rng(1).choice(15_625, 12, replace=False)
    live = live_edges(CELLS.genes[rows])
    for genes, alive, cost in zip(CELLS.genes[rows], live, costs(CELLS[rows]).tolist(), strict=True):
        assert counted(Network([OPS[op] for op in genes], alive.tolist())) == tuple(cost)
    table = load()
    every = table.space.enumerate()
    assert np.array_equal(np.stack([table.known(n, every) for n in ("flops", "params")], 1), costs(every))
    of_cell, trained = distinct()
    assert np.array_equal(costs(CELLS), costs(CELLS[trained])[of_cell]), "equal networks cost the same"


def test_pool_equivalent_pairs_are_as_many_as_counted_independently() -> None:
    """The partition with pools of sums taken apart has 5,044 classes."""
    found = pool_pairs.pairs()
    assert len(found) == 5_260 - 5_044
    trained = distinct()[1]
    assert np.array_equal(costs(CELLS[trained[found[:, 0]]]), costs(CELLS[trained[found[:, 1]]]))


# ---- the table -----------------------------------------------------------------------------------------------------


def test_what_is_recorded_is_whole(raw: Mapping[str, Any]) -> None:
    assert np.array_equal(raw["cell"], distinct()[1])
    trained = raw["test_hits"] != ABSENT
    assert trained.any()
    assert trained.shape == (5_260, 10)
    assert raw["val_hits"].shape == (5_260, 10, len(EPOCHS))
    first = trained[:, 0]
    for name, most, where in (
        ("val_hits", 2_000, trained),
        ("test_hits", 8_000, trained),
        ("curve/val_hits", 2_000, first),
        ("curve/train_hits", 62 * 64, first),
    ):
        assert raw[name][where].max() <= most
        assert (raw[name][~where] == ABSENT).all()
    for name, where in (
        ("test_loss", trained),
        ("seconds", trained),
        ("curve/val_loss", first),
        ("curve/train_loss", first),
    ):
        assert np.isfinite(raw[name][where]).all()
        assert np.isnan(raw[name][~where]).all()
    assert raw["curve/train_loss"].shape == (5_260, 24)
    assert np.array_equal(raw["curve/val_hits"][:, np.array(EPOCHS) - 1], raw["val_hits"][:, 0])
    assert trained[trained[:, 3:].any(1), :3].all(), "further seeds come after the first three"


def test_columns_are_means_of_the_recorded_runs(raw: Mapping[str, Any]) -> None:
    table, of_cell = load(), distinct()[0]
    rows = SPACE.index(table.space.enumerate())
    for place in range(0, len(rows), 97):
        hits, tests = raw["val_hits"][of_cell[rows[place]], :, -1], raw["test_hits"][of_cell[rows[place]]]
        runs = [100 * int(h) / 2_000 for h in hits if h != ABSENT]
        assert table.metrics["accuracy"][place] == pytest.approx(sum(runs) / len(runs))
        runs = [100 * int(h) / 8_000 for h in tests if h != ABSENT]
        assert table.truth["test_accuracy"][place] == pytest.approx(sum(runs) / len(runs))
    assert "test_accuracy" not in table.metrics, "a search never sees it"
    trained = (raw["test_hits"] != ABSENT).any(1)
    assert table.space.size == trained[of_cell].sum(), "all cells of the trained classes, and no other"


@pytest.mark.parametrize("epochs", EPOCHS[:-1])
def test_fewer_epochs_are_labels_and_cheap_evaluations(epochs: int, raw: Mapping[str, Any]) -> None:
    early, full = load(label=f"validation@{epochs}#0"), load(label="validation#0")
    assert (early.space, early.budgets) == (full.space, EPOCHS[: EPOCHS.index(epochs)])
    cells = distinct()[0][SPACE.index(early.space.enumerate())]
    assert early.metrics["accuracy"] == pytest.approx(raw["val_hits"][cells, 0, EPOCHS.index(epochs)] / 20)
    assert early.metrics["seconds"] == pytest.approx(full.metrics["seconds"] * epochs / 24)
    some = full.space.sample(50, np.random.default_rng(0))
    cheap = full.many(some, [0] * 50, epochs)
    assert cheap["accuracy"] == pytest.approx(early.many(some, [0] * 50)["accuracy"])


def test_labels_of_single_runs_and_of_the_test_set() -> None:
    noise = load(label="validation#noise").metrics["accuracy"]
    mean = load().metrics["accuracy"]
    assert np.nanmean(noise, axis=1) == pytest.approx(mean)
    assert load(label="validation@24#mean").metrics["accuracy"] == pytest.approx(mean)
    test = load(label="test")
    assert "TEST" in test.name
    assert test.metrics["accuracy"] == pytest.approx(load().truth["test_accuracy"])


@pytest.mark.parametrize(
    ("settings", "kind", "says"),
    [
        ({"dataset": "mnist"}, UnknownName, "mnist1d"),
        ({"label": "validation@5"}, BadSetting, "validation@4, validation@8"),
        ({"label": "test@12"}, BadSetting, "allowed: test@24"),
        ({"label": "validation#77"}, BadSetting, "#mean, #noise, or a seed: #0"),
        ({"label": "accuracy"}, BadSetting, "validation or test, then @EPOCHS"),
    ],
)
def test_what_is_not_there_is_named(settings: dict[str, str], kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        load(**settings)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place for another table."""
    monkeypatch.setattr(mnist1d, "FILE", tmp_path / "mnist1d.npz")
    mnist1d.arrays.cache_clear()
    yield tmp_path / "mnist1d.npz"
    mnist1d.arrays.cache_clear()


def test_classes_that_are_not_trained_are_no_part_of_the_space(file: Path, raw: Mapping[str, Any]) -> None:
    kept = np.zeros(5_260, dtype=bool)
    kept[np.flatnonzero(raw["test_hits"][:, 0] != ABSENT)[::2]] = True
    smaller = {
        "test_hits": np.where(kept[:, None], raw["test_hits"], ABSENT),
        "val_hits": np.where(kept[:, None, None], raw["val_hits"], ABSENT),
    }
    proxy = {"proxy/synflow": np.arange(5_260, dtype=np.float32)}
    np.savez(file, **{**raw, **smaller, **proxy})
    table = load()
    members = table.space.enumerate()
    of_cell = distinct()[0][SPACE.index(members)]
    assert np.array_equal(np.unique(of_cell), np.flatnonzero(kept))
    assert len(members) == kept[distinct()[0]].sum()
    assert np.array_equal(table.known("synflow", members), of_cell)
    assert np.isfinite(table.metrics["accuracy"]).all()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"cell": np.arange(5_260)}, "other classes of cells"),
        ({"val_hits": np.full((5_260, 10, 6), ABSENT, np.uint16)}, "has no training"),
        (None, "not a readable NPZ file|a broken NPZ file"),
    ],
    ids=["other classes", "empty", "damaged"],
)
def test_a_broken_table_is_named(file: Path, raw: Mapping[str, Any], change: Any, says: str) -> None:
    if change is None:
        file.write_bytes(FILE.read_bytes()[:-2_000])
    else:
        np.savez(file, **{**raw, **change})
    with pytest.raises(BadTable, match=says):
        load()


# ---- searches, and trainings made again ----------------------------------------------------------------------------


def test_a_search_finds_one_of_the_best() -> None:
    table = load()
    with Study(None, table.space, "evolution", table, seed=0) as study:
        study.run(80)
        found = study.best()[0].metrics["accuracy"]
    assert found > np.quantile(table.metrics["accuracy"], 0.95)


def test_networks_trained_again_in_pytorch_agree(raw: Mapping[str, Any]) -> None:
    """Two epochs. The first begins with equal weights and batches, so that its losses are nearly equal; later on
    rounding grows until two trainings differ like two seeds.
    """
    torch.set_num_threads(1)
    for class_id in every_class()[:3].tolist():
        genes = CELLS.genes[distinct()[1][[class_id]]]
        ops = [OPS[op] if alive else "none" for op, alive in zip(genes[0], live_edges(genes)[0], strict=True)]
        net = reference.network(ops, 0, class_id)
        losses = [epoch.mean() for epoch in reference.train(net, 0, epochs=2)]
        assert losses[0] == pytest.approx(raw["curve/train_loss"][class_id, 0], rel=0.02)
        assert losses[1] == pytest.approx(raw["curve/train_loss"][class_id, 1], rel=0.15)
        assert reference.accuracies(net)[0] == pytest.approx(raw["curve/val_hits"][class_id, 1] / 20, abs=15)


def test_all_networks_of_a_seed_see_the_same_batches() -> None:
    order = protocol.batches(3)
    assert order.shape == (24, 62, 64)
    for epoch in order.reshape(24, -1):
        assert len(np.unique(epoch)) == 62 * 64
        assert 0 <= epoch.min() <= epoch.max() < 4_000
    rates = protocol.rates()
    assert rates[[0, 61, 62]] == pytest.approx([0.1 / 62, 0.1, 0.1])
    assert rates[-1] < 1e-6
    one, other = (protocol.initial(["nor_conv_3x3"] * 6, 0, k) for k in (0, 1))
    assert len(one) == 11_538
    assert (one != other).mean() > 0.9, "weights are drawn by seed and class"
