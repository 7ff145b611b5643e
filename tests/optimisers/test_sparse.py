"""Optimisers whose weights become exactly 0: ISTA-NAS, GOLD-NAS, EnTranNAS."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.optimize import nnls
from sklearn.datasets import load_digits

from tierwise.errors import BadSetting
from tierwise.evaluators.dataset import Splits, load
from tierwise.evaluators.recipe import Recipe
from tierwise.optimisers.entrans import EnTranNAS
from tierwise.optimisers.gold import GOLDNAS
from tierwise.optimisers.ista import ISTANAS, recovered
from tierwise.spaces.edges import Edges
from tierwise.spaces.network import Network, Stage
from tierwise.supernets.candidate_costs import candidate_costs
from tierwise.supernets.cells import CellSupernet
from tierwise.supernets.darts import DARTSSupernet
from tierwise.supernets.search import SupernetFit, search
from tierwise.supernets.stage_wiring import StageWiring
from tierwise.testing.optimiser import Planted

RECIPE = Recipe(batch=25, rate=0.02, weight_decay=1e-2)
CELL = Edges("cell", 3, ("none", "skip_connect", "conv3x3"), network=Network(stages=(Stage(3, 4),)))


@pytest.fixture(scope="module")
def digits() -> Splits:
    x, y = load_digits(return_X_y=True)
    return load((x[:300].astype(np.float32), y[:300]), 0.3, None, 10)


@pytest.fixture(scope="module")
def images(digits: Splits) -> Splits:
    parts = (type(part)(part.x.view(-1, 1, 8, 8), part.y) for part in (digits.train, digits.validation))
    return Splits(*parts, None)


# ---- ISTA-NAS ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_the_recovery_is_the_least_squares_solution_with_a_penalty(seed: int):
    rng, penalty = np.random.default_rng(seed), 0.05
    matrix, image = rng.normal(size=(7, 20)), rng.normal(size=7)
    found = recovered(torch.tensor(matrix), torch.tensor(image), penalty).numpy()
    # |Ax-b|^2/2 + p sum(x) for x >= 0 holds where gradients are 0 inside and not negative at the border
    slope = matrix.T @ (matrix @ found - image) + penalty
    assert (found >= 0).all()
    np.testing.assert_allclose(slope[found > 1e-6], 0, atol=1e-4)
    assert (slope[found <= 1e-6] > -1e-4).all()
    without = recovered(torch.tensor(matrix), torch.tensor(image), 0.0).numpy()
    assert np.linalg.norm(matrix @ without - image) == pytest.approx(nnls(matrix, image)[1], abs=1e-4)


def test_a_sparse_vector_is_recovered_from_its_image():
    rng = np.random.default_rng(3)
    matrix, z = rng.uniform(-1, 1, (7, 14)), np.zeros(14)
    z[[2, 9]] = 0.7, 1.3
    found = recovered(torch.tensor(matrix), torch.tensor(matrix @ z), 1e-5).numpy()
    np.testing.assert_allclose(found, z, atol=1e-2)


@pytest.mark.parametrize("stages", [1, 2])
def test_one_candidate_of_each_choice_is_left(stages: int, digits: Splits):
    found = search(Planted(), digits, ISTANAS(stages=stages), epochs=6, recipe=RECIPE)
    for own, gene in zip(found.weights, found.genes, strict=True):
        assert own.tolist() == [float(k == gene) for k in range(3)]  # the supernet is the derived network
    assert [int((w > 0).sum()) for w in found.trace[1]] == [3, 3]  # nothing is left out at first


def test_two_edges_of_each_node_of_darts_are_left():
    net = DARTSSupernet(classes=3, shape=(1, 8), channels=2, layers=3, ops=("skip_connect", "conv_3x3"))
    learner = ISTANAS(rows=5).begin(SupernetFit(net, RECIPE, 1, 8), 0)
    assert learner.groups[0].matrix.shape == (5, 4)
    draws = torch.Generator().manual_seed(0)
    for group in learner.groups:
        group.image.data += 0.3 * torch.randn(5, generator=draws)
        group.recover(fix=False)
    weights, genes = learner.weights(), learner.genes()
    for start, edges in ((0, 2), (2, 3), (5, 4), (9, 5)):
        live = [e for e in range(start, start + edges) if weights[e][:2].any()]
        assert len(live) == 2
        assert [genes[e] != 2 for e in range(start, start + edges)] == [e in live for e in range(start, start + edges)]
        assert float(sum(weights[e][:2].sum() for e in live)) == pytest.approx(2, rel=1e-5)
    assert all(own[2] == float(not own[:2].any()) for own in weights)  # "none" where nothing is left


def test_one_stage_fixes_what_does_not_change():
    learner = ISTANAS(stages=1).begin(SupernetFit(Planted(), RECIPE, 1, 8), 0)
    group = learner.groups[0]
    for _ in range(2):
        assert not group.fixed
        group.recover(fix=True)
    assert group.fixed
    left = list(group.live)
    group.image.data += torch.randn(7, generator=torch.Generator().manual_seed(1))
    group.recover(fix=True)
    assert group.live == left


# ---- GOLD-NAS ------------------------------------------------------------------------------------------------


def test_costs_of_candidates_are_those_of_their_modules():
    net = CellSupernet(CELL, classes=10, shape=(1, 8, 8))
    for own in candidate_costs(net, torch.zeros(2, 1, 8, 8)):
        assert own.tolist() == [[0, 0], [0, 0], [3 * 9 * 16 * 64, 3 * (9 * 16 + 8)]]  # in each of three cells
    assert net.training


def test_a_supernet_without_mixtures_has_no_costs():
    net = StageWiring(CELL, [(1, 0, 1)], classes=3, shape=(1, 8, 8))
    with pytest.raises(BadSetting, match="mixture"):
        candidate_costs(net, torch.zeros(1, 1, 8, 8))


def test_the_series_gets_cheaper_and_gates_shut_for_good(images: Splits):
    net = CellSupernet(CELL, classes=10, shape=(1, 8, 8))
    found = search(net, images, GOLDNAS(pressure=0.3), epochs=12, recipe=RECIPE)
    series = found.record
    assert len(series) >= 3
    for before, after in pairwise(series):
        assert before.cost > after.cost
        assert before.flops >= after.flops
        assert all((a <= b).all() for a, b in zip(after.kept, before.kept, strict=True))
        assert before.epoch < after.epoch
    for kept, own in zip(series[-1].kept, found.weights, strict=True):
        assert kept.sum() >= 1
        assert (own[~kept] == 0).all()
        assert (own[kept] > 0).all()
    last = series[-1]
    assert last.flops == sum(int(kept[2]) for kept in last.kept) * 3 * 9 * 16 * 64


def test_without_pressure_gates_move_by_the_loss_alone(digits: Splits):
    settings = {"epochs": 3, "recipe": RECIPE}
    light, heavy = (search(Planted(), digits, GOLDNAS(pressure=p, warmup=0.4), **settings) for p in (1e-9, 1.0))
    assert light.losses[0] == heavy.losses[0]  # the told loss has no pressure in it
    assert sum(own.sum() for own in heavy.weights) < sum(own.sum() for own in light.weights)


# ---- EnTranNAS -----------------------------------------------------------------------------------------------


def test_transit_cells_run_the_derived_network():
    net = CellSupernet(CELL, classes=10, shape=(1, 8, 8))
    learner = EnTranNAS(threshold=0.5, warmup=0.0, mixed=0.0).begin(SupernetFit(net, RECIPE, 1, 8), 0)
    learner.fit.done = 1.0
    for alpha, values in zip(learner.alphas, ([0.0, 1.0, 2.0], [2.0, 1.5, 0.0], [0.0, 3.0, 1.0]), strict=True):
        alpha.data[:] = torch.tensor(values)
    sites = learner.engaged(learner.weights())
    assert [site.tolist() for site in sites[:6]] == [[0, 0, 1], [1, 0, 0], [0, 1, 0]] * 2  # two transit cells
    for site, alpha in zip(sites[6:], learner.alphas, strict=True):  # the engine
        share = np.exp(alpha.detach().numpy())
        left = np.maximum(share - 0.5 * share.max(), 0)
        np.testing.assert_allclose(site, left / left.sum(), rtol=1e-5)
    assert [int((site == 0).sum()) for site in sites[6:]] == [2, 1, 2]


def test_sparse_weights_have_the_gradient_of_their_formula():
    learner = EnTranNAS(threshold=0.4, warmup=0.0, mixed=0.0).begin(SupernetFit(Planted(), RECIPE, 1, 8), 0)
    learner.fit.done = 1.0
    start = torch.tensor([0.3, 1.0, -1.5])
    learner.alphas[0].data[:] = start
    (found,) = torch.autograd.grad(learner.sparse()[0][1], learner.alphas[0])
    border = 0.4 * float(start.softmax(0).max())  # the border is no part of the gradient

    def second(alpha: torch.Tensor) -> float:
        left = (alpha.double().softmax(0) - border).clamp_min(0)
        return float(left[1] / left.sum())

    small = 1e-4 * torch.eye(3)
    expected = [(second(start + step) - second(start - step)) / 2e-4 for step in small]
    np.testing.assert_allclose(found, expected, atol=2e-3)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ISTANAS(stages=3),  # type: ignore[arg-type]
        lambda: ISTANAS(rows=0),
        lambda: ISTANAS(warmup=0.5, dense=0.5),
        lambda: GOLDNAS(threshold=0.5),
        lambda: GOLDNAS(pressure=0.0),
        lambda: GOLDNAS(growth=1.0),
        lambda: GOLDNAS(target=0),
        lambda: EnTranNAS(threshold=1.0),
        lambda: EnTranNAS(warmup=0.5, mixed=0.5),
    ],
)
def test_impossible_settings_are_refused(make):
    with pytest.raises(BadSetting):
        make()
