"""HW-NAS-Bench's pickle, made of real latencies by an independent writer."""

import pickle

import numpy as np
import pytest

from tests.importers import official
from tierwise.errors import BadTable
from tierwise.importers.hwnasbench import IMPORTERS

(READER,) = IMPORTERS
DEVICES = ("raspi4", "pixel3", "eyeriss", "fpga")


@pytest.fixture(scope="module")
def texts(nb201):
    return [official.arch_str(codes) for codes in nb201["ops"]]


def tables(nb201, texts, kind=list):
    latency = {f"{device}_latency": kind(nb201[f"lat_{device}"].astype(float).tolist()) for device in DEVICES}
    config = [{"name": "infer.tiny", "C": 16, "N": 5, "arch_str": text, "num_classes": 10} for text in texts]
    one = {**latency, "config": config}
    return {"nasbench201": {name: dict(one) for name in ("cifar10", "cifar100", "ImageNet16-120")}, "fbnet": {}}


def read(value, path, protocol=4):
    path.write_bytes(pickle.dumps(value, protocol))
    assert READER.recognise(path, path.read_bytes()[:4096])
    ((following, part),) = READER.parts(path, 0, official.ignore)
    assert list(READER.parts(path, following, official.ignore)) == []
    return part


@pytest.mark.parametrize("kind", [list, np.array, lambda values: [np.float64(v) for v in values]])
@pytest.mark.parametrize("protocol", [3, 4])
def test_lists_arrays_and_numpy_numbers_are_read_and_the_published_example_is_there(
    tmp_path, nb201, texts, kind, protocol
):
    part = read(tables(nb201, texts, kind), tmp_path / "HW-NAS-Bench-v1_0.pickle", protocol)
    for device in DEVICES:
        assert np.array_equal(part.columns[f"cifar10/latency_{device}_ms"], nb201[f"lat_{device}"])
    assert part.rows.tolist() == list(range(15_625))
    published = {"raspi4": 10.481977, "pixel3": 3.60585, "eyeriss": 3.64562, "fpga": 2.57296}
    for device, value in published.items():
        assert part.columns[f"cifar10/latency_{device}_ms"][0] == pytest.approx(value, abs=1e-6)


def test_energy_gets_its_unit_and_what_was_not_measured_is_nan(tmp_path, nb201, texts):
    value = tables(nb201, texts)
    value["nasbench201"]["cifar10"]["eyeriss_energy"] = [0.687, -1.0, float("nan")] + [1.0] * 15_622
    column = read(value, tmp_path / "hw-nas-bench.pickle").columns["cifar10/energy_eyeriss_mj"]
    assert column[0] == np.float32(0.687)
    assert np.isnan(column[1:3]).all()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda t: t.pop("cifar100"), 'no table "cifar100"'),
        (lambda t: t["cifar10"]["raspi4_latency"].pop(), "not 15,625 numbers"),
        (lambda t: t["cifar10"].update(raspi4_latency=["fast"] * 15_625), "no numbers"),
        (lambda t: t["cifar10"].update(config=t["cifar10"]["config"][::-1]), "official order"),
        (lambda t: [table.clear() for table in t.values()], "none of the metrics"),
    ],
)
def test_a_file_that_is_not_as_published_is_refused(tmp_path, nb201, texts, change, problem):
    value = tables(nb201, texts)
    change(value["nasbench201"])
    with pytest.raises(BadTable, match=problem):
        read(value, tmp_path / "HW-NAS-Bench-v1_0.pickle")
