"""What an earlier study is worth to the default predictor, and claims about data sets whose costs are not all known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tierwise import registry
from tierwise.errors import BadSetting
from tierwise.harness.problem import Problem, problem
from tierwise.harness.protocol import Claim, load_claim
from tierwise.harness.ranking import shards, work
from tierwise.harness.run import value
from tierwise.harness.sections import section
from tierwise.metrics import kendall_tau

GRAPHS = """
title = "Graphs"
kind = "ranking"
labels = [40]
seeds = 2

[data]
benchmark = "nasbench-graph"
datasets = ["proteins"]
label = "validation"
truth = "test"

[methods.params]
"""
FOUR = GRAPHS.replace('["proteins"]', '["cora", "cs", "photo", "proteins"]')


def read(folder: Path, text: str) -> Claim:
    path = folder / "a.toml"
    path.write_text(text)
    return load_claim(path)


def graphs(claim: Claim, dataset: str = "proteins") -> Problem:
    pytest.importorskip("nas_bench_graph")
    return problem(claim.data, dataset, Path())


def run(claim: Claim, data: Problem, method: str, n: int, seed: int = 0) -> dict[str, Any]:
    shard = {"method": method, "dataset": data.dataset, "n": n, "seed": seed}
    return {"shard": shard, **work(claim, data, shard)}


def page(claim: Claim, lines: list[dict[str, Any]], facts: dict[str, Any]) -> str:
    content = {"runs": lines, "facts": facts, "environment": {"cores": 1, "cpu": "any"}}
    return section(claim, content, "a.toml", "")


def test_a_ranking_by_unknown_costs_is_a_row_of_dashes(tmp_path: Path) -> None:
    claim = read(tmp_path, GRAPHS)
    data = graphs(claim)
    lines = [run(claim, data, name, 0) for name in ("params", "flops")]
    assert value(lines[0], 40, "tau") is not None
    assert lines[1]["figures"] == {}
    text = page(claim, lines, {"proteins": data.facts()})
    assert "| FLOPs, nothing learnt | – |" in text
    assert f"| parameters, nothing learnt | {value(lines[0], 40, 'tau'):.3f} |" in text


def test_recorded_sizes_stand_in_for_cost_formulas_but_make_no_pair(tmp_path: Path) -> None:
    data = graphs(read(tmp_path, GRAPHS))
    assert set(data.known_costs) == {"params"}
    assert (data.known_costs["params"] == data.table.known_columns["params"]).all()
    with pytest.raises(BadSetting, match="flops"):
        data.totals(data.archs[:3])


def test_plain_trees_do_without_costs(tmp_path: Path) -> None:
    pytest.importorskip("lightgbm")
    claim = read(tmp_path, GRAPHS)
    assert (value(run(claim, graphs(claim), "trees", 40), 40, "tau") or 0.0) > 0.1


def test_more_than_three_data_sets_have_a_mean_of_each_draw(tmp_path: Path) -> None:
    claim = read(tmp_path, FOUR)
    facts = {"architectures": 5, "ceiling": 0.9, "ceiling_seeds": None}
    lines: list[dict[str, Any]] = []
    for shard in shards(claim):
        if shard["method"] == "random":
            tau = 0.1 * claim.data.datasets.index(shard["dataset"]) + 0.2 * shard["seed"]
            lines.append({"shard": shard, "figures": {"40": {"tau": tau}}})
        elif shard["method"] == "params" and shard["dataset"] != "cora":
            lines.append({"shard": shard, "figures": {"0": {"tau": 0.3}}})
    text = page(claim, lines, dict.fromkeys(claim.data.datasets, facts))
    last = text[text.index("**Mean over the 4 data sets**") :]
    each = 0.15, 0.35  # of the two seeds
    assert f"| random | {np.mean(each):.3f} ± {np.std(each, ddof=1):.3f} |" in last
    assert "| parameters, nothing learnt | – |" in last  # not known on every data set
    three = claim.model_copy(update={"data": claim.data.model_copy(update={"datasets": claim.data.datasets[:3]})})
    assert "Mean over" not in page(three, lines, dict.fromkeys(claim.data.datasets, facts))


class Said:
    """Scores of an earlier study, looked up."""

    def __init__(self, data: Problem, score: np.ndarray[Any, Any]):
        self.data, self.score = data, score

    def fit(self, archs: Any, y: Any) -> Any:
        return self

    def predict(self, archs: Any) -> Any:
        return self.score[self.data.space.index(archs)]


@pytest.mark.parametrize("useful", [True, False])
def test_auto_keeps_a_good_earlier_order_and_leaves_a_bad_one(useful: bool, nb201_file: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("lightgbm")
    claim = load_claim(Path(__file__).parents[2] / "bench" / "ranking_nasbench201_seed.toml")
    data = problem(claim.data, "cifar10", nb201_file.parent)
    rng = np.random.default_rng([777, 0])
    spread = 0.3 if useful else 5.0
    noisy = np.argsort(np.argsort(data.truth)) / len(data.truth) + spread * rng.normal(size=len(data.truth))
    drawn = rng.permutation(len(data.truth))[:50]
    earlier = registry.make("encoding", "predicted", predictor=Said(data, noisy))
    auto = registry.make("predictor", "auto", inputs=(earlier,))
    auto.fit(data.archs[drawn], data.label[drawn])
    assert auto.score(data.archs, data.truth) > (kendall_tau(noisy, data.truth) - 0.01 if useful else 0.65)


def test_a_picture_of_many_methods_and_data_sets_is_drawn_alike_each_time(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from tierwise.harness.pictures import draw

    names = ("auto", "tier", "gp", "forest", "trees", "ranknas", "general", "nar", "weaknas")
    methods = "".join(f'\n[methods.my_{name}]\npredictor = "{name}"\n' for name in names)
    claim = read(tmp_path, FOUR.replace("[40]", "[40, 80]") + methods)
    rng = np.random.default_rng(0)
    lines = [{"shard": shard, "figures": {str(shard["n"]): {"tau": rng.random()}}} for shard in shards(claim)]
    facts = {dataset: {"ceiling": 0.9, "ceiling_seeds": None} for dataset in claim.data.datasets}
    for name in ("a.svg", "b.svg"):
        draw(claim, json.loads(json.dumps(lines)), facts, tmp_path / name)
    written = (tmp_path / "a.svg").read_bytes()
    assert written == (tmp_path / "b.svg").read_bytes()
    for text in (*claim.methods, *claim.data.datasets, "ceiling: validation"):
        assert f"<!-- {text} -->".encode() in written
