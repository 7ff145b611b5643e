"""Beginning from what is known: results of the same task, and labels of another one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.evaluators import score
from tierwise import Study, make
from tierwise.architecture import Architectures
from tierwise.errors import BadSetting, NotAStudy, WrongStudy
from tierwise.history import History, Prior, Proposal
from tierwise.provenance import counted
from tierwise.study import open_study

SPACE = make("space", "nasbench201")


@dataclass(frozen=True)
class Learning:
    """Proposes the best of the prior labels first."""

    learns_prior: bool = True

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        archs = history.sample(n, rng)
        if history.prior is not None:
            order = history.prior.archs[np.argsort(-history.prior.y)]
            archs = order[np.flatnonzero(history.fresh(order))[:n]]
        return [Proposal(arch, {}) for arch in archs]


def labels(n: int, seed: int = 0) -> tuple[Architectures, np.ndarray]:
    archs = SPACE.sample(n, np.random.default_rng(seed)).unique()
    return archs, np.array([score(arch)["accuracy"] for arch in archs])


def fresh_study(path: Path | None = None, strategy: Any = "random", **given: Any) -> Study:
    return Study(path, SPACE, strategy, score, **given)


def test_known_results_are_trials_that_nobody_evaluated():
    archs, y = labels(30)
    distinct = len(np.unique(SPACE.canonical(archs)))
    calls: list[Any] = []
    with Study(None, SPACE, "random", lambda arch: calls.append(arch) or score(arch)) as study:
        assert study.include(archs, y, "earlier.db") == distinct
        assert study.finished == distinct
        assert study.seconds == 0.0
        assert study.run(distinct + 5) == {"trials": distinct + 5}
        assert len(calls) == 5
        assert study.best()[0].metrics["accuracy"] >= y.max()
        said = counted(study.trials(), None)
    assert said == f"{distinct + 5} evaluations, of which {distinct} were known (earlier.db)"


def test_known_results_are_included_once(tmp_path: Path):
    archs, y = labels(20)
    with fresh_study(tmp_path / "study.db") as study:
        first = study.include(archs, y, "a.csv")
        assert study.include(archs, y, "a.csv") == 0
        study.run(first + 3)
    with fresh_study(tmp_path / "study.db") as study:
        assert study.include(archs, y, "a.csv") == 0
        assert study.finished == first + 3


def test_what_is_outside_of_the_limits_or_steered_away_is_not_included():
    archs, y = labels(40)
    with fresh_study(limits={"params": 0.5e6}) as study:
        study.steer("ban", choice="cell/0-1", option="none")
        study.include(archs, y, "a.csv")
        known = study.history().archs
        assert 0 < len(known) < 40
        assert (known.genes[:, 0] != 0).all()
        assert (study.cost("params", known) <= 0.5e6).all()


@pytest.mark.parametrize("y", [[1.0], [1.0, float("nan")], [[1.0], [2.0]]])
def test_labels_that_are_none_are_refused(y: Any):
    with fresh_study() as study, pytest.raises(BadSetting, match=r"a\.csv"):
        study.include(labels(2)[0], y, "a.csv")


def test_prior_labels_are_kept_in_the_file_and_are_no_trials(tmp_path: Path):
    archs, y = labels(50)
    best = archs[int(np.argmax(y))]
    with fresh_study(tmp_path / "study.db", Learning(), prior=Prior(archs, y, "other.db")) as study:
        study.run(5, batch=1)
        assert study.trials()[0].arch == best
        assert len(study.trials()) == 5
    with fresh_study(tmp_path / "study.db", Learning()) as study:  # from the file
        assert study.prior is not None
        assert (study.prior.archs.genes == archs.genes).all()
        assert (study.prior.y == y).all()
        assert study.history().prior is study.prior
        assert counted(study.trials(), (len(study.prior), study.prior.source)).endswith("; 50 prior labels of other.db")
    with fresh_study(tmp_path / "study.db", Learning(), prior=Prior(archs, y, "other.db")) as study:
        assert study.run(7) == {"trials": 7}


def test_another_prior_than_it_was_begun_with_is_refused(tmp_path: Path):
    archs, y = labels(50)
    with fresh_study(tmp_path / "study.db", Learning(), prior=Prior(archs, y, "other.db")):
        pass
    with pytest.raises(WrongStudy, match="the same prior"):
        fresh_study(tmp_path / "study.db", Learning(), prior=Prior(archs, y + 1, "other.db"))
    with fresh_study(tmp_path / "plain.db", Learning()):
        pass
    with pytest.raises(WrongStudy, match="prior"):
        fresh_study(tmp_path / "plain.db", Learning(), prior=Prior(archs, y, "other.db"))


def test_a_strategy_that_cannot_learn_from_another_task_says_so_before_a_file_is_made(tmp_path: Path):
    archs, y = labels(5)
    with pytest.raises(BadSetting, match=r"prior = 'other.db' .*auto learns from both"):
        fresh_study(tmp_path / "study.db", prior=Prior(archs, y, "other.db"))
    assert not list(tmp_path.iterdir())


def test_damaged_prior_labels_are_no_study(tmp_path: Path):
    import sqlite3

    archs, y = labels(5)
    with fresh_study(tmp_path / "study.db", Learning(), prior=Prior(archs, y, "other.db")):
        pass
    db = sqlite3.connect(tmp_path / "study.db")
    db.execute('UPDATE study SET value = \'{"source": "x", "genes": ["9-9"], "y": [1]}\' WHERE key = \'prior\'')
    db.commit()
    db.close()
    with pytest.raises(NotAStudy, match="prior labels are damaged"):
        fresh_study(tmp_path / "study.db", Learning())


def test_cheap_and_failed_ones_are_counted_apart(tmp_path: Path):
    class Mixed(Learning):
        def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
            return [Proposal(history.sample(1, rng, 12)[0], {}, 12 if len(history) < 3 else 0)]

    def evaluator(arch: Any, job: Any) -> float:
        if job.trial == 5:
            raise ValueError("out of memory")
        return 1.0

    with Study(tmp_path / "study.db", SPACE, Mixed(), evaluator) as study:
        study.run(6, batch=1)
        assert counted(study.trials(), None) == "3 evaluations, and 3 cheap ones; 1 failed"
    assert counted(open_study(tmp_path / "study.db")[1], None) == "3 evaluations, and 3 cheap ones; 1 failed"
