"""Searching what is left of a space that is shrunk by locality."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.small_spaces import Flat
from tierwise import Study, make
from tierwise.errors import BadSetting
from tierwise.space import Space
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.strategies.lissnas import LISSNAS
from tierwise.strategies.random import Random
from tierwise.testing import check_strategy

SMALL = {"sample": 100, "seeds": 2}


@pytest.mark.parametrize("space", [NASBench201(), Flat()], ids=repr)
def test_conforms(space: Space):
    check_strategy(lambda: LISSNAS(**SMALL), space, trials=12)


def test_it_evaluates_the_shrunk_space_and_beats_random_search():
    data = make("benchmark", "nasbench201", dataset="cifar10")
    best: dict[str, list[float]] = {}
    for seed in range(3):
        for strategy in (LISSNAS(), Random()):
            with Study(None, data.space, strategy, data, seed=seed) as study:
                study.run(60)
                best.setdefault(type(strategy).__name__, []).append(float(np.nanmax(study.history().y)))
                if isinstance(strategy, LISSNAS):
                    steps = [trial.why["step"] for trial in study.trials()]
                    assert steps[:20] == ["random"] * 20
                    assert all(step.startswith("shrunk to ") for step in steps[20:])
                    assert {"distance", "score"} <= set(study.trials()[20].why)
    print(best)
    assert all(ours > others for ours, others in zip(best["LISSNAS"], best["Random"], strict=True))


@pytest.mark.parametrize("wrong", [{"first": 9}, {"seeds": 0}, {"seeds": 20, "sample": 10}, {"margin": -0.1}], ids=str)
def test_settings_outside_what_is_allowed(wrong: dict[str, Any]):
    with pytest.raises(BadSetting, match="seeds of 1 to sample") as caught:
        LISSNAS(**wrong)
    assert caught.value.setting == "lissnas"
