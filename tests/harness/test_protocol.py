"""The claim file: what is allowed, and what an error says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.claims import PUBLISHED, RANKING, SEARCH
from tierwise.errors import BadSetting, BadTable, TierwiseError, UnknownName
from tierwise.harness.protocol import BASELINES, load_claim

BENCH = Path(__file__).parents[2] / "bench"
WRONG = {
    "kind": (RANKING, 'kind = "ranking"', 'kind = "rank"', BadSetting, ["kind", "rank", "search", "published"]),
    "a field nobody knows": (RANKING, "seeds = 3", "seed = 3", UnknownName, ["seed", "seeds", "labels"]),
    "a field of data": (RANKING, "file =", "fil =", UnknownName, ["fil", "data", "file", "sha256"]),
    "seeds below one": (RANKING, "seeds = 3", "seeds = 0", BadSetting, ["seeds", "0", "greater than or equal to 1"]),
    "text for a number": (RANKING, "seeds = 3", 'seeds = "3"', BadSetting, ["seeds", "'3'", "integer"]),
    "no title": (RANKING, 'title = "A small ranking"', "", BadSetting, ["title", "needed"]),
    "no labels": (RANKING, "labels = [60, 120]", "", BadSetting, ["labels", "list of numbers", "ranking"]),
    "no checksum": (RANKING, "sha256 =", "# sha256 =", BadSetting, ["data.sha256", "64 hexadecimal"]),
    "half a checksum": (RANKING, '0a60473425f"', '"', BadSetting, ["data.sha256", "pattern"]),
    "benchmark": (RANKING, '"nasbench201"', '"nasbench2001"', UnknownName, ["data.benchmark", "nasbench201"]),
    "figure": (RANKING, '"tau"', '"taus"', UnknownName, ["claim 1", "figure", "tau", "spearman"]),
    "claim's data set": (
        RANKING,
        '"flops"\ndataset = "cifar10"',
        '"flops"\ndataset = "mnist"',
        UnknownName,
        ["cifar10"],
    ),
    "claim's place": (RANKING, "at = 60", "at = 61", BadSetting, ["claim 1", "at", "61", "60, 120"]),
    "claim's method": (RANKING, 'method = "flops"', 'method = "flop"', UnknownName, ["flop", "params", "trees"]),
    "method without a way": (RANKING, "[methods.flops]", "[methods.mine]", BadSetting, ["methods.mine", "predictor"]),
    "strategy": (SEARCH, '"evolution"', '"evolve"', UnknownName, ["methods.evolution.strategy", "evolution", "tiers"]),
    "predictor in a search": (SEARCH, 'strategy = "evolution"', 'predictor = "tier"', BadSetting, ["strategy"]),
    "neither trials nor seconds": (SEARCH, "trials = 40", "", BadSetting, ["trials", "seconds"]),
    "checkpoint behind the end": (SEARCH, "[20, 40]", "[20, 50]", BadSetting, ["checkpoints", "40"]),
    "no k": (PUBLISHED, "k = [1, 5]", "", BadSetting, ["k", "published"]),
    "no TOML": (RANKING, "seeds = 3", "seeds = = 3", BadTable, ["TOML"]),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_error_names_file_field_and_what_is_allowed(name: str, tmp_path: Path) -> None:
    text, old, new, kind, words = WRONG[name]
    assert old in text
    path = tmp_path / "wrong.toml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(TierwiseError) as caught:
        load_claim(path)
    assert isinstance(caught.value, kind)
    for word in ["wrong.toml", *words]:
        assert word in str(caught.value)


def test_a_claim_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadTable, match="no such claim"):
        load_claim(tmp_path / "absent.toml")


def test_every_baseline_is_added_and_what_is_listed_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(RANKING.replace("[methods.flops]", '[methods.flops]\nabout = "mine"'))
    claim = load_claim(path)
    assert set(claim.methods) == set(BASELINES)
    assert claim.methods["flops"].about == "mine"
    assert claim.methods["flops"].baseline == "flops"


def test_a_shard_counts_only_for_its_own_settings(tmp_path: Path) -> None:
    def digest(text: str, method: str = "tier") -> str:
        path = tmp_path / "a.toml"
        path.write_text(text)
        return load_claim(path).digest(method)

    plain = RANKING + '[methods.tier]\npredictor = "tier"\n'
    assert digest(plain) == digest(plain.replace("seeds = 3", "seeds = 9").replace("[60, 120]", "[60, 99]"))
    assert digest(plain) != digest(plain + "settings = { members = 2 }\n")
    assert digest(plain) != digest(plain.replace("seeds = 3", "seeds = 3\ndraw = 7"))
    other = plain.replace("cifar10", "cifar100").replace("0445", "1445")
    assert digest(plain) != digest(other)


@pytest.mark.parametrize("path", sorted(BENCH.glob("*nasbench201.toml")), ids=lambda path: path.stem)
def test_the_committed_claims_are_valid(path: Path) -> None:
    assert set(BASELINES) <= set(load_claim(path).methods)
