"""The comparator's search: its controller, its rising baseline, its pseudo labels, and whether it finds anything."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: pip install 'tierwise[torch]'")

import torch

from tests.small_spaces import Costed, Flat, Unordered, tiny
from tierwise import Study, candidates, make, registry
from tierwise.errors import BadSetting
from tierwise.spaces.nasbench201 import NASBench201
from tierwise.strategies.ctnas import CTNAS, explore, upgraded
from tierwise.strategies.ctnas_networks import Comparator, Controller
from tierwise.testing import check_strategy


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch):
    """A predictor that is fitted in no time."""
    make_any = registry.make

    def cheap(kind: Any, name: str, **settings: Any) -> Any:
        sizes = {"members": 2, "width": 8, "layers": 1, "steps": 5, "epochs": 1} if name == "ctnas" else {}
        return make_any(kind, name, **sizes, **settings)

    monkeypatch.setattr(registry, "make", cheap)
    candidates.fitted.cache_clear()
    yield
    candidates.fitted.cache_clear()


def quick() -> CTNAS:
    return CTNAS(iterations=3, batch=8, pairs=10)


@pytest.mark.parametrize("space", [NASBench201(), Flat(), Unordered()], ids=repr)
@pytest.mark.usefixtures("small")
def test_it_conforms(space):
    check_strategy(quick, space, trials=24)


@pytest.mark.parametrize("space", [Unordered(), tiny(cls=Costed).narrow("cell/0-1", ["skip", "pool"])], ids=repr)
def test_the_controller_draws_members_only_and_can_draw_all(space):
    generator = torch.Generator().manual_seed(0)
    archs, chance, entropy = Controller(space, generator).draw(4_000, generator)
    assert space.contains(archs).all()
    assert len(archs.unique()) == len(space.enumerate())
    assert (entropy > 0).all()
    # the chances of all members sum to one
    keys, first = np.unique(archs.keys(), return_index=True)
    assert len(keys) == len(space.enumerate())
    assert float(chance.detach()[torch.from_numpy(first)].exp().sum()) == pytest.approx(1, abs=1e-4)


def test_the_chance_is_that_of_being_drawn():
    space, generator = tiny(cls=Costed), torch.Generator().manual_seed(0)
    archs, chance, _ = Controller(space, generator).draw(20_000, generator)
    keys, first, times = np.unique(archs.keys(), return_index=True, return_counts=True)
    assert len(keys) == 125
    expected = chance[torch.from_numpy(first)].exp().detach().numpy() * len(archs)
    assert (np.abs(times - expected) < 5 * np.sqrt(expected)).all()


class Sum(torch.nn.Module):
    """A network to which the code of the operations says how good a cell is."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(1.0))

    def forward(self, cells: Any) -> Any:
        value = self.scale * cells[0].sum(1, dtype=torch.float32)
        return torch.stack([value, -value], 1)[None]


def test_the_best_of_the_drawn_and_the_baseline_is_the_next_baseline():
    space = Flat()
    archs = space.sample(10, np.random.default_rng(0))
    comparator = Comparator(Sum(), 2e-4)
    value = comparator.sides(archs)[0, :, 0].detach().numpy()
    best, worst = int(value.argmax()), int(value.argmin())
    assert value[best] > value[worst]
    for baseline in (best, worst):
        seen = upgraded(comparator, archs[baseline : baseline + 1], archs)
        assert comparator.sides(seen)[0, 0, 0] == value.max()


def test_exploration_takes_the_surest_pairs_at_their_word():
    space, taken = tiny(cls=Costed), list[Any]()

    class Listening(Comparator):
        def learn(self, first: Any, second: Any, won: Any) -> None:
            taken.append((first, second, won))

    with Study(None, space, "random", lambda arch: float(sum(arch.genes)), seed=1) as study:
        study.run(20)
        history = study.history()
    comparator = Listening(Sum(), 2e-4)
    explore(comparator, history, 15, np.random.default_rng(0))
    first, second, won = taken[0]
    assert len(first) == len(second) == len(won) == 30
    margin = comparator.sides(first)[0, :, 0] + comparator.sides(second)[0, :, 1]
    assert ((margin[:15] > 0) == (won[:15] > 0.5)).all()
    true = np.sign(first.genes[15:].sum(1) - second.genes[15:].sum(1))
    assert (won[15:].numpy() == (true + 1) / 2).all()
    rng = np.random.default_rng(0)
    one = space.sample(30, rng)
    other = one[rng.permutation(30)]
    all_margins = (comparator.sides(one)[0, :, 0] + comparator.sides(other)[0, :, 1]).abs().detach().numpy()
    np.testing.assert_allclose(np.sort(margin[:15].abs().detach().numpy()), np.sort(all_margins)[15:])


def test_the_controller_learns_to_win():
    """What it draws at the end is better, in the eyes of the comparator, than what it draws at the beginning."""
    space = tiny(4, cls=Costed)
    with Study(None, space, "random", lambda arch: float(sum(arch.genes)), seed=1) as study:
        study.run(20)
        history = study.history()
    generator, comparator = torch.Generator().manual_seed(0), Comparator(Sum(), 2e-4)
    controller = Controller(space, generator)
    settings = CTNAS(iterations=60, pairs=0)
    baseline, drawn = settings._train(controller, comparator, history, np.random.default_rng(0), generator)
    value = comparator.sides(drawn)[0, :, 0].detach().numpy()
    assert value[-160:].mean() > value[:160].mean() + value[:160].std() / 2
    assert comparator.sides(baseline)[0, 0, 0] > comparator.sides(history.best().archs)[0, 0, 0]


def test_it_beats_random_search_on_a_real_table():
    data = make("benchmark", "nasbench201", dataset="cifar10")

    def later(strategy: Any, seed: int) -> float:
        with Study(None, data.space, strategy, data, seed=seed) as study:
            study.run(40)
            return float(np.mean([t.metrics["accuracy"] for t in study.trials()[20:]]))

    ours = [later(CTNAS(iterations=20), seed) for seed in range(2)]
    chance = [later("random", seed) for seed in range(2)]
    print(f"mean accuracy after 20 labels: {np.mean(ours):.2f}, random {np.mean(chance):.2f}")
    assert np.mean(ours) > np.mean(chance) + 1


@pytest.mark.parametrize(
    "wrong",
    [{"first": 3}, {"iterations": 0}, {"batch": 1}, {"learning_rate": 0.0}, {"entropy": -1.0}, {"pairs": -1}],
    ids=repr,
)
def test_settings_outside_what_is_allowed(wrong: dict[str, Any]):
    with pytest.raises(BadSetting, match=f"{next(iter(wrong))}.*(or more|more than)"):
        CTNAS(**wrong)
