"""NAS-Bench-101 files: real cells and accuracies, written by protobuf and an own framing."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.importers.nasbench101_files import EPOCHS, Training, cell, digest_of, message_class, nb101, trainings, write
from tierwise.errors import BadTable
from tierwise.importers import nasbench101_records, tfrecord
from tierwise.importers.convert import add, recognise
from tierwise.importers.nasbench101_metrics import METRICS, Runs
from tierwise.spaces.nasbench101 import NASBench101

METRIC_NAMES = [name for _, name in METRICS]


@pytest.fixture(scope="module")
def some() -> list[Training]:
    return list(trainings(range(0, 20_000, 100)))


def table_of(path: Path, folder: Path) -> dict[str, np.ndarray]:
    (card,) = add([path], folder=folder)
    table = pq.read_table(folder / card.name / "table.parquet")
    assert table.column_names == list(card.columns)
    return {name: table[name].to_numpy() for name in table.column_names}


def read_all(path: Path) -> list[Runs]:
    return [nasbench101_records.read(path, batch, 0) for batch in tfrecord.batches(path, 0, 0)]


def irregular(training: Training, kind: int) -> bytes:
    """The same training in other bytes that mean the same."""
    text = base64.b64encode(training.message()).decode()
    content = [training.digest, training.epochs, training.adjacency, training.operations, text]
    if kind == 0:
        return json.dumps(content, separators=(",", ":")).encode()
    if kind == 1:
        return b" " + json.dumps(content, indent=1).encode() + b"\n"
    if kind == 2:
        return replace(training, checkpoint=f"/a/path/model.ckpt-{training.params}").record()
    if kind == 3:
        content[0] = training.digest.upper()
        return json.dumps(content).replace("conv", "\\u0063onv").encode()
    halves = message_class().FromString(training.message())
    rest = message_class()(total_time=1.5)
    rest.MergeFromString(b"\x78\x05" + b"\x7a\x03abc")  # fields that are not known
    content[4] = base64.b64encode(rest.SerializeToString() + halves.SerializeToString()).decode()
    return json.dumps(content).encode()


def test_the_file_is_known_by_its_content(tmp_path: Path, some: list[Training]) -> None:
    path = write(tmp_path / "whatever.bin", (t.record() for t in some[:3]))
    assert recognise(path).name == "nasbench101"


def test_real_cells_come_to_their_official_rows(tmp_path: Path, some: list[Training]) -> None:
    table = table_of(write(tmp_path / "only108.tfrecord", (t.record() for t in some)), tmp_path / "home")
    real = nb101()
    labelled = np.arange(0, 20_000, 100)
    rows = real["labelled_space_index"][labelled]
    told = np.isfinite(table["cifar10/validation_accuracy@108#0"])
    np.testing.assert_array_equal(np.flatnonzero(told), rows)
    np.testing.assert_allclose(
        table["cifar10/validation_accuracy@108#0"][rows], real["labelled_val108"][labelled] * 100, rtol=1e-6
    )
    np.testing.assert_allclose(
        table["cifar10/training_seconds@108#0"][rows], real["labelled_train_time108"][labelled], rtol=1e-6
    )
    np.testing.assert_array_equal(table["cifar10/params"][rows], real["params"][rows])
    assert table["cifar10/params"].dtype == np.float64
    assert len(told) == 423_624


@pytest.mark.parametrize("order", ["as made", "shuffled"])
def test_every_figure_of_the_full_file_is_in_its_column(tmp_path: Path, order: str) -> None:
    made = list(trainings(range(0, 30_000, 3000), EPOCHS))
    if order == "shuffled":
        made = [made[k] for k in np.random.default_rng(0).permutation(len(made))]
    table = table_of(write(tmp_path / "full.tfrecord", (t.record() for t in made)), tmp_path / "home")
    assert len(table) == 1 + len(EPOCHS) * len(METRIC_NAMES) * 2 * 3
    repeats: dict[tuple[int, int], int] = {}
    for training in made:
        repeat = repeats.get((training.row, training.epochs), 0)
        repeats[training.row, training.epochs] = repeat + 1
        for half, figures in (("-half", training.half), ("", training.final)):
            for name, figure in zip(METRIC_NAMES, figures, strict=True):
                stored = table[f"cifar10/{name}@{training.epochs}{half}#{repeat}"][training.row]
                assert stored == np.float32(figure * (100 if "accuracy" in name else 1))
    assert set(repeats.values()) == {3}


def test_records_in_other_bytes_are_read_the_same(tmp_path: Path, some: list[Training]) -> None:
    regular = table_of(write(tmp_path / "a.tfrecord", (t.record() for t in some)), tmp_path / "a")
    mixed = [t.record() if k % 6 == 5 else irregular(t, k % 6) for k, t in enumerate(some)]
    other = table_of(write(tmp_path / "b.tfrecord", mixed), tmp_path / "b")
    assert regular.keys() == other.keys()
    for name, column in regular.items():
        np.testing.assert_array_equal(column, other[name], err_msg=name)


def test_reading_at_once_equals_reading_one_by_one(tmp_path: Path) -> None:
    made = list(trainings(range(0, 30_000, 60), (4, 108), 1))
    path = write(tmp_path / "some.tfrecord", (t.record() for t in made))
    (batch,) = tfrecord.batches(path, 0, 0)
    (runs,) = read_all(path)
    slow = Runs(*(np.zeros_like(column) for column in vars(runs).values()))
    assert nasbench101_records._read_regular(batch, slow).all()  # the layout of the official files is a regular one
    slow = Runs(*(np.zeros_like(column) for column in vars(runs).values()))
    for row, training in enumerate(made):
        nasbench101_records._read_one(training.record(), slow, row)
    for name, column in vars(runs).items():
        np.testing.assert_array_equal(column, getattr(slow, name), err_msg=name)


def test_graphs_are_those_of_the_record(some: list[Training], tmp_path: Path) -> None:
    (runs,) = read_all(write(tmp_path / "some.tfrecord", (t.record() for t in some[::3])))
    genes = nasbench101_records.genes(runs.cell)
    space = NASBench101()
    for row, training in zip(genes, some[::3], strict=True):
        adjacency, ops = cell(training.row)
        encoded = space.encode(adjacency[None], np.array([ops]))
        np.testing.assert_array_equal(row, encoded.genes[0])


def test_an_isomorphic_form_of_a_cell_is_the_same_cell(tmp_path: Path) -> None:
    for training in trainings(range(300), repeats=1):
        adjacency, ops = cell(training.row)
        n = len(adjacency)
        swap = next((k for k in range(1, n - 2) if not adjacency[k, k + 1] and ops[k - 1] != ops[k]), None)
        if swap is not None:
            break
    else:
        pytest.fail("no cell with two neighbours in the order that may change places")
    order = list(range(n))
    order[swap], order[swap + 1] = swap + 1, swap
    other, names = adjacency[np.ix_(order, order)], training.operations.split(",")
    assert digest_of(other, [ops[k - 1] for k in order[1:-1]]) == training.digest
    changed = replace(
        training,
        adjacency="".join(map(str, other.ravel().tolist())),
        operations=",".join(names[k] for k in order),
    )
    assert changed.operations != training.operations
    records = [training.record(), changed.record()]
    table = table_of(write(tmp_path / "two.tfrecord", records), tmp_path / "home")
    assert np.isfinite(table["cifar10/validation_accuracy@108#1"]).nonzero()[0].tolist() == [training.row]


BAD: list[tuple[str, Callable[[list[Training]], Sequence[Training | bytes]], str, list[int]]] = [
    ("an unknown op", lambda t: [*t[:4], replace(t[4], operations=t[4].operations.replace("3x3", "5x5"))], "5x5", [4]),
    ("a wrong number of ops", lambda t: [replace(t[0], operations="input,output")], "operations", [0]),
    ("a lower triangle", lambda t: [replace(t[0], adjacency=t[0].adjacency[::-1])], "upper triangular", [0]),
    ("a backward edge", lambda t: [t[0], replace(t[1], adjacency=t[1].adjacency[:-1] + "1")], "upper triangular", [1]),
    ("no square", lambda t: [replace(t[0], adjacency="010")], "no square matrix", [0]),
    ("other signs", lambda t: [t[0], replace(t[1], adjacency=t[1].adjacency.replace("1", "2"))], "no square", [1]),
    ("a graph without a way", lambda t: [replace(t[3], adjacency="0" * 49)], "no cells of NAS-Bench-101", [0]),
    ("another graph of a hash", lambda t: [*t[:3], replace(t[3], digest=t[0].digest)], "official order", [0, 1, 2, 3]),
    ("another hash of a graph", lambda t: [t[0], replace(t[1], digest="f" * 32), *t[3:6]], "official order", [0, 1]),
    ("a hash out of order", lambda t: [replace(t[0], digest="f" * 32), t[3]], "official order", [0, 1]),
    ("no hash", lambda t: [t[0], replace(t[1], digest="abc")], "no module hash", [1]),
    ("a fourth repeat", lambda t: [*t[:6], t[0]], "more than 3 repeats", [6]),
    ("other epochs", lambda t: [t[0], replace(t[1], epochs=54)], "other than", [1]),
    ("no epochs", lambda t: [replace(t[0], epochs=0)], "other than", [0]),
    ("a thousand epochs", lambda t: [t[0], replace(t[1], epochs=1000)], "1000 epochs", [1]),
    ("a fraction above one", lambda t: [replace(t[0], final=(1.0, 2.0, 0.5, 0.5))], "impossible metrics", [0]),
    ("seconds below zero", lambda t: [replace(t[0], half=(-1.0, 0.5, 0.5, 0.5))], "impossible metrics", [0]),
    ("not a number", lambda t: [t[0], replace(t[1], final=(1.0, 1.0, float("nan"), 0.5))], "impossible metrics", [1]),
    ("no parameters", lambda t: [replace(t[0], params=-5)], "impossible metrics", [0]),
    ("two parameter counts", lambda t: [t[0], replace(t[1], params=t[0].params + 1)], "two different values", [0]),
    ("not JSON", lambda t: [t[0], b"nonsense"], "not JSON", [1]),
    ("deep JSON", lambda t: [t[0], b"[" * 100_000], "not JSON", [1]),
    ("another JSON", lambda t: [t[0], b'{"a": 1}'], "not a list of", [1]),
    ("no base64", lambda t: [t[0], t[1].record()[:-2] + b'!"]'], "not base64", [1]),
    ("no message", lambda t: [t[0], t[1].record()[:-20] + b'"]'], "not base64|ModelMetrics", [1]),
]


@pytest.mark.parametrize(("change", "problem", "rows"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_what_is_wrong_is_said_with_record_numbers(
    tmp_path: Path,
    some: list[Training],
    change: Callable[[list[Training]], Sequence[Training | bytes]],
    problem: str,
    rows: list[int],
) -> None:
    seven = [t for t in some if len(t.adjacency) == 49]
    records = [t if isinstance(t, bytes) else t.record() for t in change(seven)]
    with pytest.raises(BadTable, match=problem) as caught:
        add([write(tmp_path / "bad.tfrecord", records)], folder=tmp_path / "home")
    assert set(caught.value.rows) & set(rows)
    assert not list((tmp_path / "home").glob("*"))
    assert not list((tmp_path / "home").glob(".*"))


def test_a_missing_evaluation_is_said(tmp_path: Path, some: list[Training]) -> None:
    metrics = message_class().FromString(some[0].message())
    del metrics.evaluation_data[2]
    text = base64.b64encode(metrics.SerializeToString()).decode()
    record = json.dumps([some[0].digest, 108, some[0].adjacency, some[0].operations, text]).encode()
    with pytest.raises(BadTable, match="lack the evaluation"):
        add([write(tmp_path / "bad.tfrecord", [record])], folder=tmp_path / "home")


fuzz = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@fuzz
@given(st.data())
def test_damage_gives_the_same_content_or_a_bad_table(
    tmp_path: Path, some: list[Training], data: st.DataObject
) -> None:
    path = write(tmp_path / "damaged.tfrecord", (t.record() for t in some[:9]))
    whole = read_all(path)
    content = bytearray(path.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=3)):
        content[place] ^= data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)) | st.just(len(content)))])
    try:
        found = read_all(path)
    except BadTable:
        return
    read = sum(len(runs.key) for runs in found)
    ends = np.cumsum([0, *(len(t.record()) + 16 for t in some[:9])]).tolist()
    assert path.stat().st_size == ends[read]  # cut between two records, which the format cannot tell
    for name, column in vars(whole[0]).items():
        np.testing.assert_array_equal(
            np.concatenate([getattr(runs, name) for runs in found]) if found else column[:0], column[:read]
        )


@fuzz
@given(st.data())
def test_forged_records_with_right_checksums_raise_nothing_but_bad_table(
    tmp_path: Path, some: list[Training], data: st.DataObject
) -> None:
    """The checksums guard against accidents only: the parsers see every kind of nonsense here."""
    records: list[bytes] = []
    for training in some[:6]:
        record = bytearray(training.record())
        if data.draw(st.booleans()):
            message = bytearray(training.message())
            for place in data.draw(st.lists(st.integers(0, len(message) - 1), min_size=1, max_size=2)):
                message[place] = data.draw(st.integers(0, 255))
            content = json.loads(bytes(record))
            content[4] = base64.b64encode(bytes(message)).decode()
            record = bytearray(json.dumps(content).encode())
        else:
            place = data.draw(st.integers(0, len(record)))
            record[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        records.append(bytes(record))
    path = write(tmp_path / "forged.tfrecord", records)
    try:
        runs = read_all(path)
    except BadTable:
        return
    (one,) = runs
    slow = Runs(*(np.zeros_like(column) for column in vars(one).values()))
    for row, record in enumerate(records):
        nasbench101_records._read_one(record, slow, row)
    for name, column in vars(one).items():
        np.testing.assert_array_equal(column, getattr(slow, name), err_msg=name)
