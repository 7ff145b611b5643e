"""NAS-Navigator's search: fitness by hand, iterations, and that it finds what is good."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import kendalltau

from tierwise import Study
from tierwise.architecture import Architecture
from tierwise.errors import BadSetting
from tierwise.spaces.template import template_space
from tierwise.strategies.blocks import Blocks, fitness_of

SPACE = template_space("small")
GOOD = np.random.default_rng(1).normal(size=len(SPACE.choices))


def additive(arch: Architecture) -> float:
    """Each block that is on has its worth."""
    return float(GOOD @ np.array(arch.genes))


def test_fitness_is_the_mean_rank_shrunk_towards_a_half() -> None:
    space = SPACE.narrow("layer1/conv1", ["on", "off"])
    with Study(None, space, "random", additive) as study:
        study.run(9)
        done = study.history().done
    order = sorted(range(9), key=lambda k: done.y[k])
    rank = {k: (place + 0.5) / 9 for place, k in enumerate(order)}
    for gene in range(len(space.choices)):
        for option in (0, 1):
            having = [rank[k] for k in range(9) if done.archs.genes[k, gene] == option]
            expected = (1 + sum(having)) / (2 + len(having))
            assert fitness_of(done)[gene, option] == pytest.approx(expected)


def test_proposals_come_in_iterations_and_say_how_they_were_made() -> None:
    with Study(None, SPACE, Blocks(size=8, epsilon=0.25), additive) as study:
        study.run(160, batch=8)
        whys = [trial.why for trial in study.trials()]
    assert [why["iteration"] for why in whys] == [k // 8 + 1 for k in range(160)]
    hows = Counter(why["how"] for why in whys[8:])
    assert {why["how"] for why in whys[:8]} == {"uniform"}
    assert hows["uniform"] > 15  # a quarter of 152 is 38: less once in a million runs
    assert min(hows["fitness"], hows["mutation"], hows["crossover"]) > 10
    assert "stability" not in whys[23]
    assert 0 < whys[40]["stability"] <= 1


def test_it_finds_better_ones_than_chance() -> None:
    """The same number of evaluations on a space where every block has its worth, four seeds."""
    best = {name: list[float]() for name in ("blocks", "random")}
    for name, found in best.items():
        for seed in range(4):
            with Study(None, SPACE, name, additive, seed=seed) as study:
                study.run(80)
                found.append(study.best()[0].metrics["accuracy"])
    assert np.mean(best["blocks"]) > np.mean(best["random"]) + 0.5


def test_a_stable_order_ends_it() -> None:
    with Study(None, SPACE, Blocks(stable=0.93), additive) as study:
        assert "exhausted" in study.run(1_000)
        history = study.history()
        assert len(history) % 10 == 0
        orders = [fitness_of(history.rows(np.arange(len(history) - back)))[:, 1] for back in (20, 10, 0)]
        taus = [kendalltau(a, b).statistic for a, b in pairwise(orders)]  # of an option off it is the mirror image
        assert min(taus) > 0.85
        assert all(trial.why.get("stability", 0.0) <= 0.93 for trial in study.trials())


@pytest.mark.parametrize("wrong", [{"size": 0}, {"epsilon": 1.5}, {"top": 0.0}, {"stable": -0.1}])
def test_settings_that_can_not_be(wrong: dict[str, float]) -> None:
    with pytest.raises(BadSetting, match=next(iter(wrong))):
        Blocks(**wrong)  # pyright: ignore[reportArgumentType]
