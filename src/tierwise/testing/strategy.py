"""What every strategy must do."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import numpy as np

from tierwise.architecture import Architecture, Architectures
from tierwise.history import History, Proposal, Strategy
from tierwise.job import Job, evaluate
from tierwise.space import Space
from tierwise.study import Study
from tierwise.testing.strategy_case import OBJECTIVE, Evaluate, StrategyCase, chance, synthetic
from tierwise.testing.strategy_steering import steering_is_obeyed
from tierwise.testing.suite import (
    expect,
    expect_equal,
    expect_error,
    expect_no_global_draw,
    expect_rows,
    halved,
    narrowed_to,
    run_checks,
)


def check_strategy(
    make_strategy: Callable[[], Strategy],
    space: Space,
    evaluator: Evaluate | None = None,
    *,
    trials: int = 30,
    expected_failures: Collection[str] = (),
) -> None:
    """Raises NotConforming unless what `make_strategy` makes does on `space` all that a study relies on.

    make_strategy: gives a new strategy with equal settings.
    evaluator: gives ``accuracy``; by default a quick synthetic one, of any budget.
    trials: the length of the studies that are run, interrupted and run again.
    """
    case = StrategyCase(make_strategy, space, evaluator or synthetic, trials)
    run_checks("check_strategy", CHECKS, case, expected_failures)


def _expect_fresh(what: str, case: StrategyCase, history: History, n: int) -> list[Proposal]:
    proposals = case.ask(history, n)
    expect(1 <= len(proposals) <= n, f"{what}, ask({n}): expected 1 to {n} proposals, seen {len(proposals)}")
    for budget in sorted({p.budget for p in proposals}):
        archs = Architectures.of([p.arch for p in proposals if p.budget == budget], history.space)
        stale = np.flatnonzero(~history.fresh(archs, budget))
        expect(
            not len(stale),
            f"{what}, ask({n}): expected new, different, feasible ones{f' of budget {budget}' if budget else ''}, "
            f"not {archs[stale[:3]].genes.tolist()}",
        )
    expect(
        all(0 <= p.budget < 2**31 for p in proposals),
        f"{what}, ask({n}): expected budgets of 0 or more, seen {sorted({p.budget for p in proposals})}",
    )
    return proposals


# ---- a pure function -----------------------------------------------------------------------------------


def settings_are_frozen(case: StrategyCase) -> None:
    strategy = case.make()
    text = repr(strategy)
    expect_equal("hash of another one with equal settings", hash(case.make()), hash(strategy))
    expect_equal("repr of another one with equal settings", repr(case.make()), text)
    expect_error(FrozenInstanceError, "setting an attribute", lambda: setattr(strategy, "remembered", 1))
    for _, history in case.histories():
        strategy.ask(history, 2, np.random.default_rng(0))
    expect_equal("repr after ask", repr(strategy), text)


def equal_histories_give_equal_proposals(case: StrategyCase) -> None:
    used = case.make()
    used.ask(case.history(20), 3, np.random.default_rng(5))
    for what, history in case.histories():
        first = case.ask(history, 4, seed=1)
        expect_equal(f"{what}: proposals of a new one", case.ask(history, 4, seed=1), first)
        expect_equal(f"{what}: proposals of a used one", used.ask(history, 4, np.random.default_rng(1)), first)


def the_history_is_not_modified(case: StrategyCase) -> None:
    for what, history in case.histories():
        before = _columns(history)
        case.ask(history, 3)
        for name, column in _columns(history).items():
            expect_rows(f"{what}: {name} after ask", np.nan_to_num(column), np.nan_to_num(before[name]))


def _columns(history: History) -> dict[str, Any]:
    columns = {
        "genes": history.archs.genes,
        "state": history.state,
        "canon": history.canon,
        "ids": history.ids,
        "budget": history.budget,
    }
    return {name: column.copy() for name, column in (columns | dict(history.metrics)).items()}


def global_random_numbers_are_left_alone(case: StrategyCase) -> None:
    expect_no_global_draw(lambda: case.ask(case.history(40), 4))


# ---- what is proposed ----------------------------------------------------------------------------------


def proposals_are_fresh(case: StrategyCase) -> None:
    for what, history in case.histories():
        for n in (1, 16):
            _expect_fresh(what, case, history, n)


def limits_are_obeyed(case: StrategyCase) -> None:
    def total(archs: Architectures) -> Any:
        return archs.genes.sum(1)

    for what, history in case.histories():
        most = float(np.median(total(case.space.sample(500, np.random.default_rng(2)))))
        limited = replace(history, costs={"gene_sum": total}, limits={"gene_sum": (-np.inf, most)})
        if len(limited.sample(8, np.random.default_rng(3))) == 8:
            _expect_fresh(f"{what}, limited", case, limited, 8)


def a_narrowed_space_is_obeyed(case: StrategyCase) -> None:
    smaller, _ = halved(case.space)
    for what, history in case.histories():
        steered = replace(history, space=smaller)
        if len(steered.sample(4, np.random.default_rng(3))) == 4:
            _expect_fresh(f"{what}, narrowed", case, steered, 4)


def every_why_is_json(case: StrategyCase) -> None:
    for what, history in case.histories():
        for proposal in case.ask(history, 4):
            expect(proposal.why, f"{what}: expected a reason for {proposal.arch}, seen none")
            json.dumps(dict(proposal.why), allow_nan=False)


def nothing_is_left_at_the_end(case: StrategyCase) -> None:
    small = narrowed_to(case.space, 60)
    one = narrowed_to(case.space, 1)
    for space in (small, one):
        with Study(None, space, case.make(), case.evaluator) as study:
            reasons = study.run(1_000)
            expect("exhausted" in reasons, f"run on {space!r}: expected to end exhausted, seen {reasons}")
            networks = len(np.unique(space.canonical(space.enumerate())))
            full = int((study.history().budget == 0).sum())
            expect_equal(f"full evaluations on {space!r}", full, networks)
            expect_equal(
                "proposals when all is known",
                case.make().ask(study.history(), 4, np.random.default_rng(0)),
                [],
            )


# ---- in a study ----------------------------------------------------------------------------------------


class _Interrupted(Exception):
    pass


def restarts_change_nothing(case: StrategyCase) -> None:
    def interrupt(at: int) -> Callable[[Study], None]:
        def progress(study: Study) -> None:
            if study.finished >= at:
                raise _Interrupted

        return progress

    def go(path: Path, at: int) -> list[Any]:
        with Study(path, case.space, case.make(), _plain(case.evaluator)) as study:
            expect_error(_Interrupted, "run", lambda: study.run(case.trials, batch=4, progress=interrupt(at)))
            return [(t.arch, t.budget, dict(t.why), dict(t.metrics)) for t in study.trials()]

    with tempfile.TemporaryDirectory() as folder:
        straight = go(Path(folder) / "straight.db", case.trials)
        for at in (case.trials // 5, case.trials // 2, case.trials - 2, case.trials):
            seen = go(Path(folder) / "restarted.db", at)
    for k, (a, b) in enumerate(zip(seen, straight, strict=True), start=1):
        expect_equal(f"trial {k} of a study that was interrupted three times", a, b)


def _plain(evaluator: Evaluate) -> Evaluate:
    """The evaluator without its ``many``, so that an interruption falls into a batch."""

    def one(arch: Architecture, job: Job) -> Mapping[str, Any]:
        return evaluate(evaluator, arch, job, OBJECTIVE).metrics

    return one


def failures_do_not_stop_it(case: StrategyCase) -> None:
    for share in (0.3, 1.0):

        def fragile(arch: Architecture, job: Job, share: float = share) -> Mapping[str, Any]:
            if chance(arch) < share:
                raise RuntimeError("out of memory")
            return evaluate(case.evaluator, arch, job, OBJECTIVE).metrics

        with Study(None, case.space, case.make(), fragile) as study:
            reasons = study.run(case.trials, batch=4)
            expect(
                "trials" in reasons,
                f"run with {share:.0%} failing: expected to reach its trials, seen {reasons}",
            )


def equal_results_do_not_stop_it(case: StrategyCase) -> None:
    def same(arch: Architecture, job: Job) -> float:
        return 50.0

    with Study(None, case.space, case.make(), same) as study:
        reasons = study.run(case.trials, batch=4)
        expect("trials" in reasons, f"run with equal results: expected to reach its trials, seen {reasons}")


CHECKS = (
    settings_are_frozen,
    equal_histories_give_equal_proposals,
    the_history_is_not_modified,
    global_random_numbers_are_left_alone,
    proposals_are_fresh,
    limits_are_obeyed,
    a_narrowed_space_is_obeyed,
    every_why_is_json,
    nothing_is_left_at_the_end,
    restarts_change_nothing,
    failures_do_not_stop_it,
    equal_results_do_not_stop_it,
    steering_is_obeyed,
)
