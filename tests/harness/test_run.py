"""Claims about real data, run from end to end: resumed, checked, refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.harness.claims import PUBLISHED, RANKING, SEARCH, SECONDS, SHA256, written
from tierwise.errors import BadTable
from tierwise.harness import report, run_claim
from tierwise.harness.problem import problem
from tierwise.harness.protocol import Method, load_claim
from tierwise.harness.published import work as released
from tierwise.harness.ranking import work as ranked
from tierwise.harness.search import work as searched
from tierwise.harness.shards import read_lines

DRIVER = """
import sys
from tierwise.harness import run_claim
if __name__ == "__main__":
    run_claim(sys.argv[1], processes=2, data=sys.argv[2])
"""


def plain(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Lines without what differs from run to run."""
    return [{k: v for k, v in line.items() if not k.endswith("_seconds") and k != "commit"} for line in lines]


def test_a_claim_is_run_killed_and_resumed_with_equal_results(tmp_path: Path, nb201_file: Path) -> None:
    pytest.importorskip("lightgbm")
    twice = written(tmp_path / "twice", RANKING.replace("[60, 120]", "[60]"))
    driver = tmp_path / "driver.py"
    driver.write_text(DRIVER)
    shards = twice.parent / "results" / "a-claim.jsonl"
    command = [sys.executable, str(driver), str(twice), str(nb201_file.parent)]
    with subprocess.Popen(command, start_new_session=True) as process:
        while not shards.exists() or shards.read_bytes().count(b"\n") < 2:
            assert process.poll() is None
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    done = read_lines(shards)
    with shards.open("a") as file:
        file.write('{"shard": {"meth')  # as a kill in the middle of a line leaves it
    told: list[tuple[int, int]] = []
    resumed = run_claim(twice, processes=2, data=nb201_file.parent, progress=lambda d, n: told.append((d, n)))
    assert told[0] == (len(done), 8)
    assert told[-1] == (8, 8)
    assert resumed.failed == []
    assert plain(read_lines(shards)[: len(done)]) == plain(done)
    claim = load_claim(twice)
    data = problem(claim.data, "cifar10", nb201_file.parent)
    for line in resumed.lines:
        assert ranked(claim, data, line["shard"])["figures"] == line["figures"]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, nb201_file: Path) -> Path:
    """A claim with results; who changes a file puts it back."""
    pytest.importorskip("lightgbm")
    pytest.importorskip("matplotlib")
    tmp_path = tmp_path_factory.mktemp("small")
    text = RANKING.replace("seeds = 3", "seeds = 1").replace("[60, 120]", "[60]")
    path = written(tmp_path, text)
    run_claim(path, processes=1, data=nb201_file.parent)
    (tmp_path / "docs").mkdir()
    return path


def test_a_report_keeps_the_rest_of_the_page_and_is_the_same_every_time(small: Path, tmp_path: Path) -> None:
    page = tmp_path / "results.md"
    page.write_text("# Results\n\nAn introduction.\n\n<!-- begin speed -->\nkept\n<!-- end speed -->\n")
    assert report(small.parent, page) == page
    first = page.read_text()
    assert "An introduction." in first
    assert "kept" in first
    assert "| FLOPs, nothing learnt | 0.578 |" in first
    assert "noise ceiling: 0.894 validation against test" in first
    assert (page.parent / "images" / "bench" / "a-claim.svg").read_text().count("<svg") == 1
    report(small.parent, page)
    assert page.read_text() == first


def test_results_that_cannot_be_trusted_are_refused(small: Path) -> None:
    page, file = small.parents[1] / "docs" / "results.md", small.parent / "results" / "a-claim.json"
    text, claim = file.read_text(), small.read_text()
    commit = json.loads(text)["environment"]["commit"]
    assert len(commit) == 40
    for old, new, problem_named in (
        (commit, "0" * 40, "git does not know"),
        (commit, "", "git does not know"),
        (SHA256, SHA256[::-1], "made from data"),
    ):
        file.write_text(text.replace(old, new))
        with pytest.raises(BadTable, match=problem_named) as caught:
            report(small.parent, page)
        assert caught.value.source == str(file)
        file.write_text(text)
    for old, new, problem_named in (
        ("value = 0.578", "value = 0.6", "tau of flops on cifar10 at 60 is 0.5778, stated 0.6 ± 0.001"),
        ("seeds = 1", "seeds = 2", "shards of a_claim.toml are missing"),
        ("seeds = 1", "seeds = 1\ndraw = 5", "other settings"),
    ):
        small.write_text(claim.replace(old, new))
        with pytest.raises(BadTable, match=problem_named):
            report(small.parent, page)
        small.write_text(claim)
    assert not page.exists()
    report(small.parent, page)
    assert page.exists()


def test_a_statement_outside_its_tolerance_fails_after_the_run(small: Path, nb201_file: Path) -> None:
    claim = small.read_text()
    small.write_text(claim.replace("value = 0.578", "value = 0.5"))
    failed = run_claim(small, data=nb201_file.parent).failed
    small.write_text(claim)
    assert failed == ["tau of flops on cifar10 at 60 is 0.5778, stated 0.5 ± 0.001"]


def test_another_data_file_is_refused(tmp_path: Path, nb201_file: Path) -> None:
    path = written(tmp_path, RANKING)
    with pytest.raises(BadTable, match="no such file"):
        run_claim(path, data=tmp_path)
    (tmp_path / "nb201.npz").write_bytes(nb201_file.read_bytes()[:-1])
    with pytest.raises(BadTable, match=f"SHA-256 is .*, the claim is about {SHA256}"):
        run_claim(path, data=tmp_path)


@pytest.mark.parametrize("text", [SEARCH, SECONDS], ids=["evaluations", "simulated seconds"])
def test_a_search_knows_its_regret(text: str, tmp_path: Path, nb201_file: Path) -> None:
    claim = load_claim(written(tmp_path, text))
    data = problem(claim.data, "cifar10", nb201_file.parent)
    best = data.facts()
    assert best["best_validation"] == pytest.approx(91.6067, abs=1e-3)
    assert best["best_test"] == pytest.approx(94.3733, abs=1e-3)
    for method in ("random", "flops", "evolution"):
        line = searched(claim, data, {"method": method, "dataset": "cifar10", "seed": 1})
        early, late = (line["figures"][at] for at in sorted(line["figures"], key=int))
        assert early["validation_regret"] >= late["validation_regret"] >= 0
        assert late["validation"] + late["validation_regret"] == pytest.approx(best["best_validation"])
        assert late["test"] <= late["oracle_test"]
        until = [step for step in line["curve"] if step[0] <= max(map(int, line["figures"]))]
        assert until[-1][1:] == [late["validation"], late["test"]]
        assert np.all(np.diff([step[1] for step in line["curve"]]) > 0)


def test_the_released_search_reports_the_best_by_test_beside_the_honest_choice(
    tmp_path: Path, nb201_file: Path
) -> None:
    claim = load_claim(written(tmp_path, PUBLISHED))
    data = problem(claim.data, "cifar10", nb201_file.parent)
    for bounds in (True, False):
        for method, n in (("perfect", 0), ("random", 0), ("flops", 0)):
            shard = {"method": method, "dataset": "cifar10", "n": n, "bounds": bounds, "seed": 1}
            line = released(claim, data, shard)
            for k in (1, 5):
                found = line["figures"][str(k)]
                assert found["labels"] == 10 * k
                assert found["distinct"] <= found["labels"]
                assert found["test_of_best_validation"] <= found["test_as_published"] <= data.truth.max()
                assert found["rank_as_published"] == 1 + (data.truth > found["test_as_published"]).sum()
            assert line["figures"]["5"]["validation"] >= line["figures"]["1"]["validation"]


def test_a_tier_predictor_looks_up_what_it_calls_first_tier_and_counts_its_labels(
    tmp_path: Path, nb201_file: Path
) -> None:
    pytest.importorskip("torch")
    claim = load_claim(written(tmp_path, PUBLISHED))
    tier = Method(predictor="tier", settings={"members": 1, "steps": 30})
    claim = claim.model_copy(update={"methods": {**claim.methods, "tier": tier}})
    data = problem(claim.data, "cifar10", nb201_file.parent)
    line = released(claim, data, {"method": "tier", "dataset": "cifar10", "n": 200, "bounds": True, "seed": 0})
    assert line["figures"]["5"]["labels"] == 200 + 5 * line["iterations"]
    assert line["figures"]["5"]["test_as_published"] > 90
