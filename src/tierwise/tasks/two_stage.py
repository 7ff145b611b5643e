"""The searches of both tasks: in one supernet by gradients, and in a supernet trained block by block by draws."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from tierwise import natural_gradient
from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadSetting
from tierwise.evaluators.fit import seeded
from tierwise.evaluators.recipe import Recipe
from tierwise.networks.threads import threads
from tierwise.supernets.search import Optimiser, Weighed, search
from tierwise.supernets.stereo import StereoSupernet
from tierwise.supernets.textline import PARTS, TextLineSupernet
from tierwise.tasks.stereo import Stereo
from tierwise.tasks.task import Schedule, descend
from tierwise.tasks.textline import TextLine

RECIPE = Recipe(batch=16, rate=0.05, weight_decay=1e-4)
PHASES = (2, 2, 2, 14)  # epochs in which a part of the text-line supernet is the last one: stages, sequential model
SCHEDULE = Schedule(epochs=1, batch=16, rate=0.006)  # of that supernet in a phase, whose epochs count
Progress = Callable[[int, float], None]


def search_stereo(
    task: Stereo,
    optimiser: Optimiser,
    *,
    epochs: int = 8,
    seed: int = 0,
    recipe: Recipe = RECIPE,
    progress: Progress | None = None,
) -> tuple[Architecture, Weighed]:
    """Operations and ways of both networks at once, then the heaviest operations and the likeliest ways. Raises
    BadSetting, Diverged.
    """
    with seeded(seed):
        supernet = StereoSupernet(task.space)
    found = search(supernet, task.splits(), optimiser, epochs=epochs, seed=seed, recipe=recipe, progress=progress)
    return supernet.architecture(found.genes), found


def train_progressively(
    task: TextLine, *, phases: tuple[int, ...] = PHASES, seed: int = 0, progress: Progress | None = None
) -> TextLineSupernet:
    """A supernet in which every step trains one random network: first its first stage alone, by an auxiliary head, then
    the first two, ... at last all parts. phases: the epochs of each.

    That earlier stages go on learning is ours; the paper's details were not at hand. progress: is told the epoch of the
    whole, from 0, and its loss. Raises BadSetting, TrainingFailed.
    """
    if len(phases) != PARTS:
        raise BadSetting("phases", phases, f"epochs of each of {PARTS} parts")
    rng = np.random.default_rng(seed)
    with threads(), seeded(seed):
        supernet = TextLineSupernet(task.space)
        for part, epochs in enumerate(phases, start=1):

            def loss(x: torch.Tensor, y: torch.Tensor, part: int = part) -> torch.Tensor:
                genes = task.space.sample(1, rng).genes[0].tolist()
                return supernet.loss(supernet.read(x, genes, part), y)

            def heard(epoch: int, value: float, before: int = sum(phases[: part - 1])) -> None:
                if progress is not None:
                    progress(before + epoch - 1, value)

            schedule = dataclasses.replace(SCHEDULE, epochs=epochs)
            descend(supernet.parameters(), loss, task.parts().train, schedule, seed + part, heard)
    return supernet


@dataclass(frozen=True)
class Limit:
    """name: flops, params, or latency (milliseconds, measured). most: what a network may cost."""

    name: str
    most: float


def search_textline(
    task: TextLine,
    supernet: TextLineSupernet,
    limit: Limit,
    *,
    rounds: int = 20,
    draws: int = 8,
    seed: int = 0,
) -> natural_gradient.Drawn:
    """Networks within the limit, drawn from a distribution that natural gradients move to those with a lower validation
    loss under the shared weights. Raises BadSetting.
    """
    held = task.parts().validation

    def cost(archs: Architectures) -> np.ndarray:
        found = task.known(limit.name, archs)
        if found is None:
            raise BadSetting("limit", limit.name, "flops, params or latency")
        return found

    def score(archs: Architectures) -> np.ndarray:
        with threads():
            return -np.array(supernet.losses(held.x, held.y, archs.genes.tolist()))

    rng = np.random.default_rng(seed)
    return natural_gradient.search(task.space, score, cost, limit.most, rounds=rounds, draws=draws, rng=rng)
