"""The policy on arch2vec's embedding: its gradient, its replay from the history, and whether it learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: pip install 'tierwise[torch]'")

import torch

from tests.small_spaces import Costed, Flat, tiny
from tierwise import Study, make, registry
from tierwise.errors import BadSetting
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.strategies import arch2vec_rl
from tierwise.strategies.arch2vec_rl import Arch2VecRL, reinforce_loss
from tierwise.testing import check_strategy


def quick() -> Arch2VecRL:
    return Arch2VecRL(pretraining_epochs=1, draws=200)


def embedded(archs: Any) -> Any:
    return registry.make("encoding", "arch2vec", epochs=1).transform(archs)


@pytest.mark.parametrize("space", [NASBench201(), tiny(cls=Costed), Flat()], ids=repr)
def test_it_conforms(space):
    check_strategy(quick, space)


def test_the_gradient_is_that_of_reward_times_log_density():
    mean = torch.tensor([[0.5, -1.0], [2.0, 0.0]], requires_grad=True)
    drawn, reward = torch.tensor([[1.0, 1.0], [1.5, 0.5]]), torch.tensor([2.0, -1.0])
    reinforce_loss(mean, drawn, reward).backward()
    log_density = torch.distributions.Normal(mean, 1.0).log_prob(drawn).sum(1)
    (expected,) = torch.autograd.grad(-(reward * log_density).mean(), mean)
    torch.testing.assert_close(mean.grad, expected)


def test_the_nearest_that_is_left_is_proposed():
    space = tiny(cls=Costed)
    with Study(None, space, quick(), lambda arch: float(sum(arch.genes)), seed=3) as study:
        study.run(16)
        history = study.history()
    proposals = quick().ask(history, 5, np.random.default_rng(0))
    left = space.enumerate()[np.flatnonzero(history.fresh(space.enumerate()))]
    points, taken = embedded(left), set[str]()
    for proposal in proposals:
        distance = np.linalg.norm(points - np.array(proposal.why["latent"]), axis=1)
        order = [str(left[int(row)]) for row in np.argsort(distance, kind="stable")]
        assert str(proposal.arch) == next(name for name in order if name not in taken)
        taken.add(str(proposal.arch))


def test_forgetting_the_policy_changes_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(arch2vec_rl, "_DEEP", 2)
    with Study(None, tiny(4, cls=Costed), quick(), lambda arch: float(sum(arch.genes)), seed=3) as study:
        study.run(100)
        history = study.history()

    def ask() -> Any:
        return quick().ask(history, 3, np.random.default_rng(7))

    arch2vec_rl._learnt.cache_clear()
    fresh = ask()
    replayed = arch2vec_rl._learnt.cache_info().misses
    assert replayed == 7  # no episode and six
    assert ask() == fresh
    assert arch2vec_rl._learnt.cache_info().misses == replayed


def test_the_policy_moves_towards_what_is_rewarded():
    start = (0, 0.01)
    centre = np.zeros((16, 16), np.float32)
    rng = np.random.default_rng(0)
    episodes = list[Any]()
    for _ in range(30):
        drawn = rng.standard_normal((16, 16)).astype(np.float32)
        episodes.append(arch2vec_rl._Episode(centre, drawn, drawn[:, 0] - drawn[:, 1]))
    policy, _ = arch2vec_rl._learnt(start, tuple(episodes))
    with torch.no_grad():
        mean = policy(torch.from_numpy(centre))[0].mean(0)
    assert mean[0] > 0.3
    assert mean[1] < -0.3


def test_it_beats_random_search_on_a_real_table():
    data = make("benchmark", "nasbench201", dataset="cifar10")

    def late(strategy: Any, seed: int) -> float:
        with Study(None, data.space, strategy, data, seed=seed) as study:
            study.run(96)
            return float(np.median([t.metrics["accuracy"] for t in study.trials()[48:]]))

    ours = [late(Arch2VecRL(pretraining_epochs=1), seed) for seed in range(5)]
    chance = [late("random", seed) for seed in range(5)]
    print(f"median accuracy of the second half: {np.mean(ours):.2f}, random {np.mean(chance):.2f}")
    assert np.mean(ours) > np.mean(chance)


@pytest.mark.parametrize(
    "wrong", [{"episode": 3}, {"learning_rate": 0.0}, {"pretraining_epochs": 0}, {"draws": 1}], ids=repr
)
def test_settings_outside_what_is_allowed(wrong: dict[str, Any]):
    with pytest.raises(BadSetting, match=f"{next(iter(wrong))}.*(or more|more than)"):
        Arch2VecRL(**wrong)
