"""NATS-Bench's folders and single files, made of real numbers by an independent writer."""

import dataclasses
import itertools
import pickle

import numpy as np
import pytest

from tests.importers import official
from tests.importers.hostile import CALLS
from tierwise.errors import BadTable
from tierwise.importers import natsbench
from tierwise.importers.natsbench import SIZE, TOPOLOGY

ROWS = [0, 1, 2, 857, 6111, 9930, 10676, 15_624]
SOME_TOPOLOGY = dataclasses.replace(TOPOLOGY, complete=False)
SOME_SIZE = dataclasses.replace(SIZE, complete=False)


@pytest.fixture
def folder(tmp_path, nb201):
    path = tmp_path / "NATS-tss-v1_0-3ffb9-simple"
    path.mkdir()
    official.dump(official.meta(nb201), path / "meta.pickle.pbz2")
    for row in ROWS:
        official.dump(official.states(nb201, row), path / f"{row:06d}.pickle.pbz2")
    return path


def test_a_folder_is_recognised_by_its_meta_file_and_read_with_the_numbers_that_were_written(folder, nb201):
    assert TOPOLOGY.recognise(folder, b"")
    assert not SIZE.recognise(folder, b"")
    ((following, part),) = SOME_TOPOLOGY.parts(folder, 0, official.ignore)
    assert following == 15_625
    official.check(part, nb201, ROWS)
    assert part.columns["cifar10-valid/test_accuracy@200#777"][0] == nb201["c10_test200"][0, 0]
    assert part.columns["cifar10/params"].dtype == np.float64


def test_a_folder_goes_on_from_any_start_in_parts(folder, nb201, monkeypatch):
    monkeypatch.setattr(natsbench, "BLOCK", 3)
    parts = list(SOME_TOPOLOGY.parts(folder, 0, official.ignore))
    assert [part.rows.tolist() for _, part in parts] == [ROWS[:3], ROWS[3:6], ROWS[6:]]
    following = parts[0][0]
    again = list(SOME_TOPOLOGY.parts(folder, following, official.ignore))
    assert [part.rows.tolist() for _, part in again] == [ROWS[3:6], ROWS[6:]]
    official.check(again[0][1], nb201, ROWS[3:6])


@pytest.mark.parametrize("compressed", [True, False])
def test_a_single_file_has_the_same_results(tmp_path, nb201, compressed):
    path = tmp_path / ("NATS-tss-v1_0-3ffb9.pickle" + ".pbz2" * compressed)
    infos = {row: official.states(nb201, row) for row in ROWS}
    official.dump({**official.meta(nb201), "arch2infos": infos, "evaluated_indexes": set(ROWS)}, path, compressed)
    assert TOPOLOGY.recognise(path, path.read_bytes()[:4096])
    assert not SIZE.recognise(path, path.read_bytes()[:4096])
    ((_, part),) = SOME_TOPOLOGY.parts(path, 0, official.ignore)
    official.check(part, nb201, ROWS)


def test_an_incomplete_folder_or_file_is_refused_with_the_numbers_that_are_missing(folder, tmp_path, nb201):
    with pytest.raises(BadTable, match="15,617 of 15,625 architectures have no file") as caught:
        list(TOPOLOGY.parts(folder, 0, official.ignore))
    assert caught.value.rows == [3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    path = tmp_path / "one.pickle"
    official.dump({**official.meta(nb201), "arch2infos": {0: official.states(nb201, 0)}}, path, compressed=False)
    with pytest.raises(BadTable, match="15,624 of 15,625 architectures are missing"):
        list(TOPOLOGY.parts(path, 0, official.ignore))


def test_the_size_space_is_read_with_its_epochs_and_its_order(tmp_path, nb201):
    texts = [":".join(map(str, widths)) for widths in itertools.product(range(8, 65, 8), repeat=5)]
    path = tmp_path / "NATS-sss-v1_0-50262-simple"
    path.mkdir()
    official.dump({"meta_archs": texts, "total_archs": len(texts)}, path / "meta.pickle.pbz2")
    rows = [0, 1, 4681, 32_767]
    for row in rows:
        state = official.state(nb201, 0, 12, text=texts[row], arch_index=row)
        one = {key: {**run, "epochs": 1} for key, run in state["all_results"].items()}
        for run in one.values():
            run["train_acc1es"], run["train_times"] = {0: 20.0}, {0: 7.5}
            run["eval_acc1es"] = {f"{name}@0": 25.0 for name in run["eval_names"]}
            run["eval_times"] = {f"{name}@0": 1.5 for name in run["eval_names"]}
        official.dump({"01": {**state, "all_results": one}, "12": state}, path / f"{row:06d}.pickle.pbz2")
    assert SIZE.recognise(path, b"")
    assert not TOPOLOGY.recognise(path, b"")
    ((_, part),) = SOME_SIZE.parts(path, 0, official.ignore)
    assert part.rows.tolist() == rows
    assert set(part.columns["cifar10/validation_accuracy@1#777"].tolist()) == {25.0}
    assert set(part.columns["cifar10/training_seconds@1#777"].tolist()) == {7.5}
    np.testing.assert_allclose(part.columns["cifar100/validation_accuracy@12#777"], nb201["c100_val12"][0])


def test_flops_and_parameters_on_which_seeds_disagree_are_those_of_seed_888(folder, nb201):
    states = official.states(nb201, 0)
    for (_, seed), run in states["200"]["all_results"].items():
        run["params"] = {777: 0.1, 888: 0.2, 999: 0.3}[seed]
    official.dump(states, folder / "000000.pickle.pbz2")
    ((_, part),) = SOME_TOPOLOGY.parts(folder, 0, official.ignore)
    assert part.columns["cifar100/params"][0] == 200_000


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda s: s["12"].update(arch_index=5), "2 architectures in one record"),
        (lambda s: [x.update(arch_index=5) for x in s.values()], "under another number"),
        (lambda s: [x.update(arch_str="|none~0|") for x in s.values()], "expected the form"),
        (lambda s: [x.update(arch_str=official.arch_str([0] * 6)) for x in s.values()], "another number"),
        (lambda s: s["12"].pop("all_results"), "no sound all_results"),
        (lambda s: s["12"]["all_results"].update({"cifar10": {}}), "expected (data set, seed)"),
        (lambda s: s["200"]["all_results"]["cifar100", 777].pop("eval_acc1es"), "no sound eval_acc1es"),
        (lambda s: s["200"]["all_results"]["cifar100", 777]["eval_acc1es"].update({"x-valid@199": 161.0}), "of 161.0"),
        (lambda s: s["200"]["all_results"]["cifar100", 777].update(params="many"), "no sound params"),
        (lambda s: s["200"]["all_results"]["cifar100", 777].update(epochs=None), "no sound epochs"),
        (lambda s: s["200"]["all_results"]["cifar100", 777]["train_times"].clear(), "training time of epoch 0"),
        (lambda s: s.clear(), "no results by epochs"),
    ],
)
def test_a_record_that_is_not_as_the_benchmark_writes_it_is_refused_with_its_number(folder, nb201, change, problem):
    states = official.states(nb201, 6111)
    change(states)
    official.dump(states, folder / "006111.pickle.pbz2")
    with pytest.raises(BadTable) as caught:
        list(SOME_TOPOLOGY.parts(folder, 0, official.ignore))
    assert problem in str(caught.value)
    assert "expected the form" in problem or caught.value.rows == [6111]


def test_a_hostile_record_a_cut_one_and_foreign_files_are_refused(folder, tmp_path):
    record = folder / "000001.pickle.pbz2"
    whole = record.read_bytes()
    for content, problem in ((whole[:-100], "ends early"), (CALLS["os.system"][0], "'os.system'")):
        record.write_bytes(content)
        with pytest.raises(BadTable, match=problem) as caught:
            list(SOME_TOPOLOGY.parts(folder, 0, official.ignore))
        assert caught.value.source.endswith("000001.pickle.pbz2")
    empty = tmp_path / "empty"
    empty.mkdir()
    other = tmp_path / "other.pickle"
    other.write_bytes(pickle.dumps({"nasbench201": 1}))
    for importer in natsbench.IMPORTERS:
        assert not importer.recognise(empty, b"")
        assert not importer.recognise(other, other.read_bytes())
        assert not importer.recognise(tmp_path / "absent", b"BZh")
