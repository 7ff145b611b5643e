"""An evaluator that trains the networks of one space on data made here, by a loss of its own."""

from __future__ import annotations

import dataclasses
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadSetting, TrainingFailed, UnknownName
from tierwise.evaluators.dataset import Arrays
from tierwise.evaluators.fit import seeded
from tierwise.evaluators.latency import Measured, measure
from tierwise.job import Job
from tierwise.networks.threads import threads
from tierwise.space import Shape, Space

EVALUATED = 128  # inputs at once where nothing is learnt
CLIPPED = 5.0  # norm of a gradient, at most


@dataclass(frozen=True)
class Schedule:
    """AdamW whose rate rises over a third of the steps and falls to nothing (Smith and Topin, "Super-Convergence",
    2018). Raises BadSetting.
    """

    epochs: int
    batch: int
    rate: float
    decay: float = 0.01

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch", 2)):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < least:
                raise BadSetting(name, getattr(self, name), f"a whole number, {least} or more")
        for name, least in (("rate", "more than 0"), ("decay", "0 or more")):
            value = getattr(self, name)
            if not 0 <= value < math.inf or (name == "rate" and not value):
                raise BadSetting(name, value, least)

    def changed(self, training: Mapping[str, Any] | None) -> Schedule:
        """With these settings instead. Raises BadSetting, UnknownName."""
        known = [field.name for field in dataclasses.fields(self)]
        for name in training or {}:
            if name not in known:
                raise UnknownName("setting of a training", name, known)
        return dataclasses.replace(self, **(training or {}))


def descend(
    parameters: Iterable[nn.Parameter],
    loss: Callable[[Tensor, Tensor], Tensor],
    part: Arrays,
    schedule: Schedule,
    seed: int,
    heard: Callable[[int, float], None] | None = None,
) -> None:
    """Train these parameters by the loss of batches (inputs, targets). heard: told every epoch, from 1, and its mean
    loss. Raises TrainingFailed.
    """
    own, order = list(parameters), torch.Generator().manual_seed(seed)
    steps = max(len(part) // schedule.batch, 1)  # a rest would be a small, noisy batch
    adam = torch.optim.AdamW(own, lr=schedule.rate, weight_decay=schedule.decay)
    rates = torch.optim.lr_scheduler.OneCycleLR(adam, schedule.rate, total_steps=steps * schedule.epochs)
    for epoch in range(1, schedule.epochs + 1):
        total, rows = 0.0, torch.randperm(len(part), generator=order)[: steps * schedule.batch]
        for batch in rows.split(schedule.batch):
            value = loss(part.x[batch], part.y[batch])
            if not bool(value.isfinite()):
                raise TrainingFailed(f"the loss is no number in epoch {epoch}; a lower rate may help")
            adam.zero_grad()
            value.backward()
            nn.utils.clip_grad_norm_(own, CLIPPED)
            adam.step()
            rates.step()
            total += float(value.detach())
        if heard is not None:
            heard(epoch, total / steps)


@dataclass(frozen=True)
class Parts:
    """What is trained on, what a search sees, and what only reports see; targets may have any shape."""

    train: Arrays
    validation: Arrays
    test: Arrays


class Task(ABC):
    """An evaluator. metrics: the objective, of which more is better, first."""

    name: str
    metrics: tuple[str, ...]
    space: Space

    def __init__(self, space: Space, classes: int, shape: Shape, schedule: Schedule):
        self.space, self.classes, self.shape, self.schedule = space, classes, shape, schedule

    @abstractmethod
    def parts(self) -> Parts:
        """The data, made once a process."""

    @abstractmethod
    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """What is trained for."""

    @abstractmethod
    def scores(self, output: Tensor, target: Tensor) -> dict[str, float]:
        """Metrics of outputs, the objective among them."""

    def known(self, name: str, archs: Architectures) -> NDArray[np.float64] | None:
        """(n,) costs before a training: params, flops, and latency, the milliseconds of one input on this processor,
        measured once and kept; None for anything else.
        """
        if name in ("flops", "params"):
            return archs.space.totals(archs)[:, int(name == "params")].astype(float)
        if name != "latency":
            return None
        with threads():
            latencies = Measured(repr((self.space.name, self.space.choices, self.shape, self.classes, "cpu", 1)))
            return latencies.column(archs, lambda k: measure(self.network(archs[k], 0), self.shape))

    def network(self, arch: Architecture, seed: int) -> nn.Module:
        """The network with the initial weights of this seed."""
        with seeded(seed):
            return self.space.build(arch, classes=self.classes, shape=self.shape)

    def __call__(self, arch: Architecture, job: Job) -> dict[str, float]:
        return self.trained(arch, job)[1]

    def trained(self, arch: Architecture, job: Job) -> tuple[nn.Module, dict[str, float]]:
        """The network with its trained weights, and the metrics; those on the test part are called ``test_...``. A
        budget is a number of epochs.
        """
        started, parts, network = time.process_time(), self.parts(), self.network(arch, job.seed)
        budget = job.budget or self.schedule.epochs
        schedule = dataclasses.replace(self.schedule, epochs=budget)
        network.train()
        with threads(), seeded(job.seed):
            descend(
                network.parameters(),
                lambda x, y: self.loss(network(x), y),
                parts.train,
                schedule,
                job.seed,
                lambda epoch, loss: job.report(epoch, train_loss=loss),
            )
            found = self.judged(network, parts.validation)
            tested = {f"test_{name}": value for name, value in self.judged(network, parts.test).items()}
        size = float(sum(p.numel() for p in network.parameters()))
        return network, {**found, **tested, "seconds": time.process_time() - started, "params": size}

    @torch.no_grad()
    def judged(self, network: nn.Module, part: Arrays) -> dict[str, float]:
        """Metrics on these data."""
        network.eval()
        outputs = [network(x) for x in part.x.split(EVALUATED)]
        return self.scores(torch.cat(outputs), part.y)

    def __repr__(self) -> str:
        return f"<task {self.name}: {self.schedule.epochs} epochs>"


def as_arrays(x: NDArray[np.float32], y: NDArray[np.float32] | NDArray[np.int64]) -> Arrays:
    """Inputs and targets as tensors."""
    return Arrays(torch.from_numpy(np.ascontiguousarray(x)), torch.from_numpy(np.ascontiguousarray(y)))


def sizes(**given: int) -> None:
    """Raises BadSetting unless each is a number of examples."""
    for name, count in given.items():
        if count < 2:
            raise BadSetting(name, count, "a number of examples, 2 or more")
