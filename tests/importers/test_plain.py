"""Own tables in CSV, Parquet and NPZ, and the two known layouts of arrays."""

import csv
import io
import struct
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import DATA
from tests.importers import official
from tierwise import Study
from tierwise.benchmarks.converted import nats_topology
from tierwise.errors import BadTable
from tierwise.importers import convert
from tierwise.importers.known_arrays import KNOWN
from tierwise.importers.npz import read_npz
from tierwise.importers.plain import PlainTable
from tierwise.spaces.nasbench201 import NASBench201

ROWS = [857, 6111, 9930, 10_676, 3]


def write(path, texts, columns):
    if path.suffix == ".csv":
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([("architecture", *columns), *zip(texts, *columns.values(), strict=True)])
    elif path.suffix == ".parquet":
        pq.write_table(pa.table({"architecture": texts, **columns}), path)
    else:
        np.savez(path, architecture=np.array(texts), **columns)


def parts(path, **settings):
    """The one part of a table."""
    ((_, part),) = PlainTable("mine", "nasbench201", **settings).parts(path, 0, official.ignore)
    return part


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".npz"])
@pytest.mark.parametrize("by", ["text", "number"])
def test_a_table_of_each_kind_gives_its_numbers(tmp_path, nb201, ending, by):
    texts = [official.arch_str(nb201["ops"][row]) for row in ROWS] if by == "text" else ROWS
    validation, test = nb201["c10_val200"][ROWS, 0].astype(float), nb201["c10_test200_mean"][ROWS]
    path = tmp_path / f"mine{ending}"
    write(path, texts, {"accuracy": validation, "c100/test_accuracy@200": test, "note": ["a"] * len(ROWS)})
    part = parts(path, dataset="cifar100")
    assert part.rows.tolist() == ROWS
    assert list(part.columns) == ["cifar100/validation_accuracy", "c100/test_accuracy@200"]
    for seen, column in zip(part.columns.values(), (validation, test), strict=True):
        assert np.array_equal(seen, column)
    assert list(PlainTable("mine", "nasbench201").parts(path, 1, official.ignore)) == []


@pytest.mark.parametrize(
    ("text", "problem", "rows"),
    [
        ("architecture,acc\n0,1\n,2\n,3\n", "no architecture of nasbench201", [3, 4]),
        ("architecture,acc\n0,1\n0,2\n5,3\n", "stand there twice", [3]),
        ("architecture,acc\n0,1\n99999,2\n", "official index is 0 to 15624", [3]),
        ("architecture,acc\n|none~0|,1\nabc,2\n", "no architecture of nasbench201", [2, 3]),
        ("architecture,acc\n0,1\n1,high\n2,-\n", "no finite number", [3, 4]),
        ("architecture,acc\n0,1\n1\n", "without exactly 2 fields", [3]),
        ("architecture\n0\n", "no column of numbers", []),
        ('architecture,acc\n"0,1\n', "not a readable CSV", []),
        ("\xff\xfe", "not a readable CSV", []),
    ],
)
def test_what_is_wrong_in_a_csv_is_named_with_its_lines(tmp_path, text, problem, rows):
    path = tmp_path / "mine.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(BadTable, match=problem) as caught:
        parts(path)
    assert caught.value.rows == rows


def test_an_added_table_is_searched_where_it_has_results(tmp_path, nb201, monkeypatch):
    monkeypatch.setenv("TIERWISE_HOME", str(tmp_path))
    rows = np.random.default_rng(0).permutation(15_625)[:300]
    path = tmp_path / "mine.csv"
    write(path, rows.tolist(), {"accuracy": nb201["c10_val200"][rows, 0], "latency": np.arange(300.0)})
    (card,) = convert.add([path], among=[PlainTable("mine", "nasbench201")])
    assert (card.name, card.columns) == ("mine", ("cifar10/latency", "cifar10/validation_accuracy"))
    table = nats_topology(table="mine", objectives=["latency"])
    assert table.space.size == 300
    with Study(None, table.space, "evolution", table, limits={"latency": 200}) as study:
        study.run(40)
        assert [trial.state for trial in study.trials()] == ["done"] * 40
        assert max(trial.metrics["latency"] for trial in study.trials()) <= 200


def test_broken_hostile_and_swollen_files_are_refused(tmp_path):
    parquet = tmp_path / "a.parquet"
    parquet.write_bytes(b"PAR1 not really PAR1")
    with pytest.raises(BadTable, match="Parquet"):
        parts(parquet)
    path = tmp_path / "a.npz"
    np.savez(path, architecture=np.array([0, 1]), acc=np.array([1, None], dtype=object))
    with pytest.raises(BadTable, match="Python objects"):
        parts(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,), }\n"
        archive.writestr("acc.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + b"abc")
    with pytest.raises(BadTable, match="claims shape"):
        read_npz(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("acc.npy", bytes(80 << 20))
    with pytest.raises(BadTable, match="expands to"):
        read_npz(path)
    content = io.BytesIO()
    np.savez_compressed(content, acc=np.arange(5000.0))
    path.write_bytes(content.getvalue()[:-200])
    with pytest.raises(BadTable, match="NPZ"):
        read_npz(path)


def known(name):
    path = DATA / f"{name}.npz"
    if not path.is_file():
        pytest.skip(f"no {path.name} in {DATA}: set TIERWISE_DATA to the folder that holds it")
    head = path.read_bytes()[:4096]
    (reader,) = (importer for importer in KNOWN if importer.recognise(path, head))
    ((_, part),) = reader.parts(path, 0, official.ignore)
    return part, np.load(path, allow_pickle=False)


def test_the_arrays_of_nasbench201_become_columns_that_give_the_known_figures():
    part, arrays = known("nb201")
    columns = part.columns
    assert part.rows.tolist() == list(range(15_625))
    for name, best in (("cifar10", 94.3733), ("cifar100", 73.5133), ("imagenet16-120", 47.3111)):
        assert columns[f"{name}/test_accuracy@200#mean"].max() == pytest.approx(best, abs=1e-4)
    assert columns["cifar10/params"][0] == 129_306
    assert columns["cifar10/conv_macs"][:2].tolist() == [15_646_730, 113_950_730]
    assert np.array_equal(columns["cifar10/latency_titan_rtx_32_ms"], arrays["lat_titan_rtx_32"])
    assert np.array_equal(columns["cifar100/zen"], arrays["c100_zc_zen"])
    assert np.array_equal(columns["cifar10/training_seconds@12#mean"], arrays["c10_cost12"])
    space = NASBench201()
    totals = space.totals(space.enumerate())
    assert np.array_equal(columns["cifar10/params"], totals[:, 1])


def test_the_arrays_of_nasbench101_become_columns_that_give_the_known_figures():
    part, arrays = known("nb101")
    accuracy = part.columns["cifar10/validation_accuracy@108#best"]
    assert part.rows.tolist() == list(range(423_624))
    assert np.isfinite(accuracy).sum() == 30_001
    assert np.nanmax(accuracy) == pytest.approx(94.912, abs=1e-3)
    assert accuracy[0] == pytest.approx(93.049, abs=1e-3)
    assert np.array_equal(part.columns["cifar10/params"], arrays["params"])
    assert np.isfinite(part.columns["cifar10/zen"]).sum() == 10_250
