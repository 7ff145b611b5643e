"""The search in a supernet: its own weights and those of its candidates are trained, epoch by epoch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tierwise.errors import BadSetting, TrainingFailed
from tierwise.evaluators.dataset import Part, Splits
from tierwise.evaluators.fit import seeded
from tierwise.evaluators.recipe import Recipe
from tierwise.networks.threads import threads
from tierwise.space import Choice
from tierwise.supernets.supernet import Supernet

Batch = tuple[Tensor, Tensor]  # inputs (b, ...), labels (b,)
Penalty = Callable[[Sequence[Tensor]], Tensor]  # of the weights, one vector a site
Progress = Callable[[int, float], None]  # is told an epoch, from 0, and its loss
RECIPE = Recipe(rate=0.05, weight_decay=3e-4)


@dataclass(frozen=True)
class Weighed:
    """What a search has found.

    weights: (m,) importance of each candidate of each choice. spread: a standard deviation of each, where the
    optimiser knows one. genes: the network that is derived. trace: weights after each epoch. losses: mean training
    loss of each epoch. record: what an optimiser notes on the way, see there.
    """

    choices: tuple[Choice, ...]
    weights: tuple[NDArray[np.float64], ...]
    spread: tuple[NDArray[np.float64], ...] | None
    genes: tuple[int, ...]
    trace: tuple[tuple[NDArray[np.float64], ...], ...] = ()
    losses: tuple[float, ...] = ()
    record: tuple[Any, ...] = ()


class Diverged(TrainingFailed):
    """A loss, a gradient or a weight was no number any more. Field: ``last``, what was found after the last sound
    epoch; the supernet has its weights of then.
    """

    def __init__(self, epoch: int, last: Weighed):
        self.last = last
        super().__init__(
            f"the search was no number any more in epoch {epoch + 1}; what {epoch} sound epochs found is in `last`; "
            "lower the rate of the recipe, or normalise the inputs"
        )


class SupernetFit:
    """A supernet in training: its own weights follow the recipe; by its losses an optimiser learns the others.

    held: number of inputs of the validation part. penalty: is added to every loss. done: the part of the search that is
    behind it, 0 to 1.
    """

    def __init__(self, supernet: Supernet, recipe: Recipe, epochs: int, held: int, penalty: Penalty | None = None):
        self.supernet, self.recipe, self.epochs, self.held, self.penalty = supernet, recipe, epochs, held, penalty
        self.optimiser = recipe.optimiser(supernet)
        self.done = 0.0

    def loss(self, weights: Sequence[Tensor], batch: Batch) -> Tensor:
        """The supernet's loss of a batch under these weights, one vector a site."""
        loss = self.supernet.loss(self.supernet(batch[0], weights), batch[1], self.recipe.smoothing)
        return loss if self.penalty is None else loss + self.penalty(weights)

    @property
    def rate(self) -> float:
        """The learning rate of the supernet's own weights."""
        return float(self.optimiser.param_groups[0]["lr"])

    @property
    def own(self) -> list[nn.Parameter]:
        """The weights that are trained."""
        return [p for p in self.supernet.parameters() if p.requires_grad]

    def step(self, loss: Tensor) -> float:
        """One step of the supernet's own weights down this loss, which is given back; other leaves of it receive
        their gradients. Raises FloatingPointError if it is no number, before anything has changed.
        """
        value = finite(loss)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return value

    def gradient(self, loss: Tensor, of: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The gradient by these leaves, 0 where they have no part; nothing is changed. Raises FloatingPointError."""
        finite(loss)
        return torch.autograd.grad(loss, of, allow_unused=True, materialize_grads=True)

    def reach(self, epoch: int, share: float) -> None:
        """The search is `share` into this epoch: sets ``done`` and the learning rate."""
        self.done = (epoch + share) / self.epochs
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.rate_at(epoch + share, self.epochs)


class Learner(ABC):
    """The state of one search: what an optimiser keeps of the weights of the candidates."""

    def __init__(self, fit: SupernetFit):
        self.fit, self.supernet = fit, fit.supernet

    @abstractmethod
    def step(self, train: Batch, validation: Batch) -> float:
        """One step of everything; the training loss. Raises FloatingPointError where that is no number."""

    @abstractmethod
    def weights(self) -> list[Tensor]:
        """(m,) importance of each candidate of each choice, without gradient."""

    def spread(self) -> list[Tensor] | None:
        """Standard deviations of `weights`, if they are known."""
        return None

    def genes(self) -> tuple[int, ...]:
        """The network that is derived."""
        return self.supernet.derived(self.weights())

    def epoch_end(self) -> None:  # noqa: B027  most have nothing to do
        """What is done once an epoch, after its steps."""

    def record(self) -> tuple[Any, ...]:
        """What was noted on the way."""
        return ()


class Optimiser(Protocol):
    """A frozen dataclass of settings, registered by name."""

    def begin(self, fit: SupernetFit, seed: int) -> Learner:
        """The state of a new search; whatever it draws follows from the seed."""
        ...


def search(
    supernet: Supernet,
    data: Splits,
    optimiser: Optimiser,
    *,
    epochs: int = 24,
    seed: int = 0,
    recipe: Recipe = RECIPE,
    penalty: Penalty | None = None,
    progress: Progress | None = None,
) -> Weighed:
    """Train the supernet (in place) and the weights of its candidates.

    An epoch is one pass over the training part; every step has a batch of the validation part beside it. The number of
    epochs is `epochs`, whatever the recipe says. penalty: is added to every loss. Raises BadSetting, Diverged.
    """
    if epochs < 1:
        raise BadSetting("epochs", epochs, "1 or more")
    device = str(next(supernet.parameters()).device)
    train, validation = data.train.to(device), data.validation.to(device)
    fit = SupernetFit(supernet, recipe, epochs, len(validation), penalty)
    with threads(), seeded(seed):
        order = torch.Generator().manual_seed(seed)
        held = _endless(validation, min(recipe.batch, len(validation)), order)
        learner = optimiser.begin(fit, seed)
        found, sound = _weighed(learner, None, None), _copied(supernet)
        for epoch in range(epochs):
            try:
                loss = _epoch(learner, epoch, train, held, order)
                found = _weighed(learner, found, loss)
            except FloatingPointError as error:
                supernet.load_state_dict(sound)
                raise Diverged(epoch, found) from error
            sound = _copied(supernet)
            if progress is not None:
                progress(epoch, loss)
    return found


def _epoch(learner: Learner, epoch: int, train: Part, held: Iterator[Batch], order: torch.Generator) -> float:
    """The mean training loss. Raises FloatingPointError."""
    fit, batch = learner.fit, learner.fit.recipe.batch
    steps, total = max(len(train) // batch, 1), 0.0  # a rest would be a small, noisy batch
    rows = torch.randperm(len(train), generator=order)[: steps * batch]
    learner.supernet.train()
    for step, (x, y) in enumerate(train.batches(batch, rows[:, None])):
        fit.reach(epoch, (step + 1) / steps)
        total += learner.step((fit.recipe.augmented(x[:, 0], order), y[:, 0]), next(held))
    learner.epoch_end()
    if not all(bool(p.isfinite().all()) for p in learner.supernet.parameters()):
        raise FloatingPointError("a weight of the supernet")
    return total / steps


def _endless(part: Part, size: int, order: torch.Generator) -> Iterator[Batch]:
    """Batches of `size` in ever new orders."""
    while True:
        rows = torch.randperm(len(part), generator=order)[: len(part) // size * size]
        for x, y in part.batches(size, rows[:, None]):
            yield x[:, 0], y[:, 0]


def _weighed(learner: Learner, before: Weighed | None, loss: float | None) -> Weighed:
    """What is found by now. Raises FloatingPointError for weights that are no numbers."""
    weights, spread = _arrays(learner.weights()), learner.spread()
    if not all(np.isfinite(own).all() for own in weights):
        raise FloatingPointError("a weight of a candidate")
    return Weighed(
        learner.supernet.choices,
        weights,
        None if spread is None else _arrays(spread),
        learner.genes(),
        () if before is None else (*before.trace, weights),
        () if before is None or loss is None else (*before.losses, loss),
        learner.record(),
    )


def _arrays(tensors: Sequence[Tensor]) -> tuple[NDArray[np.float64], ...]:
    return tuple(tensor.detach().cpu().double().numpy().copy() for tensor in tensors)


def _copied(supernet: Supernet) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in supernet.state_dict().items()}


def finite(loss: Tensor) -> float:
    """Its value. Raises FloatingPointError if it is no number."""
    value = float(loss.detach())
    if not np.isfinite(value):
        raise FloatingPointError("a loss")
    return value
