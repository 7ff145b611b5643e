"""Train the networks of a space on data of one's own."""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadSetting, TrainingFailed
from tierwise.evaluators.dataset import Arrays, Data, Splits, load
from tierwise.evaluators.fit import Alone, Fit, seeded
from tierwise.evaluators.fused import Fused
from tierwise.evaluators.latency import Measured, measure
from tierwise.evaluators.recipe import Recipe
from tierwise.job import Job
from tierwise.networks.threads import threads
from tierwise.space import Space

_loaded: dict[str, Splits] = {}  # of this process: a worker reads the data once, not once an evaluation


class Train:
    """An evaluator that trains each network and tells its accuracy on held-out data, in percent.

    data: (inputs, labels) as arrays or tensors: images (n, h, w) or (n, c, h, w), signals (n, c, length), vectors
        (n, features); or a ``torch.utils.data.Dataset`` of (input, label); or a function that gives either, which
        every worker process calls once (best for large data).
    classes: how many; labels are 0 to classes - 1.
    validation: the share of `data` that the search is judged by, or data of its own.
    test: data that the search never sees; their accuracy is told as ``test_accuracy``, for reports.
    recipe: how to train. A job's budget is a number of epochs.
    patience: end a training after so many epochs without a better validation accuracy.
    together: train so many networks in one program (executor inline, arrays); for networks so small that calling
        their operations takes longer than computing them.
    device: "cpu", "cuda", "cuda:1" ..., or "auto". threads: of a training on the CPU; one a process is fastest where
        several train. loaders: processes that read a Dataset.
    space: whose networks; a study gives its own.

    Costs for ``limits`` and ``against``: params, flops, latency (measured here).
    Metrics: accuracy and loss (validation), epochs, seconds, params, and test_accuracy. Every epoch is reported and
    saved, so that an attempt after a kill goes on there. Raises BadSetting for data and settings that cannot be.
    """

    def __init__(
        self,
        data: Data,
        classes: int,
        *,
        validation: float | Data = 0.2,
        test: Data | None = None,
        recipe: Recipe | None = None,
        patience: int | None = None,
        together: int = 1,
        device: str = "auto",
        threads: int = 1,
        loaders: int = 0,
        space: Space | None = None,
    ):
        if classes < 2:
            raise BadSetting("classes", classes, "2 or more")
        for name, value in {"patience": 1 if patience is None else patience, "together": together}.items():
            if value < 1:
                raise BadSetting(name, value, "1 or more")
        if patience is not None and together > 1:
            raise BadSetting("patience", patience, "none where networks are trained together: they end together")
        self.classes, self.recipe, self.patience = classes, recipe or Recipe(), patience
        self.together, self.threads, self.space = together, threads, space
        self.device = _device(device)
        self._latencies: Measured | None = None
        self._data, self._key = (data, validation, test, classes, loaders), uuid.uuid4().hex
        if not callable(data):
            self.splits()  # what is wrong with data at hand is said now

    def for_space(self, space: Space) -> Self:
        """The same for the networks of this space, on the same data."""
        if self.space is not None:
            return self
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, space=space)
        return other

    def known(self, name: str, archs: Architectures) -> NDArray[np.float64] | None:
        """(n,) costs of a network before it is trained: params, flops, and latency, the milliseconds that one input
        takes on this device, measured once; None for anything else.
        """
        shape = self.splits().train.shape
        if name in ("flops", "params"):
            return archs.space.totals(archs, classes=self.classes, shape=shape)[:, int(name == "params")].astype(float)
        if name != "latency":
            return None
        if self._latencies is None:
            about = archs.space.name, archs.space.choices, shape, self.classes, self.device, self.threads
            self._latencies = Measured(repr(about))
        with threads(self.threads):
            return self._latencies.column(archs, lambda k: measure(self.network(archs[k], 0), shape, 1, self.device))

    def splits(self) -> Splits:
        """The data, loaded once a process."""
        if self._key not in _loaded:
            _loaded[self._key] = load(*self._data)
        return _loaded[self._key]

    def network(self, arch: Architecture, seed: int) -> nn.Module:
        """The network with the initial weights of this seed."""
        if self.space is None:
            raise BadSetting("space of Train", None, "given by a study, or Train(..., space=...)")
        with seeded(seed):
            return self.space.build(arch, classes=self.classes, shape=self.splits().train.shape)

    def __call__(self, arch: Architecture, job: Job) -> dict[str, float]:
        return self.trained(arch, job)[1]

    def trained(
        self, arch: Architecture, job: Job, progress: Callable[[int, int], None] | None = None
    ) -> tuple[nn.Module, dict[str, float]]:
        """The network with its trained weights, and the metrics. progress: told (epochs done, epochs)."""
        with threads(self.threads):
            started, splits, network = time.perf_counter(), self._splits_on_device(), self.network(arch, job.seed)
            epochs = job.budget or self.recipe.epochs
            fit = Fit(Alone(network), [job.seed], self.recipe, epochs, self.device)
            identity = repr((str(arch), job.seed, epochs, dataclasses.astuple(self.recipe), self.patience))
            state = _State(identity).restored(job, fit)
            earlier, scores = state.seconds, None
            while state.epoch < epochs and not (self.patience and state.epoch - state.best_epoch >= self.patience):
                (loss,) = fit.epoch(state.epoch, splits.train)
                scores, done = fit.scores(splits.validation), state.epoch + 1
                if not np.isfinite([loss, *scores.loss]).all():
                    raise TrainingFailed(f"the loss is no number in epoch {done} of {epochs}; a lower rate may help")
                job.report(done, train_loss=loss, loss=scores.loss[0], accuracy=scores.accuracy[0])
                state = state.after(done, scores.accuracy[0], earlier + time.perf_counter() - started)
                if done < epochs:
                    job.save(state.arrays() | fit.state())
                if progress is not None:
                    progress(done, epochs)
            scores = scores or fit.scores(splits.validation)  # an earlier attempt had run out of patience
            tested = {} if splits.test is None else {"test_accuracy": fit.scores(splits.test).accuracy[0]}
            seconds = earlier + time.perf_counter() - started
            known = {"epochs": state.epoch, "seconds": seconds, "params": _params(network)}
            return network, {"accuracy": scores.accuracy[0], "loss": scores.loss[0], **known, **tested}

    @property
    def many(self) -> Any:
        """``many(archs, seeds, budget)`` where networks are trained together, else None."""
        return self._many if self.together > 1 and isinstance(self.splits().train, Arrays) else None

    def _many(self, archs: Architectures, seeds: Sequence[int], budget: int = 0) -> dict[str, NDArray[np.float64]]:
        """(n,) of each metric; NaN where a training failed. A network alone would end with the same up to rounding."""
        parts = [
            self._group(archs[k : k + self.together], seeds[k : k + self.together], budget or self.recipe.epochs)
            for k in range(0, len(archs), self.together)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _group(self, archs: Architectures, seeds: Sequence[int], epochs: int) -> dict[str, NDArray[np.float64]]:
        with threads(self.threads):
            started, splits = time.perf_counter(), self._splits_on_device()
            networks = [self.network(arch, seed) for arch, seed in zip(archs, seeds, strict=True)]
            fit = Fit(Fused(networks, splits.train.shape), seeds, self.recipe, epochs, self.device)
            for epoch in range(epochs):
                fit.epoch(epoch, splits.train)
            scores, n = fit.scores(splits.validation), len(networks)
            table: dict[str, Any] = {"accuracy": scores.accuracy, "loss": scores.loss}
            if splits.test is not None:
                table["test_accuracy"] = fit.scores(splits.test).accuracy
            table |= {"epochs": [epochs] * n, "params": [_params(network) for network in networks]}
            table["seconds"] = [(time.perf_counter() - started) / n] * n  # each its share
            columns = {name: np.array(values, dtype=np.float64) for name, values in table.items()}
            failed = ~np.isfinite(columns["loss"])
            return {name: np.where(failed, np.nan, column) for name, column in columns.items()}

    def _splits_on_device(self) -> Splits:
        here = self.splits()
        test = None if here.test is None else here.test.to(self.device)
        return Splits(here.train.to(self.device), here.validation.to(self.device), test)

    def __repr__(self) -> str:
        return f"Train(classes={self.classes}, recipe={self.recipe})"


@dataclasses.dataclass(frozen=True)
class _State:
    """How far a training is. identity: of network, seed and recipe. seconds: spent, by earlier attempts too."""

    identity: str
    epoch: int = 0
    seconds: float = 0.0
    best: float = -1.0
    best_epoch: int = 0

    def restored(self, job: Job, fit: Fit) -> _State:
        """Where an earlier attempt was, its weights now those of `fit`. Raises BadSetting, TrainingFailed."""
        if (saved := job.restore()) is None:
            return self
        if str(saved["identity"]) != self.identity:
            allowed = f"that of {self.identity}; delete the folder to begin the training anew"
            raise BadSetting(f"checkpoint in {job.folder}", str(saved["identity"]), allowed)
        fit.load(saved)
        done, best = (int(saved["epoch"]), float(saved["seconds"])), (float(saved["best"]), int(saved["best_epoch"]))
        return _State(self.identity, *done, *best)

    def after(self, epoch: int, accuracy: float, seconds: float) -> _State:
        """One epoch on."""
        best, best_epoch = (accuracy, epoch) if accuracy > self.best else (self.best, self.best_epoch)
        return _State(self.identity, epoch, seconds, best, best_epoch)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """For a checkpoint."""
        return {name: np.array(value) for name, value in dataclasses.asdict(self).items()}


def _device(name: str) -> str:
    """Raises BadSetting for a device that is not there."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise BadSetting("device", name, f'a device that is there, "cpu" or "auto" ({reason})') from error
    return str(device)


def _params(network: nn.Module) -> float:
    return float(sum(p.numel() for p in network.parameters()))
