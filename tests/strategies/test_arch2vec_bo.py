"""Bayesian optimisation on arch2vec's embedding: its criterion, its rounds, and whether it finds anything."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: pip install 'tierwise[torch]'")

from scipy.integrate import quad
from scipy.stats import norm

from tests.small_spaces import Costed, Flat, tiny
from tierwise import Study, make, registry
from tierwise.errors import BadSetting
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.strategies import arch2vec_bo
from tierwise.strategies.arch2vec_bo import Arch2VecBO, log_expected_improvement
from tierwise.testing import check_strategy


@pytest.fixture(autouse=True)
def no_memory():
    arch2vec_bo._fitted.cache_clear()


def quick() -> Arch2VecBO:
    return Arch2VecBO(pretraining_epochs=1, draws=200)


@pytest.mark.parametrize("space", [tiny(cls=Costed), Flat()], ids=repr)
def test_it_conforms(space):
    check_strategy(quick, space, trials=24)


def test_it_conforms_where_a_fit_is_quick(monkeypatch: pytest.MonkeyPatch):
    forest = registry.make("predictor", "forest", trees=10)
    monkeypatch.setattr(arch2vec_bo, "_fitted", lambda _epochs, _seed, labels: forest.fit(labels.archs, labels.y))
    check_strategy(quick, NASBench201(), trials=24)


@pytest.mark.parametrize(("mean", "std", "best"), [(0.3, 0.5, 0.1), (-1.0, 0.4, 1.5), (2.0, 1.0, -1.0)])
def test_expected_improvement_is_the_integral(mean: float, std: float, best: float):
    seen = np.exp(log_expected_improvement(np.array([mean]), np.array([std]), best))[0]
    true, _ = quad(lambda x: (x - best) * norm.pdf(x, mean, std), best, mean + 12 * std)
    assert seen == pytest.approx(true, rel=1e-6)


def test_what_improves_next_to_nothing_is_still_ranked():
    far = log_expected_improvement(-np.linspace(1, 400, 2_000), np.ones(2_000), 0.0)
    assert np.isfinite(far).all()
    assert (np.diff(far) < 0).all()


def test_a_predictor_that_is_certain_is_ranked_by_its_mean():
    mean = np.array([-3.0, -1.0, 0.5, 2.0])
    certain = log_expected_improvement(mean, np.zeros(4), 0.0)
    assert (np.diff(certain) > 0).all()
    np.testing.assert_allclose(certain[2:], np.log(mean[2:]))


def test_it_is_the_criterion_that_ranks(monkeypatch: pytest.MonkeyPatch):
    """A certain small gain loses against an uncertain equal mean; the incumbent is the best result seen."""
    space = tiny(cls=Costed)
    seen: dict[str, Any] = {}

    class Fake:
        gives_std = True

        def predict(self, archs: Any, return_std: bool = False) -> Any:
            seen["archs"] = archs
            return np.zeros(len(archs)), 0.1 + (archs.genes[:, 0] == 4) + 0.001 * archs.genes[:, 1]

    monkeypatch.setattr(arch2vec_bo, "_fitted", lambda *_: Fake())
    with Study(None, space, quick(), lambda arch: float(sum(arch.genes)), seed=1) as study:
        study.run(16, batch=16)
        proposals = quick().ask(study.history(), 8, np.random.default_rng(0))
    assert len(proposals) == 5
    left = seen["archs"].genes
    top = sorted(((0.1 + (g[0] == 4) + 0.001 * g[1]) for g in left), reverse=True)[:5]
    assert [0.1 + (p.arch.genes[0] == 4) + 0.001 * p.arch.genes[1] for p in proposals] == pytest.approx(top)


def test_sixteen_random_then_five_a_round():
    space = tiny(4, cls=Costed)
    with Study(None, space, quick(), lambda arch: float(sum(arch.genes)), seed=1) as study:
        study.run(31, batch=10)
        steps = [trial.why["step"] for trial in study.trials()]
    assert steps[:16] == ["random"] * 16
    assert steps[16:] == [f"round on {labels} labels" for labels in (16, 21, 26) for _ in range(5)]


def test_it_beats_random_search_on_a_real_table():
    data = make("benchmark", "nasbench201", dataset="cifar10")

    def later(strategy: Any, seed: int) -> float:
        with Study(None, data.space, strategy, data, seed=seed) as study:
            study.run(46)
            return float(np.mean([t.metrics["accuracy"] for t in study.trials()[16:]]))

    ours = [later(Arch2VecBO(pretraining_epochs=1), seed) for seed in range(2)]
    chance = [later("random", seed) for seed in range(2)]
    print(f"mean accuracy after 16 labels: {np.mean(ours):.2f}, random {np.mean(chance):.2f}")
    assert min(ours) > max(chance)


@pytest.mark.parametrize("wrong", [{"first": 3}, {"k": 0}, {"pretraining_epochs": 0}, {"draws": 1}], ids=repr)
def test_settings_outside_what_is_allowed(wrong: dict[str, Any]):
    with pytest.raises(BadSetting, match=f"{next(iter(wrong))}.*or more"):
        Arch2VecBO(**wrong)
