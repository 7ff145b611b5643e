"""The evaluator of one-shot steering: the supernet of a template is trained briefly, then masks are scored with its
weights, without any training of their own.

Tyagi, Xie and Mueller, "NAS-Navigator: Visual Steering for Explainable One-Shot Deep Neural Network Synthesis" (2022).
What is not known of it and decided here: how masks are drawn in training (see `Drawn`), batch norms recalibrated before
each score, and a fixed part of the validation data, so that scores are paired.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadSetting, TrainingFailed, UnknownName
from tierwise.evaluators import task as tasks
from tierwise.evaluators.dataset import SPLIT_SEED, Part
from tierwise.evaluators.fit import EVALUATED, Fit
from tierwise.evaluators.recipe import Recipe
from tierwise.job import Job
from tierwise.networks.threads import threads
from tierwise.spaces.template import TemplateSpace, template_space
from tierwise.spaces.template_shapes import as_dict
from tierwise.supernets.template import Drawn, TemplateSupernet, recalibrate, template_supernet

FOLDER, STOP = "supernet", "stop"  # beside the trials of a study; a file in it that ends the training
PROBES = 4  # masks whose mean accuracy is shown after each epoch
OPTIMISERS = ("sgd", "adamw")
Progress = Callable[[int, int], None]  # is told epochs done, and epochs
_trained: dict[tuple[str, str], TemplateSupernet] = {}  # of this process, by identity and folder


@dataclasses.dataclass(frozen=True)
class Shared(Recipe):
    """How shared weights are trained. Raises BadSetting, UnknownName.

    epochs: a few. optimiser_name: "sgd" or "adamw". sampler: of the masks, see `Drawn`. masks: in each step.
    calibration: training inputs for batch norms before each score. evaluated: validation inputs of a score. seed: of
    weights, order and masks.
    """

    epochs: int = 10
    optimiser_name: str = "sgd"
    sampler: str = "uniform"
    masks: int = 2
    calibration: int = 512
    evaluated: int = 1_000
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least in (("masks", 1), ("calibration", 2), ("evaluated", 1), ("seed", 0)):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < least:
                raise BadSetting(f"shared {name}", getattr(self, name), f"a whole number, {least} or more")
        if self.optimiser_name not in OPTIMISERS:
            raise UnknownName("optimiser of shared weights", self.optimiser_name, OPTIMISERS)

    def optimiser(self, network: nn.Module) -> Any:
        """Of the shared weights; the rate of adamw is a hundredth of that of sgd."""
        groups = super().optimiser(network)
        if self.optimiser_name == "sgd":
            return groups
        return _AdamW(groups.param_groups)

    def rate_at(self, done: float, epochs: int) -> float:
        """As of any recipe."""
        return super().rate_at(done, epochs) * (1.0 if self.optimiser_name == "sgd" else 0.01)


class _AdamW(torch.optim.AdamW):
    """With the groups of a recipe: what decays, and what does not."""

    def __init__(self, groups: Sequence[Mapping[str, Any]]):
        super().__init__([{"params": g["params"], "weight_decay": g["weight_decay"]} for g in groups])


class OneShot(tasks.Task):
    """Accuracies of masks with shared weights; the supernet is trained before the first one, see `prepare`.

    task: the space of a template on data, with the recipe of a full training. Everything else is that of `Train`.
    """

    def __init__(self, task: tasks.Task, shared: Shared):
        self.__dict__.update(task.__dict__)
        self.shared, self.name = shared, task.name.replace("train:", "oneshot:", 1)

    @property
    def many(self) -> None:
        """One mask at a time: each has statistics of its own."""

    @property
    def template(self) -> TemplateSpace:
        """The whole space."""
        return cast(TemplateSpace, self.space.origin)

    def __call__(self, arch: Architecture, job: Job) -> dict[str, float]:
        """Metrics accuracy (percent) and loss on the fixed part of the validation data, params, seconds."""
        started = time.perf_counter()
        with threads(self.threads):
            net = self.prepare(None if job.folder is None else job.folder.parent)
            found = self._scores(net, np.array(arch.genes), self._validation())
        params = self.known("params", Architectures.of([arch], self.space))
        assert params is not None
        return {**found, "params": float(params[0]), "seconds": time.perf_counter() - started}

    def prepare(self, folder: Path | None, progress: Progress | None = None) -> TemplateSupernet:
        """The trained supernet: of this process, of the folder of a study, or trained now and kept there; whoever comes
        meanwhile waits. A training that was killed goes on behind its last epoch; a file ``stop`` ends it with the
        epoch at hand. Raises TrainingFailed, BadSetting.
        """
        identity = self._identity()
        place = None if folder is None else folder / FOLDER
        key = identity, str(place)
        if key not in _trained:
            with threads(self.threads), _alone(place):
                net = template_supernet(
                    self.template, shape=self.splits().train.shape, classes=self.classes, seed=self.shared.seed
                )
                self._train(net.to(self.device), identity, Job(0, self.shared.seed, folder=place), progress)
                _trained[key] = net
        return _trained[key]

    def _train(self, net: TemplateSupernet, identity: str, job: Job, progress: Progress | None) -> None:
        shared, splits = self.shared, self._splits_on_device()
        drawn = Drawn(net, self.template, shared.sampler)
        fit = Fit(drawn, [shared.seed] * shared.masks, shared, shared.epochs, self.device)
        done, finished = _restored(fit, job, identity)
        while not finished:
            started = time.perf_counter()
            loss = float(np.mean(fit.epoch(done, splits.train)))
            done += 1
            if not np.isfinite(loss):
                raise TrainingFailed(f"the shared weights are no numbers in epoch {done}; a lower rate may help")
            job.report(done, **self._figures(net), seconds=time.perf_counter() - started)
            finished = done >= shared.epochs or (job.folder is not None and (job.folder / STOP).exists())
            kept = {name: value for name, value in fit.state().items() if name.startswith("weight/") or not finished}
            job.save({"identity": np.array(identity), "epoch": np.array(done), "end": np.array(finished), **kept})
            if progress is not None:
                progress(done, shared.epochs)

    def _figures(self, net: TemplateSupernet) -> dict[str, float]:
        """Means over a few masks that are always the same, on training and on validation data."""
        masks = self.template.sample(PROBES, np.random.default_rng(SPLIT_SEED)).genes
        parts = {"": self._validation(), "train_": self._part(self.splits().train, self.shared.evaluated)}
        found = {prefix: [self._scores(net, mask, part) for mask in masks] for prefix, part in parts.items()}
        names = ("accuracy", "loss")
        return {f"{p}{name}": float(np.mean([r[name] for r in rows])) for p, rows in found.items() for name in names}

    @torch.no_grad()
    def _scores(
        self, net: TemplateSupernet, mask: NDArray[Any], part: Sequence[tuple[Tensor, Tensor]]
    ) -> dict[str, float]:
        weights = net.masked(mask)
        recalibrate(net, weights, [x for x, _ in self._part(self.splits().train, self.shared.calibration)])
        right, total, n = 0.0, 0.0, 0
        for x, y in part:
            scores = net(x, weights)
            right += float((scores.argmax(1) == y).sum())
            total += float(nn.functional.cross_entropy(scores, y, reduction="sum"))
            n += len(y)
        return {"accuracy": 100 * right / n, "loss": total / n}

    def _validation(self) -> list[tuple[Tensor, Tensor]]:
        return self._part(self.splits().validation, self.shared.evaluated)

    def _part(self, part: Part, count: int) -> list[tuple[Tensor, Tensor]]:
        """So many inputs and labels in batches, always the same ones."""
        rows = np.random.default_rng(SPLIT_SEED).permutation(len(part))[:count]
        order = torch.from_numpy(rows)[:, None]
        return [(x[:, 0].to(self.device), y[:, 0].to(self.device)) for x, y in part.batches(EVALUATED, order)]

    def _identity(self) -> str:
        train = self.splits().train
        about = as_dict(self.template.template), len(train), train.shape, self.classes, dataclasses.astuple(self.shared)
        return repr(about)


def load(
    template: str | Path,
    data: str,
    classes: int | None = None,
    training: Mapping[str, Any] | None = None,
    shared: Mapping[str, Any] | None = None,
) -> OneShot:
    """Masks of a template on data.

    template: a TOML or JSON file, or the name of a preset. data, classes, training: as `tasks.load` has them; training
    is that of single networks in full. shared: settings of `Shared`. Raises BadSetting, UnknownName.
    """
    given = dict(shared or {})
    known = [field.name for field in dataclasses.fields(Shared)]
    for name in given:
        if name not in known:
            raise UnknownName("setting of shared", name, known)
    return OneShot(tasks.load(template_space(template), data, classes, training), Shared(**given))


def _restored(fit: Fit, job: Job, identity: str) -> tuple[int, bool]:
    """Epochs done by an earlier attempt, and whether it has ended. Raises BadSetting for another supernet's weights."""
    saved = job.restore()
    if saved is None:
        return 0, False
    if str(saved["identity"]) != identity:
        raise BadSetting(f"weights in {job.folder}", "of another supernet", "those of this one; delete the folder")
    fit.load(saved)
    return int(saved["epoch"]), bool(saved["end"])


@contextlib.contextmanager
def _alone(folder: Path | None) -> Generator[None]:
    """One process at a time trains in this folder."""
    if folder is None:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
