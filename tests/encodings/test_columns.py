"""Recorded columns as features: ranks, missing records, files of every kind, and the errors of a wrong one."""

import csv
import os
from importlib.metadata import EntryPoint

import numpy as np
import pytest
from scipy.stats import kendalltau, norm, rankdata
from sklearn.base import clone

from tests.small_spaces import Costed, Flat, Unordered, tiny
from tierwise import registry
from tierwise.architecture import Architectures
from tierwise.encodings.columns import Columns
from tierwise.errors import BadSetting, BadTable, UnknownName
from tierwise.predictors.encoded import made
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.spaces.subset import Subset
from tierwise.testing import check_encoding

SPACE = NASBench201()


@pytest.fixture(autouse=True)
def the_name_is_installed(monkeypatch):
    point = EntryPoint("columns", "tierwise.encodings.columns:Columns", registry.GROUPS["encoding"])
    monkeypatch.setitem(registry.installed("encoding"), "columns", point)


def written(path, archs, **columns):
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["architecture", *columns])
        rows.writerows(zip(map(str, archs), *columns.values(), strict=True))
    return str(path)


@pytest.mark.parametrize("space", [SPACE, tiny(cls=Costed), Unordered()], ids=repr)
def test_columns_in_memory_conform(space):
    numbers = np.random.default_rng(0).random(space.size)
    check_encoding(Columns.of(space, {"a": numbers, "b": np.where(numbers < 0.3, np.nan, numbers)}, cost=0.1), space)


@pytest.mark.parametrize("space", [SPACE, tiny(cls=Costed), Unordered()], ids=repr)
def test_columns_of_a_file_conform(space, tmp_path):
    archs = space.enumerate()[:100]
    check_encoding(Columns(written(tmp_path / "a.csv", archs, proxy=range(100))), space)


def test_only_the_order_of_numbers_counts_and_sentinels_are_harmless():
    space = tiny()
    numbers = np.random.default_rng(0).permutation(space.size).astype(float)
    numbers[numbers < 5] = 5.0  # ties
    strange = np.exp(numbers / 10)
    strange[numbers == 5], strange[numbers == 124] = -1e8, np.inf
    plain, odd = (Columns.of(space, {"proxy": x}).transform(space.enumerate()) for x in (numbers, strange))
    assert (plain == odd).all()
    assert plain[:, 0] == pytest.approx(norm.ppf((rankdata(numbers) - 0.5) / space.size), abs=1e-6)


def test_a_missing_number_is_zero_and_said():
    space = tiny()
    numbers = np.arange(space.size, dtype=float)
    numbers[7] = np.nan
    columns = Columns.of(space, {"a": numbers, "b": np.arange(space.size)})
    x = columns.transform(space.enumerate())
    assert columns.feature_names(space) == ["a", "b", "missing"]
    assert x[7, [0, 2]].tolist() == [0, 1]
    assert x[7, 1] < -1
    assert x[:, 2].sum() == 1


@pytest.mark.parametrize("kind", ["csv", "parquet", "npz"])
def test_every_kind_of_file_gives_the_same(kind, tmp_path):
    space, rng = tiny(), np.random.default_rng(1)
    rows = rng.permutation(space.size)
    zen, noise = rng.random(space.size), rng.random(space.size)
    path = tmp_path / f"a.{kind}"
    texts = [str(arch) for arch in space.at(rows)]
    if kind == "csv":
        written(path, space.at(rows), zen=zen[rows], noise=noise[rows], note=["text"] * len(rows))
    elif kind == "npz":
        np.savez(path, architecture=np.array(texts), zen=zen[rows], noise=noise[rows])
    else:
        pa = pytest.importorskip("pyarrow")
        table = pa.table({"architecture": texts, "zen": zen[rows], "noise": noise[rows]})
        pytest.importorskip("pyarrow.parquet").write_table(table, path)
    x = Columns(str(path)).transform(space.enumerate())
    assert (x == Columns.of(space, {"zen": zen, "noise": noise}).transform(space.enumerate())).all()
    assert (Columns(str(path), names=("noise",)).transform(space.enumerate()) == x[:, [1]]).all()


def test_an_equal_network_takes_the_record_and_another_has_none(tmp_path):
    space = SPACE
    keys = space.canonical(space.enumerate())
    _, first, network = np.unique(keys, return_index=True, return_inverse=True)
    columns = Columns(written(tmp_path / "a.csv", space.at(first[:500]), proxy=range(500)))
    x = columns.transform(space.enumerate())
    assert ((network < 500) == (x[:, 1] == 0)).all()
    assert (x[first[:500][network[network < 500]]] == x[network < 500]).all()


def test_records_outside_the_part_at_hand_count_for_the_ranks(tmp_path):
    path = written(tmp_path / "a.csv", SPACE.enumerate()[:2000], proxy=range(2000))
    part = Subset(SPACE, SPACE.at(np.arange(0, 3000, 7)))
    expected = Columns(path).transform(Architectures(SPACE, part.enumerate().genes))
    assert (Columns(path).transform(part.enumerate()) == expected).all()


def test_a_space_too_large_to_list_has_records_of_some(tmp_path):
    space = Flat()
    archs = space.sample(50, np.random.default_rng(0))
    columns = Columns(written(tmp_path / "a.csv", archs[:40], proxy=range(40)))
    assert columns.transform(archs)[:, 1].tolist() == [0] * 40 + [1] * 10


def test_a_changed_file_is_read_anew(tmp_path):
    space = tiny()
    path = written(tmp_path / "a.csv", space.enumerate(), proxy=range(125))
    before = Columns(path).transform(space.enumerate())
    written(tmp_path / "a.csv", space.enumerate(), proxy=range(125, 0, -1))
    os.utime(path, ns=(1, 1))
    assert (Columns(path).transform(space.enumerate())[::-1] == before).all()


def test_its_text_says_where_it_came_from():
    space = tiny()
    assert Columns("a.csv", cost=0.1).text == "columns:a.csv"
    assert Columns("a.csv", names=("zen",)).text is None
    assert Columns.of(space, {"a": np.arange(125)}).text is None
    assert clone(Columns.of(space, {"a": np.arange(125)}, cost=0.06)).cost == 0.06


@pytest.mark.parametrize(
    ("text", "settings", "words"),
    [
        ("architecture,a\nnasbench101/3,1\n", {}, ["a.csv", "tiny", "rows 2"]),
        ("architecture,a\ntiny/0-0-0,1\ntiny/0-0-9,1\n", {}, ["a.csv", "rows 3", "allowed 0 to 4"]),
        ("architecture,a\ntiny/0-0-0,1\ntiny/0-0-1,x\n", {}, ["a.csv", "'a'", "no number", "rows 3"]),
        ("architecture,a\ntiny/0-0-0,1\n", {"names": ("b",)}, ["a.csv", "b", "there is: a"]),
        ("architecture,a\ntiny/0-0-0,text\n", {}, ["a.csv", "no column of numbers"]),
        ("cell,a\ntiny/0-0-0,1\n", {}, ["a.csv", "architecture", "there is: cell, a"]),
    ],
)
def test_a_wrong_file_is_named_with_its_lines(text, settings, words, tmp_path):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(BadTable) as caught:
        Columns(str(tmp_path / "a.csv"), **settings).transform(tiny().enumerate())
    for word in words:
        assert word in str(caught.value)


def test_wrong_columns_are_refused(tmp_path):
    space = tiny()
    with pytest.raises(BadTable, match="no such file"):
        Columns(str(tmp_path / "absent.csv")).transform(space.enumerate())
    with pytest.raises(BadSetting, match="path"):
        Columns().transform(space.enumerate())
    with pytest.raises(BadSetting, match="one number a row"):
        Columns.of(space, {"a": np.arange(3)})
    with pytest.raises(BadSetting, match="at least one column"):
        Columns.of(space, {})
    with pytest.raises(BadSetting, match="nasbench201"):
        Columns.of(space, {"a": np.arange(125)}).transform(SPACE.at([1]))


@pytest.mark.parametrize("name", ["gp", "forest", "trees", "tier"])
def test_a_predictor_with_columns_can_be_cloned_and_saved_if_they_are_in_a_file(name, tmp_path):
    pytest.importorskip({"trees": "lightgbm", "tier": "torch"}.get(name, "sklearn"))
    space, kind = tiny(cls=Costed), registry.find("predictor", name)
    archs, numbers = space.enumerate(), np.random.default_rng(0).random(125)
    path = written(tmp_path / "a.csv", archs, proxy=numbers)
    scores = []
    for encoding in (Columns(path), f"columns:{path}"):
        predictor = clone(kind(encodings=("paths", made(encoding)))).fit(archs[:60], numbers[:60])
        predictor.save(tmp_path / "one.npz")
        scores.append(predictor.predict(archs))
        assert (kind.load(tmp_path / "one.npz").predict(archs) == scores[-1]).all()
    assert (scores[0] == scores[1]).all()
    memory = kind(encodings=("paths", Columns.of(space, {"proxy": numbers}))).fit(archs[:60], numbers[:60])
    assert (clone(memory).fit(archs[:60], numbers[:60]).predict(archs) == scores[0]).all()
    with pytest.raises(BadSetting, match="columns:PATH"):
        memory.save(tmp_path / "two.npz")
    assert not (tmp_path / "two.npz").exists()


def test_a_name_with_an_argument_needs_an_encoding_that_takes_one():
    assert isinstance(made("paths"), registry.find("encoding", "paths"))
    with pytest.raises(BadSetting, match="takes no argument"):
        made("onehot:a.csv")
    with pytest.raises(UnknownName, match="pathes"):
        made("pathes:3")


def test_accuracy_after_12_epochs_ranks_better_than_parameters(nb201):
    truth = registry.make("benchmark", "nasbench201").expected("accuracy")
    archs = SPACE.enumerate()
    early = Columns.of(SPACE, {"12": nb201["c10_val12"]}, cost=12 / 200).transform(archs)
    size = registry.make("encoding", "params").transform(archs)
    low, params = (kendalltau(x[:, 0], truth).statistic for x in (early, size))
    assert low > params + 0.05
