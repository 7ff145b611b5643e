"""Local search: how it climbs, when it starts again, and what it finds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.small_spaces import Flat, Unordered, tiny
from tierwise import Study, make
from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadSetting
from tierwise.history import DONE, Proposal
from tierwise.space import Space
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.strategies.local import LocalSearch
from tierwise.testing import check_strategy
from tierwise.testing.strategy_case import StrategyCase, chance, synthetic


@pytest.mark.parametrize("move", ["first", "best"])
@pytest.mark.parametrize("space", [NASBench201(), tiny(), Flat(), Unordered()], ids=lambda s: s.name)
def test_it_does_all_that_a_study_relies_on(space: Space, move: Any):
    check_strategy(lambda: LocalSearch(first=4, move=move), space)


def rugged(arch: Architecture) -> float:
    """Many local optima."""
    return chance(arch)


def around(space: Space, arch: Architecture) -> set[int]:
    """The networks one edit away from one architecture, worked out gene by gene."""
    rows = [
        (*arch.genes[:gene], option, *arch.genes[gene + 1 :])
        for gene, choice in enumerate(space.choices)
        for option in range(len(choice.options))
        if option != arch.genes[gene]
    ]
    keys = space.canonical(Architectures(space, np.array(rows, dtype=np.int16)))
    own = space.canonical(Architectures.of([arch], space))
    return set(keys.tolist()) - set(own.tolist())


def key(space: Space, arch: Architecture) -> int:
    return int(space.canonical(Architectures.of([arch], space))[0])


@pytest.mark.parametrize("move", ["first", "best"])
def test_every_step_is_one_of_the_published_climb(move: Any):
    space, first = NASBench201(), 3
    with Study(None, space, LocalSearch(first=first, move=move), rugged, seed=3) as study:
        study.run(150, batch=1)
        trials = study.trials()
    seen: set[int] = set()
    here, runs = None, 0
    run: list[Any] = []  # trials of the present run
    for trial in trials:
        if trial.why["step"] == "random":
            if len(run) >= first:  # a new run: nothing is left around the best of the old one
                best = max(run, key=lambda t: t.metrics["accuracy"])
                assert around(space, best.arch) <= seen
                run, here, runs = [], None, runs + 1
            assert trial.why["run"] == runs
        else:
            assert len(run) >= first
            best = max(run, key=lambda t: t.metrics["accuracy"])
            parent = trial.why["parent"]
            if move == "first" or here is None:
                assert parent == str(best.arch)
            elif parent != str(here.arch):  # it moves to the best of all neighbours, and not before all are known
                assert around(space, here.arch) <= seen
                assert parent == str(best.arch)
            here = here if here is not None and parent == str(here.arch) else best
            assert key(space, trial.arch) in around(space, here.arch)
        run.append(trial)
        seen.add(key(space, trial.arch))
    assert runs >= 2


def test_it_walks_straight_to_the_top_of_a_hill():
    space = Flat()
    with Study(None, space, LocalSearch(first=1), lambda arch: float(sum(arch.genes)), seed=1) as study:
        study.run(400, batch=1)
        trials = study.trials()
    assert {trial.why["run"] for trial in trials} == {0}
    steps = [trial.metrics["accuracy"] for trial in trials]
    climbed = np.maximum.accumulate(steps)
    assert climbed[-1] > climbed[0] + 40  # of about 60 above a random one; two in three edits lead down
    assert set(np.diff(climbed)) <= {0.0, 1.0, 2.0}


def test_the_order_of_neighbours_belongs_to_the_study():
    case = StrategyCase(lambda: LocalSearch(first=5), NASBench201(), synthetic, 30)
    history = case.history(20)

    def genes(proposals: list[Proposal]) -> list[tuple[int, ...]]:
        return [proposal.arch.genes for proposal in proposals]

    many = genes(case.ask(history, 6, seed=1))
    assert genes(case.ask(history, 6, seed=2)) == many  # whatever the random numbers of the ask
    one = case.ask(history, 1, seed=3)
    rest = case.ask(history.with_running(Architectures.of([one[0].arch], history.space)), 5, seed=4)
    assert genes(one + rest) == many  # asked for piece by piece


def test_a_run_waits_for_its_results_while_the_next_one_begins():
    space = tiny()
    with Study(None, space, LocalSearch(first=2), seed=0) as study:
        for trial in study.ask(2):
            study.tell(trial, 1.0)
        climbing = study.ask(200)  # everything around the better start
        assert {trial.why["step"] for trial in climbing} == {"neighbour"}
        ahead = study.ask(1)
        assert (ahead[0].why["step"], ahead[0].why["run"]) == ("random", 1)
        for trial in climbing:
            study.tell(trial, 2.0 if trial is climbing[-1] else 0.0)
        following = study.ask(1)[0]
        assert (following.why["run"], following.why["parent"]) == (0, str(climbing[-1].arch))


def test_only_the_first_variant_moves_before_all_neighbours_are_known():
    following: dict[str, Any] = {}
    better = ""
    for move in ("first", "best"):
        with Study(None, tiny(), LocalSearch(first=1, move=move), seed=0) as study:
            study.tell(study.ask(1)[0], 1.0)
            climbing = study.ask(200)
            study.tell(climbing[0], 2.0)
            better = str(climbing[0].arch)
            following[move] = study.ask(1)[0].why
    assert following["first"]["parent"] == better
    assert (following["best"]["step"], following["best"]["run"]) == ("random", 1)


def test_it_goes_on_from_what_others_have_evaluated():
    case = StrategyCase(LocalSearch, NASBench201(), synthetic, 30)
    history = case.history(30)
    best = history.archs[int(np.argmax(np.where(history.state == DONE, history.y, -np.inf)))]
    assert {proposal.why["parent"] for proposal in case.ask(history, 5)} == {str(best)}


def test_it_beats_random_search_on_the_table():
    data = make("benchmark", "nasbench201", dataset="cifar10")
    found: dict[str, list[float]] = {}
    for name, strategy in (("random", "random"), ("first", LocalSearch()), ("best", LocalSearch(move="best"))):
        for seed in range(5):
            with Study(None, data.space, strategy, data, seed=seed) as study:
                study.run(150)
                found.setdefault(name, []).append(study.best()[0].metrics["accuracy"])
    means = {name: float(np.mean(values)) for name, values in found.items()}
    print(means)
    assert min(means["first"], means["best"]) > means["random"] + 0.3


@pytest.mark.parametrize(
    ("wrong", "allowed"), [({"first": 0}, "1 or more"), ({"move": "last"}, '"first" or "best"')], ids=["first", "move"]
)
def test_settings_outside_what_is_allowed(wrong: dict[str, Any], allowed: str):
    with pytest.raises(BadSetting, match=allowed) as error:
        LocalSearch(**wrong)
    assert error.value.setting == next(iter(wrong))
