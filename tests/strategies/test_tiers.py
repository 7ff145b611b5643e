"""The tier search: its rounds, its published schedule, and spaces too large to be listed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tierwise import Study, make, registry
from tierwise.errors import BadSetting
from tierwise.predictors.nar import NeuralArchitectureRanker
from tierwise.spaces.edges import Edges
from tierwise.strategies.tiers import Tiers

OPS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")


def steps(study: Study) -> list[str]:
    return [trial.why["step"] for trial in study.trials()]


def test_rounds_learn_from_all_labels_and_say_why():
    data = make("benchmark", "nasbench201", dataset="cifar10")
    with Study(None, data.space, "tiers", data, seed=1) as study:
        study.run(50)
        assert steps(study)[:20] == ["random"] * 20
        assert steps(study)[20::10] == ["round on 20 labels", "round on 30 labels", "round on 40 labels"]
        why = study.trials()[20].why
        assert {"tier", "chance_of_tier", "score", "std", "nearest"} <= set(why)
        later, first = (
            np.median([t.metrics["accuracy"] for t in part]) for part in (study.trials()[20:], study.trials()[:20])
        )
        assert later > first


def test_a_large_space_without_costs_is_sampled_from_the_best_tier():
    space = Edges("large", 6, OPS, shared=("avg_pool_3x3",))
    convolutions = lambda arch: float(sum(g == 3 for g in arch.genes))  # noqa: E731
    with Study(None, space, Tiers(draws=2_000), convolutions, seed=2) as study:
        study.run(50, batch=10)
        values = [t.metrics["accuracy"] for t in study.trials()]
    assert np.mean(values[40:]) > np.mean(values[:20]) + 2


def test_the_published_schedule_learns_once_and_looks_up_the_rest(monkeypatch: pytest.MonkeyPatch):
    fits: list[int] = []
    make_any = registry.make

    class Small(NeuralArchitectureRanker):
        def fit(self, archs: Any, y: Any) -> Any:
            fits.append(len(archs))
            return super().fit(archs, y)

    def small(kind: Any, name: str, **settings: Any) -> Any:
        if name != "nar":
            return make_any(kind, name, **settings)
        sizes = {"d_model": 8, "d_k": 4, "heads": 2, "layers": 1, "ffn": 16, "tier_hidden": 8, "score_hidden": 8}
        return Small(**sizes, epochs=3, flops_scale=1e6, params_scale=1e4, n_tiers=2, **settings)

    monkeypatch.setattr(registry, "make", small)
    data = make_any("benchmark", "nasbench201", dataset="cifar10")
    with Study(None, data.space, Tiers(predictor="nar", schedule="published"), data, seed=3) as study:
        study.run(60)
        learnt = round(60 * 1256 / 1506)
        assert steps(study)[:learnt] == ["random"] * learnt
        assert all(step.startswith("published iteration") for step in steps(study)[learnt:])
    assert fits == [learnt]


@pytest.mark.parametrize(
    "wrong", [{"schedule": "hourly"}, {"first": 3}, {"draws": 0}, {"k": 0}], ids=lambda w: next(iter(w))
)
def test_settings_outside_what_is_allowed(wrong: dict[str, Any]):
    with pytest.raises(BadSetting):
        Tiers(**wrong)


def test_the_published_schedule_needs_a_predictor_with_its_sampler():
    data = make("benchmark", "nasbench201", dataset="cifar10")
    with Study(None, data.space, Tiers(schedule="published"), data) as study, pytest.raises(BadSetting, match="nar"):
        study.run(30)


def test_a_predictor_without_tiers_is_refused_before_anything_is_evaluated():
    data = make("benchmark", "nasbench201")
    with Study(None, data.space, Tiers(predictor="trees"), data) as study:
        with pytest.raises(BadSetting, match="tiers of its own"):
            study.run(30)
        assert not len(study.history())
