"""Recorded columns and earlier studies as inputs of a method: what it may read, what that cost, what is printed."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.harness.claims import RANKING, SEARCH
from tierwise import registry
from tierwise.errors import BadSetting, TierwiseError, UnknownName
from tierwise.harness.problem import Problem, problem
from tierwise.harness.protocol import Claim, load_claim
from tierwise.harness.ranking import shards, work
from tierwise.harness.run import value
from tierwise.harness.sections import labels_used, section

BENCH = Path(__file__).parents[2] / "bench"
PLAIN = RANKING.partition("[[claim]]")[0].replace("[60, 120]", "[30]")
METHOD = '\n[methods.gp]\npredictor = "gp"\n'
SOURCE = 'source = { dataset = "cifar100", labels = 200 }\n'
TRANSFER = PLAIN.replace("[30]", "[0, 10]").replace('["cifar10"]', '["cifar10", "cifar100"]') + METHOD + SOURCE


INSTALLED: list[tuple[registry.Kind, str, str]] = [
    ("encoding", "columns", "tierwise.encodings.columns:Columns"),
    ("encoding", "predicted", "tierwise.encodings.predicted:Predicted"),
    ("encoding", "computation_graph", "tierwise.encodings.computation_graph:ComputationGraph"),
    ("predictor", "general", "tierwise.predictors.general:General"),
]


@pytest.fixture(autouse=True)
def names_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, name, where in INSTALLED:
        monkeypatch.setitem(registry.installed(kind), name, EntryPoint(name, where, registry.GROUPS[kind]))


def read(folder: Path, text: str, name: str = "a.toml") -> Claim:
    path = folder / name
    path.write_text(text)
    return load_claim(path)


def shard(n: int, method: str = "gp", dataset: str = "cifar10") -> dict[str, Any]:
    return {"method": method, "dataset": dataset, "n": n, "seed": 0}


def of(claim: Claim, file: Path, dataset: str = "cifar10") -> Problem:
    return problem(claim.data, dataset, file.parent)


def results_of(claim: Path) -> Path:
    return BENCH / "results" / f"{claim.stem.replace('_', '-')}.json"


@pytest.mark.parametrize(
    "path", sorted(filter(lambda claim: results_of(claim).is_file(), BENCH.glob("*.toml"))), ids=lambda path: path.stem
)
def test_results_that_were_committed_before_inputs_existed_still_count(path: Path) -> None:
    claim, lines = load_claim(path), json.loads(results_of(path).read_text())["runs"]
    plain = [line for line in lines if not (m := claim.methods[line["shard"]["method"]]).inputs and not m.source]
    assert plain
    assert {line["settings"] for line in plain} == {claim.digest(line["shard"]["method"]) for line in plain}


def test_inputs_and_source_decide_a_shard_and_a_stated_cost_does_not(tmp_path: Path) -> None:
    with_inputs = PLAIN + METHOD + 'inputs = ["c10_val12"]\n'
    texts = [PLAIN + METHOD, with_inputs, PLAIN + METHOD + 'source = { dataset = "cifar10", labels = 20 }\n']
    assert len({read(tmp_path, text).digest("gp") for text in texts}) == 3
    costly = read(tmp_path, with_inputs + "input_cost = 0.06\n")
    assert costly.digest("gp") == read(tmp_path, with_inputs).digest("gp")


def test_accuracy_after_12_epochs_helps_and_its_cost_is_printed(tmp_path: Path, nb201_file: Path) -> None:
    lines: list[dict[str, Any]] = []
    for more in ("", 'inputs = { cifar10 = ["c10_val12"] }\ninput_cost = 0.06\n'):
        claim = read(tmp_path, PLAIN + METHOD + more)
        data = of(claim, nb201_file)
        lines.append({"shard": shard(30), **work(claim, data, shard(30))})
    without, with_it = (value(line, 30, "tau") or 0.0 for line in lines)
    assert with_it > without + 0.03
    content = {"runs": lines[1:], "facts": {"cifar10": data.facts()}, "environment": {"cores": 1, "cpu": "any"}}
    assert "| `gp` | 30 + 938 for inputs (0.06 × 15,625) |" in section(claim, content, "a.toml", "")


def test_columns_come_from_the_benchmark_and_from_its_file(tmp_path: Path, nb201_file: Path, nb201: Any) -> None:
    data = of(read(tmp_path, PLAIN), nb201_file)
    assert (data.column("latency") == data.table.known_columns["latency"]).all()
    assert (data.column("c10_zc_zen") == nb201["c10_zc_zen"].astype(float)).all()
    with pytest.raises(UnknownName, match="c10_val12"):
        data.column("c10_val13")
    with pytest.raises(BadSetting, match="15625"):
        data.column("c10_val200")  # a column a run


def test_what_is_to_be_predicted_is_no_input(tmp_path: Path, nb201_file: Path) -> None:
    data = of(read(tmp_path, PLAIN), nb201_file)
    with pytest.raises(BadSetting, match="the truth itself"):
        data.column("c10_test200_mean")


def test_an_array_with_one_number_for_each_labelled_row_finds_its_place(nb201_file: Path) -> None:
    claim = load_claim(BENCH / "ranking_nasbench101.toml")
    if not (nb201_file.parent / str(claim.data.file)).is_file():
        pytest.skip(f"no {claim.data.file} beside {nb201_file}")
    data = of(claim, nb201_file)
    early = data.column("labelled_val36")
    assert early.shape == data.label.shape
    assert np.corrcoef(early, data.label)[0, 1] > 0.3
    assert data.column("params") == pytest.approx(data.costs[:, 1])
    with pytest.raises(BadSetting, match="the label itself"):
        data.column("labelled_val108")


def test_another_data_set_ranks_without_a_label_and_helps_with_few(tmp_path: Path, nb201_file: Path) -> None:
    def run(n: int) -> dict[str, Any]:
        return shard(n, "forest")

    claim = read(tmp_path, TRANSFER.replace("gp", "forest"))
    data = of(claim, nb201_file)
    lines = [{"shard": run(n), **work(claim, data, run(n))} for n in (0, 10)]
    assert work(claim, data, run(0))["figures"] == lines[0]["figures"]
    none, few = (value(line, n, "tau") or 0.0 for line, n in zip(lines, (0, 10), strict=True))
    alone = value(work(read(tmp_path, PLAIN + METHOD.replace("gp", "forest")), data, run(10)), 10, "tau") or 0.0
    assert none > 0.7
    assert few > alone + 0.03
    assert value(lines[0], 10, "tau") is None  # it did learn, so it says nothing of other numbers of labels
    content = {"runs": lines, "facts": {"cifar10": data.facts()}, "environment": {"cores": 1, "cpu": "any"}}
    claim = claim.model_copy(update={"data": claim.data.model_copy(update={"datasets": ["cifar10"]})})
    text = section(claim, content, "a.toml", "")
    assert f"| `forest` | {none:.3f} | {few:.3f} |" in text
    assert "| `forest` | 10 + 200 on cifar100 |" in text


def test_only_a_method_with_a_source_runs_without_labels(tmp_path: Path) -> None:
    claim = read(tmp_path, TRANSFER.replace("[methods.flops]", '[methods.forest]\npredictor = "forest"'))
    runs = {(run["method"], run["n"]) for run in shards(claim)}
    assert {("gp", 0), ("gp", 10), ("forest", 10), ("flops", 0)} <= runs
    assert ("forest", 0) not in runs
    assert ("trees", 0) not in runs


def test_the_source_may_be_the_data_of_another_claim(tmp_path: Path, nb201_file: Path) -> None:
    text = PLAIN.replace("[30]", "[0]") + METHOD + 'source = { claim = "b.toml", dataset = "cifar10", labels = 100 }\n'
    other = PLAIN.replace('file = "nb201.npz"', 'file = "nb201.npz"\nlabel = "seconds"')
    taus: list[float] = []
    digests: set[str] = set()
    for there in (PLAIN, other):
        (tmp_path / "b.toml").write_text(there)
        claim = read(tmp_path, text)
        digests.add(claim.digest("gp"))
        taus.append(value(work(claim, of(claim, nb201_file), shard(0)), 0, "tau") or 0.0)
    assert len(digests) == 2
    assert taus[0] > taus[1] + 0.1
    assert labels_used(claim.methods["gp"], "cifar10", 10, 15_625) == "10 + 100 on cifar10 of b.toml"


@pytest.mark.parametrize("method", ["general", "forest"])
def test_another_space_is_learnt_from_and_gone_on_from(method: str, tmp_path: Path, nb201_file: Path) -> None:
    pytest.importorskip("torch")
    there = BENCH / "ranking_nasbench101.toml"
    if not (nb201_file.parent / "nb101.npz").is_file():
        pytest.skip(f"no nb101.npz beside {nb201_file}")
    (tmp_path / "there.toml").write_text(there.read_text())
    source = 'source = { claim = "there.toml", dataset = "cifar10", labels = 200, predictor = "general" }\n'
    if method == "general":  # itself learns there, and goes on here
        source = source.replace(', predictor = "general"', "")
    text = PLAIN.replace("[30]", "[0, 10]") + METHOD.replace("gp", method) + source
    claim = read(tmp_path, text)
    data = of(claim, nb201_file)
    runs = [0, 10] if method == "general" else [10]
    taus = [value(work(claim, data, shard(n, method)), n, "tau") or 0.0 for n in runs]
    assert taus[-1] > 0.3  # without a label here the order of another space is weak, so nothing is asked of it
    assert len(set(taus)) == len(runs)


WRONG = {
    "an unknown predictor there": (
        'source = { dataset = "cifar10", labels = 9, predictor = "generals" }\n',
        UnknownName,
        ["source.predictor", "generals"],
    ),
    "an unknown data set": ('inputs = { mnist = ["a"] }\n', UnknownName, ["methods.gp.inputs", "mnist", "cifar10"]),
    "a cost below zero": ("input_cost = -1.0\n", BadSetting, ["methods.gp.input_cost", "-1.0"]),
    "a source elsewhere": ('source = { dataset = "mnist", labels = 9 }\n', UnknownName, ["source.dataset", "mnist"]),
    "no labels there": ('source = { dataset = "cifar10", labels = 0 }\n', BadSetting, ["labels", "0"]),
    "no labels here": ("labels = [0, 5]\n", BadSetting, ["methods.gp.labels", "0", "source"]),
    "data by hand": (
        'source = { dataset = "cifar10", labels = 9, data = { benchmark = "own", datasets = ["cifar10"] } }\n',
        BadSetting,
        ["source.data", "claim"],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_inputs_are_named_by_field(name: str, tmp_path: Path) -> None:
    more, kind, words = WRONG[name]
    with pytest.raises(TierwiseError) as caught:
        read(tmp_path, PLAIN + METHOD + more)
    assert isinstance(caught.value, kind)
    for word in ["a.toml", *words]:
        assert word in str(caught.value)


def test_inputs_are_for_predictors_in_a_ranking(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="kind ranking"):
        read(tmp_path, SEARCH + 'inputs = ["c10_val12"]\n')
    with pytest.raises(BadSetting, match="kind ranking"):
        read(tmp_path, PLAIN.replace("[methods.flops]", '[methods.flops]\ninputs = ["c10_val12"]'))
    with pytest.raises(BadSetting, match="if a method has a source"):
        read(tmp_path, PLAIN.replace("[30]", "[0, 30]"))


def test_a_predictor_without_a_place_for_inputs_is_refused(tmp_path: Path, nb201_file: Path) -> None:
    pytest.importorskip("torch")
    claim = read(tmp_path, PLAIN + METHOD.replace('"gp"', '"nar"') + 'inputs = ["c10_val12"]\n')
    with pytest.raises(BadSetting, match="inputs of predictor nar"):
        work(claim, of(claim, nb201_file), shard(30))
