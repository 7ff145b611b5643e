"""When a search stops: patience, what it expects to gain, and a reason for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tierwise import Study
from tierwise.errors import BadSetting
from tierwise.history import History, Proposal


def peak(arch: Any, job: Any) -> float:
    """The fifth is the best."""
    return 10.0 if job.trial == 5 else 1.0 / job.trial


@dataclass(frozen=True)
class Expecting:
    """Expects less of each round."""

    tells_gain: bool = True

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        gain = 1.0 / (1 + len(history.done))
        return [Proposal(arch, {"expected_gain": gain / (1 + k)}) for k, arch in enumerate(history.sample(n, rng))]


@dataclass(frozen=True)
class Cheap:
    """By turns a cheap evaluation and a full one."""

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        budget = 12 if len(history) % 2 else 0
        return [Proposal(arch, {}, budget) for arch in history.sample(1, rng, budget)]


def fresh_study(strategy: Any = "random", evaluator: Any = peak) -> Study:
    return Study(None, "nasbench201", strategy, evaluator)


@pytest.mark.parametrize("patience", [1, 4, 7])
def test_patience_counts_from_the_best(patience: int):
    with fresh_study() as study:
        reasons = study.run(50, batch=1, patience=patience)
        if patience < 4:  # the first is better than the second, long before the fifth
            assert (reasons, study.finished) == ({"no progress": patience}, 1 + patience)
        else:
            assert (reasons, study.finished) == ({"no progress": patience}, 5 + patience if patience > 4 else 5 + 4)


def test_patience_counts_full_evaluations_alone():
    with fresh_study(Cheap(), lambda arch, job: 1.0) as study:
        assert study.run(50, batch=1, patience=3) == {"no progress": 3}
        assert (study.history().budget == 0).sum() == 4


def test_patience_goes_on_where_it_stopped():
    with fresh_study() as study:
        assert study.run(50, batch=1, patience=6) == {"no progress": 6}
        assert study.run(50, batch=1, patience=6) == {"no progress": 6}
        assert study.run(50, batch=1, patience=9) == {"no progress": 9}
        assert study.finished == 14


def test_it_stops_once_the_best_of_what_was_asked_for_promises_too_little():
    with fresh_study(Expecting()) as study:
        reasons = study.run(50, batch=2, gain=0.15)
        assert reasons == {"expected gain": pytest.approx(1 / 7)}
        assert 6 <= study.finished <= 8  # what was proposed already may be evaluated


def test_a_strategy_that_expects_nothing_cannot_stop_by_it():
    with fresh_study() as study, pytest.raises(BadSetting, match="auto does"):
        study.run(5, gain=0.1)


@pytest.mark.parametrize("wrong", [{"patience": 0}, {"patience": 1.5}, {"gain": -1.0}, {"gain": float("nan")}])
def test_stops_outside_what_is_allowed_are_refused(wrong: dict[str, Any]):
    with fresh_study(Expecting()) as study, pytest.raises(BadSetting, match=next(iter(wrong))):
        study.run(5, **wrong)


def test_every_reason_is_said():
    with fresh_study() as study:
        study.run(10, batch=1)
        study.steer("stop")
        reasons = study.run(10, target=5.0, patience=2)
    assert reasons == {"stopped": "by steering row 1", "trials": 10, "target": 10.0, "no progress": 5}
