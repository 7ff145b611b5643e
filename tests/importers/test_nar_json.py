"""NAR's two JSON files, written by json from real numbers."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import DATA
from tests.importers import official
from tierwise.errors import BadTable
from tierwise.importers import nar_json
from tierwise.importers.nar_json import IMPORTERS, records

LIST, OBJECT = IMPORTERS
OPS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")


@pytest.fixture(scope="module")
def nb101():
    path = DATA / "nb101.npz"
    if not path.is_file():
        pytest.skip(f"no {path.name} in {DATA}: set TIERWISE_DATA to the folder that holds it")
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def record_201(nb201, row):
    found = {"cell_adjacency": [[0] * 4] * 4, "arch_str": official.arch_str(nb201["ops"][row])}
    for short, name in (("c10", "cifar10"), ("c100", "cifar100"), ("in16", "imagenet16")):
        found[f"{name}_val_acc"] = float(np.nanmean(nb201[f"{short}_val200"][row]))
        found[f"{name}_test_acc"] = float(nb201[f"{short}_test200_mean"][row])
        found[f"{name}_latency"] = float(nb201[f"{short}_latency"][row])
    for short, name in (("c10", "cifar10-valid"), ("c100", "cifar100"), ("in16", "ImageNet16-120")):
        found[f"{name}_total_params"] = round(float(nb201[f"{short}_params_M"][row]) * 1e6)
        found[f"{name}_total_flops"] = round(float(nb201[f"{short}_flops_M"][row]) * 1e6)
        found[f"{name}_opt_flops"] = {f"cells{k}": [0] * 6 for k in range(15)}
    return found


def record_101(nb101, place):
    row = int(nb101["labelled_space_index"][place])
    bits, n, label = (int(nb101[name][row]) for name in ("bits", "v", "lab"))
    matrix = [[bits >> (x + y * (y - 1) // 2) & 1 if x < y else 0 for y in range(n)] for x in range(n)]
    ops = next(itertools.islice(itertools.product(range(3), repeat=n - 2), label, None))
    accuracy = float(nb101["labelled_val108"][place])
    return row, {
        "module_adjacency": matrix,
        "module_operations": ["input", *(OPS[op] for op in ops), "output"],
        "trainable_parameters": int(nb101["params"][row]),
        "avg_training_time": float(nb101["labelled_train_time108"][place]),
        "avg_train_accuracy": 1.0,
        "avg_validation_accuracy": accuracy,
        "avg_test_accuracy": accuracy - 0.01,
        "vertex_flops": {"stack0/module0": [0] * n},
        "flops": 2_527_684_618,
    }


def test_the_object_of_nasbench201_is_read_record_by_record(tmp_path, nb201, monkeypatch):
    monkeypatch.setattr(nar_json, "WINDOW", 5000)
    monkeypatch.setattr(nar_json, "BLOCK", 100)
    path = tmp_path / "nb201.json"
    path.write_text(json.dumps({str(row): record_201(nb201, row) for row in range(250)}))
    assert OBJECT.recognise(path, path.read_bytes()[:4096])
    assert not LIST.recognise(path, path.read_bytes()[:4096])
    parts = list(OBJECT.parts(path, 0, official.ignore))
    assert [len(part.rows) for _, part in parts] == [100, 100, 50]
    again = list(OBJECT.parts(path, parts[0][0], official.ignore))
    assert [part.rows.tolist() for _, part in again] == [part.rows.tolist() for _, part in parts[1:]]
    assert np.concatenate([part.rows for _, part in parts]).tolist() == list(range(250))
    columns = parts[2][1].columns
    np.testing.assert_allclose(
        columns["cifar100/test_accuracy@200#mean"], nb201["c100_test200_mean"][200:250], rtol=1e-6
    )
    np.testing.assert_allclose(columns["imagenet16-120/latency"], nb201["in16_latency"][200:250])
    assert columns["cifar10/params"].tolist() == np.round(nb201["c10_params_M"][200:250] * 1e6).tolist()


def test_the_list_of_nasbench101_is_read_in_any_order_with_accuracies_in_percent(tmp_path, nb101):
    pairs = [record_101(nb101, place) for place in range(300, 0, -3)]
    path = tmp_path / "nb101.json"
    path.write_text(json.dumps([record for _, record in pairs], indent=1))
    assert LIST.recognise(path, path.read_bytes()[:4096])
    assert not OBJECT.recognise(path, path.read_bytes()[:4096])
    ((_, part),) = LIST.parts(path, 0, official.ignore)
    assert part.rows.tolist() == [row for row, _ in pairs]
    accuracy = [100 * record["avg_validation_accuracy"] for _, record in pairs]
    np.testing.assert_allclose(part.columns["cifar10/validation_accuracy@108#mean"], accuracy, rtol=1e-6)
    assert part.columns["cifar10/params"].tolist() == [record["trainable_parameters"] for _, record in pairs]
    assert part.columns["cifar10/flops"][0] == 2_527_684_618


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda r: r.update(arch_str="|none~0|"), "expected the form"),
        (lambda r: r.update(arch_str=official.arch_str([0] * 6)), "another number"),
        (lambda r: r.pop("cifar10_val_acc"), "cifar10_val_acc is no number"),
        (lambda r: r.update(cifar100_test_acc="70"), "cifar100_test_acc is no number"),
        (lambda r: r.update(cifar100_test_acc=float("nan")), "cifar100_test_acc is no number"),
    ],
)
def test_a_wrong_record_is_named(tmp_path, nb201, change, problem):
    content = {str(row): record_201(nb201, row) for row in range(3)}
    change(content["2"])
    path = tmp_path / "nb201.json"
    path.write_text(json.dumps(content))
    with pytest.raises(BadTable, match=problem) as caught:
        list(OBJECT.parts(path, 0, official.ignore))
    assert "form" in problem or caught.value.rows == [2]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("module_adjacency", [[0, 1], [0]]),
        ("module_adjacency", [[0, 7], [0, 0]]),
        ("module_adjacency", None),
        ("module_operations", ["input", "conv5x5", "output"]),
        ("module_operations", ["output", "input"]),
    ],
)
def test_what_is_no_cell_is_named(tmp_path, nb101, field, value):
    content = [record_101(nb101, place)[1] for place in range(2)]
    content[1][field] = value
    path = tmp_path / "nb101.json"
    path.write_text(json.dumps(content))
    with pytest.raises(BadTable) as caught:
        list(LIST.parts(path, 0, official.ignore))
    assert caught.value.rows == [1]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[{"a": 1}, {"a": 2', "cut or broken"),
        ('[{"a": 1}', "expected ',', found 'the end"),
        ('[{"a": 1}] x', "follows the end"),
        ('[{"a": 1}, 5]', "not an object"),
        ('[{"a": 1} {"a": 2}]', "expected ','"),
        ('{"a": 1}', "expected '\\['"),
        ("[" * 100_000, "nested too deeply"),
        ('["' + "a" * (3 << 20) + '"]', "no record within"),
        ("", "expected"),
    ],
)
def test_a_cut_a_broken_and_a_hostile_file_are_refused(tmp_path, text, problem):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(BadTable, match=problem):
        list(records(path, 0, 0, keyed=False))


VALUES = st.recursive(
    st.one_of(st.integers(), st.floats(allow_nan=False), st.text(), st.none(), st.booleans()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.text(), VALUES, max_size=4), max_size=6), st.integers(1, 60), st.booleans())
def test_any_json_comes_out_of_any_window_as_json_reads_it(tmp_path_factory, content, window, keyed):
    path = tmp_path_factory.mktemp("json") / "a.json"
    value = {str(k): record for k, record in enumerate(content)} if keyed else content
    path.write_text(json.dumps(value))
    before, nar_json.WINDOW = nar_json.WINDOW, window
    try:
        found = list(records(path, 0, 0, keyed))
    finally:
        nar_json.WINDOW = before
    assert [record for _, record, _ in found] == content
    for k, (_, _, offset) in enumerate(found):
        assert [record for _, record, _ in records(path, offset, k + 1, keyed)] == content[k + 1 :]
