"""The evaluator of FaDE: regions are trained as one supernet, single networks as ever.

Neumeyer, Stier and Granitzer, "Efficient NAS with FaDE on Hierarchical Spaces" (2024).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architecture, Architectures
from tierwise.errors import TierwiseError, TrainingFailed, UnknownName
from tierwise.evaluators.train import Train
from tierwise.job import Job
from tierwise.registry import make
from tierwise.space import Space
from tierwise.supernets.fade import READINGS, fade_ranks
from tierwise.supernets.region import STAGE, Floats, Region


class Joint:
    """Evaluates what strategy ``fade`` asks for.

    A batch of cheap evaluations is a region: the candidates of each stage are those of its architectures, and its
    supernet is trained for `budget` epochs, `runs` times. The metrics of an architecture are the weights of its
    candidates, ``stage1``, ``stage2``, ..., and as accuracy 100 times their mean, which is none: it orders the rows of
    one batch and means nothing beside another. A full evaluation is that of `train`.

    train: on the data, of the space of the study. optimiser: a registered one, or an object; ``equal`` trains regions
    of any number of stages. reading: as of ``fade_ranks``. Raises what these raise.
    """

    def __init__(self, train: Train, *, runs: int = 3, optimiser: Any = "equal", reading: str = "alone"):
        if reading not in READINGS:
            raise UnknownName("reading", reading, READINGS)
        self.train, self.runs, self.reading = train, runs, reading
        self.optimiser = make("optimiser", optimiser) if isinstance(optimiser, str) else optimiser
        self.known = train.known
        self._failure: TierwiseError | None = None

    def for_space(self, space: Space) -> Self:
        """The same for the networks of this space."""
        return type(self)(self.train.for_space(space), runs=self.runs, optimiser=self.optimiser, reading=self.reading)

    def __call__(self, arch: Architecture, job: Job) -> dict[str, float]:
        if job.budget:  # the batch has failed
            raise self._failure or TrainingFailed("a region is trained as a whole: executor inline, one batch a region")
        return self.train(arch, job)

    def many(self, archs: Architectures, seeds: Sequence[int], budget: int = 0) -> dict[str, NDArray[np.float64]]:
        """(n,) of each metric, see above. seeds: the first is that of a region."""
        if not budget:
            rows = [self.train(arch, Job(0, seed)) for arch, seed in zip(archs, seeds, strict=True)]
            return {name: np.array([row[name] for row in rows]) for name in rows[0]}
        try:
            return self._region(archs, int(seeds[0]), budget)
        except TierwiseError as error:
            self._failure = error
            raise

    def _region(self, archs: Architectures, seed: int, epochs: int) -> dict[str, NDArray[np.float64]]:
        started = time.perf_counter()
        region, paths = region_of(archs)
        given: Any = {"classes": self.train.classes, "recipe": self.train.recipe, "optimiser": self.optimiser}
        given |= {"reading": self.reading, "runs": self.runs, "epochs": epochs, "seed": seed}
        scores = fade_ranks(region, self.train.splits(), **given).weights
        columns = {STAGE.format(k + 1): own[paths[:, k]] for k, own in enumerate(scores)}
        mean: Floats = np.mean(list(columns.values()), axis=0)
        each = (time.perf_counter() - started) / len(archs)
        return {"accuracy": 100 * mean, **columns, "seconds": np.full(len(archs), each)}


def region_of(archs: Architectures) -> tuple[Region, NDArray[np.int64]]:
    """The region whose candidates these architectures have, and the path (n, stages) of each."""
    space: Any = archs.space.origin
    candidates: list[NDArray[Any]] = []
    paths: list[NDArray[np.int64]] = []
    for k, block in enumerate(space.blocks):
        genes = archs.genes[:, block]
        _, first, back = np.unique(space.block_keys(k, genes), return_index=True, return_inverse=True)
        candidates.append(genes[first])
        paths.append(back.ravel())
    return Region(space, candidates), np.stack(paths, 1)
