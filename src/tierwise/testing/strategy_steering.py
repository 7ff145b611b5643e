"""What every strategy must do once a person steers it: see ``tierwise.steering``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tierwise.architecture import Architectures
from tierwise.filters import counted, quoted
from tierwise.history import Proposal, Trial
from tierwise.space import Space
from tierwise.study import Study
from tierwise.testing.strategy_case import StrategyCase
from tierwise.testing.suite import expect, expect_equal, halved

RESULTS = 20  # finished trials before anybody steers
FEW = 3  # trials asked for under each row
SEVERAL = 8  # asked for under a preference: the chance that all of them are the others is 1 in 65,000


def steering_is_obeyed(case: StrategyCase) -> None:
    """From the next ask on, each row on its own, and taken back before the next one."""
    half, gene = halved(case.space)
    path = case.space.choices[gene].path
    options = [o for o, kept in zip(case.space.choices[gene].options, half.allowed[gene], strict=False) if kept]
    with Study(None, case.space, case.make(), case.evaluator) as study:
        study.run(RESULTS, batch=4)
        _expect_inside(study, half, "narrow", choice=path, options=options)
        _expect_inside(study, half.narrow(path, options[-1:]), "pin", choice=path, option=options[-1])
        others = [o for o in _allowed(case.space, gene) if o != options[-1]]
        _expect_inside(study, case.space.narrow(path, others), "ban", choice=path, option=options[-1])
        _expect_some_inside(study, half, "prefer", choice=path, options=options)
        others = [o for o in others if o not in options]
        _expect_some_inside(study, case.space.narrow(path, others), "avoid", choice=path, options=options)
        _a_rule_is_obeyed(study, options[-1])
        _a_banned_architecture_is_not_proposed(case, study)
        _a_vetoed_proposal_is_withdrawn(case, study)
        _what_a_person_wants_comes_first(study)
        row = study.steer("stop")
        expect_equal("trials after stop", study.ask(FEW), [])
        study.steer("retract", row=row)
        expect(study.ask(FEW), "ask after stop was retracted: expected trials, seen none")
        expect_equal("what may be proposed when every row is retracted", study.steering().space, case.space)


def _a_rule_is_obeyed(study: Study, option: str) -> None:
    """Every new trial fulfils the rule, where anything new does."""
    rule = f"count({quoted(option)}) >= 1"
    row = study.steer("narrow", rule=rule)
    trials = study.ask(FEW)
    if trials:
        counts = counted(_archs(study, trials), option)
        expect((counts >= 1).all(), f"trials under narrow {rule}: expected all to fulfil it, seen {counts.tolist()}")
    study.steer("retract", row=row)


def _allowed(space: Space, gene: int) -> list[str]:
    return [space.choices[gene].options[int(o)] for o in np.flatnonzero(space.allowed[gene])]


def _archs(study: Study, found: Sequence[Trial | Proposal]) -> Architectures:
    return Architectures.of([one.arch for one in found], study.space)


def _inside(study: Study, part: Space, n: int, kind: str, what: dict[str, Any]) -> Any:
    """(n,) whether each new trial is in a part of the space, under one row; nothing where none is left of the part."""
    if not len(replace(study.history(), space=part).sample(n, np.random.default_rng(5))):
        return np.ones(1, dtype=bool)
    row = study.steer(kind, **what)
    trials = study.ask(n)
    study.steer("retract", row=row)
    expect(trials, f"ask under {kind} {what}: expected trials, seen none")
    return part.contains(_archs(study, trials))


def _expect_inside(study: Study, part: Space, kind: str, **what: Any) -> None:
    inside = _inside(study, part, FEW, kind, what)
    expect(inside.all(), f"{kind} {what}: expected trials in what is left of the space, {(~inside).sum()} are outside")


def _expect_some_inside(study: Study, part: Space, kind: str, **what: Any) -> None:
    inside = _inside(study, part, SEVERAL, kind, what)
    expect(inside.any(), f"{kind} {what}: expected most trials where it points to, seen none of {len(inside)}")


def _a_banned_architecture_is_not_proposed(case: StrategyCase, study: Study) -> None:
    """What the strategy would propose next is banned, and then is not proposed."""
    rng = np.random.default_rng([study.seed, len(study.trials()), study.finished])
    wanted = case.make().ask(study.history(), FEW, rng)
    expect(wanted, "ask: expected proposals, seen none")
    row = study.steer("ban", architecture=str(wanted[0].arch))
    trials = study.ask(FEW)
    keys = study.space.canonical(_archs(study, trials))
    banned = study.space.canonical(_archs(study, wanted[:1]))
    expect(trials, "ask when one architecture is banned: expected trials, seen none")
    expect(banned[0] not in keys, f"expected anything but the banned {wanted[0].arch}")
    study.steer("retract", row=row)
    expect(study.history().fresh(_archs(study, wanted[:1]))[0], "expected a retracted ban to leave it possible")


def _a_vetoed_proposal_is_withdrawn(case: StrategyCase, study: Study) -> None:
    """The strategy sees a history without it, and does not propose its network again."""
    vetoed = next(trial for trial in reversed(study.trials()) if trial.state == "waiting")
    row = study.steer("veto", trial=vetoed.id)
    study.run(study.finished + 1)
    expect_equal("the state of a vetoed proposal", study.trials()[vetoed.id - 1].state, "withdrawn")
    history = study.history()
    expect(vetoed.id - 1 not in history.ids, "expected a history without the vetoed proposal")
    proposals = case.make().ask(history, FEW, np.random.default_rng(0))
    keys = study.space.canonical(_archs(study, proposals))
    expect(study.space.canonical(_archs(study, [vetoed]))[0] not in keys, f"expected anything but {vetoed.arch}")
    study.steer("retract", row=row)


def _what_a_person_wants_comes_first(study: Study) -> None:
    wanted = study.history().sample(1, np.random.default_rng(7))[0]
    study.steer("evaluate", architecture=str(wanted))
    trials = study.ask(FEW)
    expect_equal("the first trial after evaluate", trials[0].arch, wanted)
    expect_equal("the reason of it", trials[0].why.get("strategy"), "steering")
