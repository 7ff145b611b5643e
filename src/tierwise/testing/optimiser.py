"""What every optimiser of the weights of candidates must do, on handwritten digits."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tierwise.evaluators.dataset import Splits, load
from tierwise.evaluators.recipe import Recipe
from tierwise.space import Choice
from tierwise.supernets.search import Diverged, Optimiser, Progress, Weighed, search
from tierwise.supernets.supernet import Mixture, Supernet
from tierwise.testing.suite import expect, expect_equal, expect_no_global_draw, expect_rows, run_checks

EPOCHS, FEW, INPUTS, WIDTH = 5, 2, 600, 12
RECIPE = Recipe(batch=25, rate=0.02, weight_decay=1e-2)  # so little that candidates matter
ROUNDING = 1e-3  # candidates in another order are summed in another order, and steps of Adam enlarge that


class Planted(Supernet):
    """Two choices for vectors; one candidate of the second passes nothing. order: of the candidates of both.

    The candidates are the same whatever their order, and no batch norm behind them makes up for what is not passed.
    """

    def __init__(self, order: Sequence[int] = (0, 1, 2)):
        super().__init__()
        names = [("narrow", "middle", "wide"), ("dead", "middle", "wide")]
        self.choices = tuple(Choice(str(c), tuple(own[k] for k in order)) for c, own in enumerate(names))
        self.sites = (0, 1)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.stem = nn.Sequential(nn.Linear(64, WIDTH), nn.BatchNorm1d(WIDTH))
            every = [[_layers(k) for k in (1, WIDTH, 4 * WIDTH)], [_Nothing(), _layers(WIDTH), _layers(4 * WIDTH)]]
            self.mixtures = nn.ModuleList(Mixture([own[k] for k in order]) for own in every)
            self.head = nn.Linear(WIDTH, 10)

    def forward(self, x: Tensor, weights: Sequence[Tensor]) -> Tensor:
        """(b, 10) scores."""
        x = self.stem(x)
        for mixture, own in zip(self.mixtures, weights, strict=True):
            x = mixture(x, own)
        return self.head(x)


class _Nothing(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


def _layers(width: int) -> nn.Module:
    norm = nn.BatchNorm1d(WIDTH, affine=False)
    return nn.Sequential(nn.ReLU(), nn.Linear(WIDTH, width), nn.Linear(width, WIDTH), norm)


class OptimiserCase:
    """The optimiser under test, and what it finds."""

    def __init__(self, make: Callable[[], Optimiser]):
        self.make = make

    @cached_property
    def data(self) -> Splits:
        """Real handwritten digits, as vectors."""
        from sklearn.datasets import load_digits

        pixels, labels = load_digits(return_X_y=True)
        return load((pixels[:INPUTS].astype(np.float32), labels[:INPUTS]), 0.4, None, 10)

    def search(self, supernet: Supernet, epochs: int = FEW, seed: int = 0, progress: Progress | None = None) -> Weighed:
        """A short search."""
        return search(supernet, self.data, self.make(), epochs=epochs, seed=seed, recipe=RECIPE, progress=progress)

    @cached_property
    def found(self) -> Weighed:
        """By a search that is long enough to tell candidates apart."""
        return self.search(Planted(), EPOCHS)

    @cached_property
    def short(self) -> Weighed:
        """By a search of few epochs."""
        return self.search(Planted())


def check_optimiser(make: Callable[[], Optimiser], *, expected_failures: Collection[str] = ()) -> None:
    """Raises NotConforming unless `make()` gives an optimiser that does all that a search relies on.

    What draws random numbers for each candidate documents ``permuted_candidates_permute_the_weights`` as failing.
    """
    run_checks("check_optimiser", CHECKS, OptimiserCase(make), expected_failures)


def weights_are_finite_and_one_a_candidate(case: OptimiserCase) -> None:
    for name, weights in (("weights", case.found.weights), ("spread", case.found.spread)):
        if weights is not None:
            expect_equal(f"shapes of {name}", [own.shape for own in weights], [(3,), (3,)])
            sound = all(np.isfinite(own).all() and (own >= 0).all() for own in weights)
            expect(sound, f"{name}: expected finite numbers, 0 or more, seen {weights}")
    expect(all(own.any() for own in case.found.weights), f"weights: expected some above 0, seen {case.found.weights}")


def genes_are_of_the_choices(case: OptimiserCase) -> None:
    expect_equal("number of genes", len(case.found.genes), 2)
    expect(all(gene in range(3) for gene in case.found.genes), f"genes: expected 0 to 2, seen {case.found.genes}")


def every_epoch_is_told(case: OptimiserCase) -> None:
    expect_equal("losses", len(case.found.losses), EPOCHS)
    expect_equal("traces", len(case.found.trace), EPOCHS)
    for own, last in zip(case.found.weights, case.found.trace[-1], strict=True):
        expect_rows("the last of the trace", last, own)


def the_supernet_is_trained(case: OptimiserCase) -> None:
    first, last = case.found.losses[0], case.found.losses[-1]
    expect(last < 0.9 * first, f"training loss: expected to fall by a tenth or more, seen {first:.3f} and {last:.3f}")


def a_dead_branch_has_the_lowest_weight(case: OptimiserCase) -> None:
    """On average of two searches: some optimisers draw what they train."""
    own = case.found.weights[1] + case.search(Planted(), EPOCHS, seed=1).weights[1]
    expect(own[0] == own.min() and own[0] < own.max(), f"weight of the dead branch: expected the lowest, seen {own}")


def equal_seeds_give_equal_results(case: OptimiserCase) -> None:
    again = case.search(Planted())
    expect_equal("losses, a second time", again.losses, case.short.losses)
    for one, other in zip(again.weights, case.short.weights, strict=True):
        expect_rows("weights, a second time", one, other)


def permuted_candidates_permute_the_weights(case: OptimiserCase) -> None:
    order = [2, 0, 1]
    moved = case.search(Planted(order))
    for one, other in zip(moved.weights, case.short.weights, strict=True):
        expect_rows("weights of permuted candidates", one, other[order], tolerance=ROUNDING)


def what_is_no_number_stops_with_the_last_sound_state(case: OptimiserCase) -> None:
    supernet, sound = Planted(), EPOCHS // 2 + 1

    def spoil(epoch: int, loss: float) -> None:
        if epoch == sound - 1:
            supernet.head.weight.data.fill_(float("nan"))

    try:
        case.search(supernet, EPOCHS, progress=spoil)
    except Diverged as error:
        expect_equal("sound epochs", len(error.last.trace), sound)
        for one, other in zip(error.last.weights, case.found.trace[sound - 1], strict=True):
            expect_rows("weights of the last sound epoch", one, other)
        left: list[NDArray[Any]] = [value.numpy() for value in supernet.state_dict().values()]
        expect(all(np.isfinite(own).all() for own in left), "supernet: expected the state of the last sound epoch")
    else:
        raise AssertionError("expected Diverged for a weight that is no number, seen a result")


def one_candidate_is_legal(case: OptimiserCase) -> None:
    found = case.search(Planted([2]))
    expect_equal("genes of single candidates", found.genes, (0, 0))


def global_random_numbers_are_left_alone(case: OptimiserCase) -> None:
    expect_no_global_draw(lambda: case.search(Planted(), 1))


CHECKS = (
    weights_are_finite_and_one_a_candidate,
    genes_are_of_the_choices,
    every_epoch_is_told,
    the_supernet_is_trained,
    a_dead_branch_has_the_lowest_weight,
    equal_seeds_give_equal_results,
    permuted_candidates_permute_the_weights,
    what_is_no_number_stops_with_the_last_sound_state,
    one_candidate_is_legal,
    global_random_numbers_are_left_alone,
)
