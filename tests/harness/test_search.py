"""Searches of a small made-up problem: until the best, under limits, equal networks apart, labels of one training."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tierwise.benchmarks.table import Table
from tierwise.errors import BadSetting, UnknownName
from tierwise.harness.problem import Problem
from tierwise.harness.problem import problem as problem_of
from tierwise.harness.protocol import Assertion, Claim, Method, load_claim
from tierwise.harness.run import unmet
from tierwise.harness.search import shards, work
from tierwise.harness.search_tables import evaluations
from tierwise.harness.sections import section
from tierwise.harness.task import facts, task, undeduplicated
from tierwise.spaces.edges import Edges
from tierwise.spaces.nasbench101 import NASBench101
from tierwise.spaces.nasbench201 import OPS, NASBench201

BENCH = Path(__file__).parents[2] / "bench"
METHODS = {
    "random": Method(about="random", baseline="random"),
    "auto": Method(about="ours", strategy="local"),
    "evolution": Method(about="evolution", strategy="evolution", settings={"population": 5, "tournament": 2}),
}


def made(label: np.ndarray[Any, Any] | None = None) -> Problem:
    """All 125 cells of three edges; labels and truths that agree but for noise, seconds and a latency."""
    space = Edges("small", 3, OPS, shared=("avg_pool_3x3",))
    archs, rng = space.enumerate(), np.random.default_rng(0)
    truth = 80 + archs.genes @ np.array([3.0, 2.0, 1.0]) % 11 + 0.1 * rng.random(len(archs))
    label = truth - 2 + 0.5 * rng.random(len(archs)) if label is None else label
    latency = archs.genes.sum(1) + 0.01 * rng.random(len(archs))
    metrics = {"accuracy": label, "seconds": 10.0 + archs.genes.sum(1)}
    table = Table("made", space, metrics, {"latency": latency}, {"test_accuracy": truth})
    mean = label if label.ndim == 1 else np.nanmean(label, 1)
    return Problem("d", space, archs, mean, truth, {}, {}, table)


def claim_of(methods: dict[str, Method] = METHODS, label: str = "validation", **fields: Any) -> Claim:
    data = {"benchmark": "own", "datasets": ["d"], "label": label}
    content = {"title": "Small", "kind": "search", "data": data, "methods": {}, "seeds": 3, "batch": 1, **fields}
    return Claim.model_validate(content).model_copy(update={"methods": methods})


def run(claim: Claim, problem: Problem) -> list[dict[str, Any]]:
    return [{"shard": shard, **work(claim, problem, shard)} for shard in shards(claim)]


def page(claim: Claim, problem: Problem, lines: list[dict[str, Any]]) -> str:
    content = {"runs": lines, "facts": {"d": facts(claim, problem)}, "environment": {"cores": 1, "cpu": "any"}}
    return section(claim, content, "a.toml", "")


def test_a_search_stops_at_the_best_and_counts_its_evaluations() -> None:
    problem, claim = made(), claim_of(trials=50, until=True, top=4.0)
    assert claim.stops == [50]
    lines = run(claim, problem)
    assert any(line["best_evaluated_at"] for line in lines)
    for line in lines:
        at, figures = line["best_evaluated_at"], line["figures"]["50"]
        assert figures["evaluations_to_best"] == line["labels"] == (at or 50)
        assert (figures["success"] == 1) == (figures["validation_regret"] == 0) == (at is not None)
        assert 1 <= line["top_evaluated_at"] <= (at or 50)
        assert line["step_seconds"][-1] <= line["seconds"]
        assert len(line["step_seconds"]) == len(line["curve"])


def test_checkpoints_are_reached_all_the_same() -> None:
    problem = made()
    claim = claim_of(trials=60, checkpoints=[20, 45], until=True)
    for line in run(claim, problem):
        assert list(line["figures"]) == ["20", "45", "60"]
        assert line["labels"] == min(max(line["best_evaluated_at"] or 60, 45), 60)


def test_the_top_is_the_best_share_and_one_at_least() -> None:
    problem = made()
    mine = task(claim_of(trials=5), problem)
    ordered = np.sort(problem.label)
    assert [mine.top(percent) for percent in (0.1, 4.0, 100.0)] == [ordered[-1], ordered[-5], ordered[0]]


@pytest.mark.parametrize(
    ("found", "cells"),
    [
        ([3, 1, 2, 10], ["4.0", "2", "10", "4 of 4"]),
        ([3, None, 5, 4], ["at least 15.5", "4", "at least 50", "3 of 4"]),
        ([None, None, None], ["at least 50.0", "at least 50", "at least 50", "0 of 3"]),
        ([50], ["50.0", "50", "50", "1 of 1"]),
    ],
)
def test_runs_without_the_best_count_with_all_they_had(found: list[int | None], cells: list[str]) -> None:
    assert evaluations(found, 50) == cells


def test_under_a_limit_only_what_is_feasible_counts() -> None:
    problem = made()
    claim = claim_of(trials=20, checkpoints=[10, 20], limits={"latency": 0.3}, duplicates=True)
    assert shards(claim)[0] == {"method": "random", "dataset": "d", "limit": "latency", "seed": 0}
    latency = problem.table.known_columns["latency"]
    known = facts(claim, problem)["limits"]["latency"]
    feasible = latency <= known["limits"]["latency"]
    assert feasible.sum() == known["architectures"] == 38
    assert known["best_validation"] == problem.label[feasible].max() < problem.label.max()
    lines = run(claim, problem)
    for line in lines:
        assert line["labels"] == 20
        for figures in line["figures"].values():
            assert figures["validation"] + figures["validation_regret"] == pytest.approx(known["best_validation"])
            assert figures["test"] + figures["test_regret"] == pytest.approx(problem.truth[feasible].max())
            assert figures["oracle_test"] <= problem.truth[feasible].max()
    text = page(claim, problem, lines)
    assert "**d, latency** (latency ≤" in text
    assert "38 of 125" in text
    stated = Assertion(method="auto", dataset="d", at=20, figure="test", value=0.0, tolerance=0.1, limit="latency")
    assert "auto on d under latency at 20" in unmet(claim.model_copy(update={"claim": [stated]}), lines)[0]


def test_what_is_limited_can_be_a_second_goal() -> None:
    methods = {"front": Method(about="front", strategy="nsga2", settings={"population": 5}, against=True)}
    claim = claim_of(methods, trials=30, limits={"latency": 0.9}, duplicates=True, seeds=1)
    alone = claim.model_copy(update={"methods": {"front": methods["front"].model_copy(update={"against": False})}})
    curves = [run(each, made())[0]["step_seconds"] for each in (claim, alone)]
    assert curves[0] != curves[1]


def test_cheap_evaluations_are_no_labels_but_take_their_time() -> None:
    plain = made()
    cheap = {12: {"accuracy": plain.label[::-1], "seconds": np.full(125, 1_000.0)}}
    problem = replace(plain, table=replace(plain.table, cheaper=cheap))
    claim = claim_of({"halving": Method(about="halving", strategy="halving")}, trials=9, duplicates=True, seeds=1)
    (line,) = run(claim, problem)
    cheap_ones = 9 - line["labels"]
    assert 1 <= line["labels"] < cheap_ones  # one of three is promoted
    assert line["step_seconds"][0] > 3_000
    assert line["seconds"] >= 1_000 * (cheap_ones - 2)  # the last may come after the last label


def test_equal_networks_apart_are_all_evaluated() -> None:
    problem = made()
    networks = len(np.unique(problem.space.canonical(problem.archs)))
    assert networks < 125
    one = {"random": METHODS["random"]}
    for duplicates, labels in ((False, networks), (True, 125)):
        claim = claim_of(one, trials=200, duplicates=duplicates, seeds=1)
        (line,) = run(claim, problem)
        assert line["labels"] == labels
    assert line["best_evaluated_at"]
    assert "every architecture is a network of its own" in page(claim, problem, [line])


def test_a_space_without_equal_networks_is_a_value_of_its_own() -> None:
    space = NASBench201()
    apart = undeduplicated(space)
    archs = apart.enumerate()
    assert len(np.unique(apart.canonical(archs))) == 15_625
    assert (apart.index(archs) == space.index(archs)).all()
    assert apart != space
    copy = pickle.loads(pickle.dumps(apart))  # noqa: S301
    narrow = copy.narrow("cell/0-1", ["none"])
    assert copy == apart == undeduplicated(space)
    assert hash(copy) == hash(apart)
    assert len(np.unique(narrow.canonical(narrow.enumerate()))) == narrow.size == 3_125
    with pytest.raises(BadSetting, match="duplicates"):
        undeduplicated(NASBench101())


def test_a_run_learns_from_one_training_and_is_judged_by_it() -> None:
    plain = made()
    runs = np.stack([plain.label, plain.label[::-1], np.full(125, np.nan)], 1)
    runs[:60, 2] = 99.0 + np.arange(60)
    problem, claim = made(runs), claim_of(label="seed", trials=125, until=True, seeds=6)
    columns = [task(claim, problem, seed=seed).problem.label for seed in range(6)]
    assert (columns[0] == runs[:, 0]).all()
    assert (columns[1] == runs[:, 1]).all()
    assert (columns[2] == np.where(np.isnan(runs[:, 2]), runs[:, 0], runs[:, 2])).all()  # of two trainings the first
    assert (columns[5][60:] == runs[60:, 1]).all()
    lines = run(claim, problem)
    for line in lines:
        best = columns[line["shard"]["seed"]].max()
        figures = line["figures"]["125"]
        assert figures["validation"] + figures["validation_regret"] == pytest.approx(best)
    assert "labels of one training, which one by the seed of the run" in page(claim, problem, lines)


def test_new_fields_leave_the_settings_of_old_lines_alone() -> None:
    claim = load_claim(BENCH / "search_nasbench201.toml")
    assert claim.digest("random") == "26f8a4b63d70"  # of the committed lines
    for field, value in (("until", True), ("top", 1.0), ("limits", {"latency": 0.5}), ("duplicates", True)):
        assert claim.model_copy(update={field: value}).digest("random") != "26f8a4b63d70"


SMALL = """
title = "Small"
kind = "search"
trials = 20
[data]
benchmark = "nasbench201"
datasets = ["cifar10"]
label = "seed0"
[methods.random]
"""


@pytest.mark.parametrize(
    ("old", "new", "error", "words"),
    [
        ("trials = 20", "seconds = [50]\nuntil = true", BadSetting, "until"),
        ('kind = "search"', 'kind = "ranking"\nlabels = [9]', BadSetting, "data.label: seed|data.label = 'seed'"),
        ("trials = 20", "trials = 20\nlimits = { latency = 1.5 }", BadSetting, "limits.latency"),
        ("trials = 20", "trials = 20\ntop = 0.0", BadSetting, "top"),
    ],
)
def test_fields_that_exclude_each_other_are_said(
    tmp_path: Path, old: str, new: str, error: type[Exception], words: str
) -> None:
    path = tmp_path / "a.toml"
    path.write_text(SMALL.replace(old, new).replace("seed0", "seed"))
    with pytest.raises(error, match=words):
        load_claim(path)


def test_a_statement_names_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    stated = (
        "[[claim]]\nmethod = 'random'\ndataset = 'cifar10'\nat = 20\nfigure = 'test'\nvalue = 1.0\ntolerance = 1.0\n"
    )
    limited = SMALL.replace("trials = 20", "trials = 20\nlimits = { latency = 0.5 }")
    path.write_text(limited + stated + "limit = 'latency'\n")
    assert load_claim(path).claim[0].limit == "latency"
    path.write_text(limited + stated)
    with pytest.raises(UnknownName, match="latency"):
        load_claim(path)


@pytest.mark.parametrize("path", sorted(BENCH.glob("search_*.toml")), ids=lambda path: path.stem)
def test_the_committed_searches_are_valid(path: Path) -> None:
    assert shards(load_claim(path))


def test_pictures_of_all_kinds_are_drawn_alike_each_time(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from tierwise.harness.pictures import draw

    problem, many = made(), {f"m{k}": METHODS["evolution"] for k in range(12)}
    four = claim_of(trials=12, checkpoints=[6, 12], limits=dict.fromkeys(("latency", "flops", "params", "x"), 0.5))
    claims = {
        "until": claim_of({**METHODS, **many}, trials=12, until=True),
        "at checkpoints": claim_of(trials=12, checkpoints=[6, 12]),
        "many limits": four,
    }
    for name, claim in claims.items():
        table = problem.table
        known = {**table.known_columns, **dict.fromkeys(claim.limits, table.known_columns["latency"])}
        here = replace(problem, table=replace(table, known_columns=known))
        lines, found = run(claim, here), {"d": facts(claim, here)}
        old = [{k: v for k, v in line.items() if k not in ("curve", "step_seconds")} for line in lines]
        draw(claim, lines, found, tmp_path / "a.svg")
        draw(claim, old, found, tmp_path / "old.svg")
        written = (tmp_path / "a.svg").read_bytes()
        for text in (*claim.methods, *(f"d, {limit} ≤" for limit in claim.limits)):
            assert f"<!-- {text}".encode() in written, name
        assert (b"simulated training seconds" in written) == (name != "many limits")
        assert b"simulated training seconds" not in (tmp_path / "old.svg").read_bytes()
    draw(claim, json.loads(json.dumps(lines)), found, tmp_path / "b.svg")
    assert written == (tmp_path / "b.svg").read_bytes()


def test_short_trainings_take_time_and_are_no_labels() -> None:
    problem = made()
    rng, seconds = np.random.default_rng(1), np.full(125, 10.0)
    cheaper = {3: {"accuracy": problem.label + rng.random(125), "seconds": np.full(125, 1.0)}}
    metrics = {**problem.table.metrics, "seconds": seconds}
    problem = replace(problem, table=replace(problem.table, metrics=metrics, cheaper=cheaper))
    short = Method(about="short first", strategy="halving", settings={"budgets": "3", "eta": 4, "source": "random"})
    for line in run(claim_of({"halving": short}, trials=40, seeds=2), problem):
        assert 5 <= line["labels"] <= 12  # one in four, and one in three while few are there
        short_ones = line["seconds"] - 10.0 * line["labels"]  # until the last label, a second each
        assert 3 * line["labels"] <= short_ones <= 40 - line["labels"]


def test_short_trainings_are_a_column_of_the_data(nb201_file: Path, nb201: Any) -> None:
    claim = load_claim(BENCH / "search_cheap_nasbench201.toml")
    read = problem_of(claim.data, "cifar100", nb201_file.parent)
    assert read.table.cheaper[12]["accuracy"].tolist() == nb201["c100_val12"].tolist()
    np.testing.assert_allclose(read.table.cheaper[12]["seconds"], 0.06 * read.table.metrics["seconds"])
    unnamed = claim.data.model_copy(update={"cheap": claim.data.cheap.model_copy(update={"accuracy": {}})})  # pyright: ignore[reportOptionalMemberAccess]
    with pytest.raises(UnknownName, match=r"data\.cheap\.accuracy"):
        problem_of(unnamed, "cifar100", nb201_file.parent)
