"""Divide and conquer: leaders, winners and rounds of planted clusters, and the real table."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.small_spaces import Costed, Flat, Grid, Unordered, tiny
from tierwise import Study, make, registry
from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadSetting
from tierwise.history import Trial
from tierwise.space import Space
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.strategies.dcnas import DCNAS
from tierwise.strategies.random import Random
from tierwise.testing import check_strategy


@pytest.mark.parametrize("space", [NASBench201(), Flat(), Unordered()], ids=repr)
def test_conforms(space: Space):
    check_strategy(lambda: DCNAS(pool=100, clusters=4), space)


class Columns:
    def __init__(self, of: Any):
        self.of = of

    def transform(self, archs: Architectures) -> Any:
        return self.of(archs.genes).astype(np.float32)


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> DCNAS:
    """Four clusters: the options of the first gene; cheap is the sum of the others. The pool is the whole space."""
    make_any = registry.make
    own = {
        "first_gene": Columns(lambda genes: genes[:, :1] == np.arange(4)),
        "other_genes": Columns(lambda genes: genes[:, 1:].sum(1, keepdims=True)),
    }
    monkeypatch.setattr(registry, "make", lambda kind, name, **more: own.get(name) or make_any(kind, name, **more))
    return DCNAS(clusters=4, pool=256, features="first_gene", cheap="other_genes", predictor=None)


def first_genes(trials: list[Trial]) -> list[int]:
    return [trial.arch.genes[0] for trial in trials]


def test_each_cluster_sends_its_best_and_the_better_half_goes_on(planted: DCNAS):
    with Study(None, Grid(), planted, seed=1) as study:
        for expected, pool, kept in (({0, 1, 2, 3}, 0, 0), ({2, 3}, 0, 1), ({0, 1, 2, 3}, 1, 0), ({2, 3}, 1, 1)):
            known = [trial.arch for trial in study.trials()]
            leaders = study.ask(len(expected))
            assert set(first_genes(leaders)) == expected
            for trial in leaders:
                new = [a for a in Grid().enumerate() if a.genes[0] == trial.arch.genes[0] and a not in known]
                assert sum(trial.arch.genes[1:]) == max(sum(arch.genes[1:]) for arch in new)
                assert (trial.why["pool"], len(trial.why["kept"])) == (pool, kept)
                study.tell(trial, float(trial.arch.genes[0]))  # the last two cannot be divided: a new pool


def test_the_next_best_come_while_a_leader_runs_and_a_late_result_does_not_turn_the_search(planted: DCNAS):
    with Study(None, Grid(), planted, seed=1) as study:
        trials = [study.ask()[0] for _ in range(6)]
        assert sorted(first_genes(trials[:4])) == [0, 1, 2, 3]
        assert max(Counter(first_genes(trials)).values()) == 2
        late = trials[4]
        for trial in [*trials[:4], trials[5]]:
            study.tell(trial, float(trial.arch.genes[0] != late.arch.genes[0]) + trial.arch.genes[0] / 10)
        (after,) = study.ask()
        assert len(after.why["kept"]) == 1
        assert after.arch.genes[0] != late.arch.genes[0]
        study.tell(late, 100.0)
        assert study.ask()[0].why["kept"] == after.why["kept"]


def test_a_cluster_whose_leader_failed_comes_last(planted: DCNAS):
    with Study(None, Grid(), planted, seed=1) as study:
        for trial in study.ask(4):
            if trial.arch.genes[0] == 3:
                study.tell(trial, error="out of memory")
            else:
                study.tell(trial, float(trial.arch.genes[0]))
        assert set(first_genes(study.ask(2))) == {1, 2}


def test_a_narrowed_space_starts_anew(planted: DCNAS):
    with Study(None, Grid(), planted, seed=1) as study:
        for trial in study.ask(4):
            study.tell(trial, 1.0)
        history = study.history()
    steered = replace(history, space=history.space.narrow("layer/3", ["a", "b"]))
    found = planted.ask(steered, 4, np.random.default_rng(0))
    assert [p.why["kept"] for p in found] == [[]] * 4
    assert {p.arch.genes[0] for p in found} == {0, 1, 2, 3}


def test_six_rounds_on_one_pool_then_a_new_one():
    with Study(None, Grid(), DCNAS(clusters=2, pool=256, predictor="gp"), lambda a: float(sum(a.genes))) as study:
        study.run(40, batch=1)
        rounds = [(trial.why["pool"], len(trial.why["kept"])) for trial in study.trials()]
    assert rounds == sorted(rounds)
    assert {depth for pool, depth in rounds if pool == 0} == set(range(6))
    assert {0, 1, 2} <= {pool for pool, _ in rounds}


def test_costs_recorded_columns_or_chance_lead(tmp_path: Path):
    space = tiny(cls=Costed)
    every = space.enumerate()
    path = tmp_path / "early.csv"
    lines = (f"{arch},{k}" for k, arch in enumerate(every))
    path.write_text("\n".join(["architecture,accuracy after 12 epochs", *lines]) + "\n")

    def leaders(space: Space, cheap: str) -> tuple[list[Architecture], set[str]]:
        with Study(None, space, DCNAS(clusters=4, pool=200, cheap=cheap, predictor=None)) as study:
            asked = study.ask(4)
        return [trial.arch for trial in asked], {trial.why["by"] for trial in asked}

    most, by = leaders(space, "flops")
    assert max(space.totals(Architectures.of(most, space))[:, 0]) == space.totals(every)[:, 0].max()
    assert by == {"flops"}
    early, by = leaders(space, f"columns:{path}")
    keys = space.canonical(every)
    assert set(space.canonical(Architectures.of(early, space))) & set(keys[-1:])
    assert by == {f"columns:{path}"}
    assert leaders(tiny(), "flops")[1] == {"chance"}
    with pytest.raises(BadSetting, match="one column"):
        leaders(space, "onehot")


def test_it_beats_random_search():
    data = make("benchmark", "nasbench201", dataset="cifar10")
    best: dict[str, list[float]] = {}
    for seed in range(3):
        for name, strategy in (("flops", DCNAS(predictor=None)), ("gp", DCNAS()), ("random", Random())):
            with Study(None, data.space, strategy, data, seed=seed) as study:
                study.run(60)
                best.setdefault(name, []).append(float(np.nanmax(study.history().y)))
    print(best)
    assert np.mean(best["gp"]) > np.mean(best["random"])
    assert np.mean(best["flops"]) > np.mean(best["random"])


@pytest.mark.parametrize("wrong", [{"clusters": 1}, {"clusters": 20, "pool": 10}], ids=str)
def test_settings_outside_what_is_allowed(wrong: dict[str, Any]):
    with pytest.raises(BadSetting, match="clusters of 2 to pool") as caught:
        DCNAS(**wrong)
    assert caught.value.setting == "dcnas"
