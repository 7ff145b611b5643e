"""Optimisers with one fault each, named after the check that must find it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tierwise.optimisers.one_level import OneLevel, OneLevelLearner
from tierwise.supernets.search import Batch, Learner, Optimiser, SupernetFit


class _Faulty:
    """One level, with other methods for its learner."""

    def __init__(self, **methods: Any):
        self.methods = methods

    def begin(self, fit: SupernetFit, seed: int) -> Learner:
        settings = OneLevel()
        return type("Faulty", (OneLevelLearner,), self.methods)(fit, settings.rate, settings.warmup)


def _untrained(self: OneLevelLearner, train: Batch, validation: Batch) -> float:
    OneLevelLearner.step(self, train, validation)
    return 1.0


def _upwards(self: OneLevelLearner, train: Batch, validation: Batch) -> float:
    loss = OneLevelLearner.step(self, train, validation)
    with torch.no_grad():
        self.alphas[1][0] += 1.0
    return loss


_turns = iter(range(1_000_000))


def _changing(self: OneLevelLearner, train: Batch, validation: Batch) -> float:
    return OneLevelLearner.step(self, train, validation) * (1 + 1e-4 / (1 + next(_turns)))


def _by_place(self: OneLevelLearner) -> list[Tensor]:
    return [alpha.detach().softmax(0) * (1 + torch.arange(len(alpha)) / 50) for alpha in self.alphas]


def _careless(self: OneLevelLearner, train: Batch, validation: Batch) -> float:
    try:
        return OneLevelLearner.step(self, train, validation)
    except FloatingPointError:
        with torch.no_grad():
            for parameter in self.supernet.parameters():
                parameter.nan_to_num_(0.0)
        return 0.0


def _of_three(self: OneLevelLearner) -> tuple[int, ...]:
    return tuple(int(alpha[:3].topk(2).indices[0]) for alpha in self.alphas)


def _global(self: OneLevelLearner, train: Batch, validation: Batch) -> float:
    import numpy as np

    np.random.random()  # noqa: NPY002  this is the fault
    return OneLevelLearner.step(self, train, validation)


def _outside(self: OneLevelLearner) -> tuple[int, ...]:
    return tuple(len(alpha) for alpha in self.alphas) if len(self.alphas[0]) > 1 else (0, 0)


FAULTS: dict[str, Optimiser] = {
    "weights_are_finite_and_one_a_candidate": _Faulty(weights=lambda self: [-w for w in OneLevelLearner.weights(self)]),
    "genes_are_of_the_choices": _Faulty(genes=_outside),
    "the_supernet_is_trained": _Faulty(step=_untrained),
    "a_dead_branch_has_the_lowest_weight": _Faulty(step=_upwards),
    "equal_seeds_give_equal_results": _Faulty(step=_changing),
    "permuted_candidates_permute_the_weights": _Faulty(weights=_by_place),
    "what_is_no_number_stops_with_the_last_sound_state": _Faulty(step=_careless),
    "one_candidate_is_legal": _Faulty(genes=_of_three),
    "global_random_numbers_are_left_alone": _Faulty(step=_global),
}
