"""What a search by strategy ``fade`` has found, judged by trainings of single networks that the search never saw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tierwise import metrics
from tierwise.architecture import Architectures, concatenate
from tierwise.errors import BadSetting
from tierwise.evaluators.dataset import Splits
from tierwise.history import DONE
from tierwise.job import job_seed
from tierwise.registry import make
from tierwise.study import Study
from tierwise.supernets.correlation import Partial, ceiling, counted, partial, retrained
from tierwise.supernets.fade import FadeRanks, fade_ranks
from tierwise.supernets.joint import Joint, region_of
from tierwise.supernets.region import Floats, Paths, Region
from tierwise.supernets.walk import Visited, visited

MOST_PATHS = 36  # of the last region that are trained alone
BASELINES: dict[str, dict[str, Any]] = {
    "random": {},
    "evolution": {"population": 20, "tournament": 5},
    "bananas": {"encoding": "wl"},
}  # strategy -> settings
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Findings:
    """regions: in order. last: the last one trained once more, with what its trainings have found on the way. paths
    (n, stages) of it, accuracies (n, seeds) of each alone, scores (n,) of its ranks. counting: scores without training,
    by name. steps: (regions, seeds) accuracies of the heaviest path of each region. cost: single trainings that the
    search has cost. baselines: strategy -> (seeds,) accuracies of what it found at that cost.
    """

    regions: tuple[Visited, ...]
    last: FadeRanks
    paths: Paths
    accuracies: Floats
    scores: Floats
    counting: dict[str, Floats]
    steps: Floats
    cost: int
    baselines: dict[str, Floats]

    def agreement(self) -> dict[str, float]:
        """Spearman's rank correlation with the mean accuracy alone: of the ranks, and of each way to count."""
        truth = self.accuracies.mean(1)
        return {"FaDE": metrics.spearman(self.scores, truth)} | {
            name: metrics.spearman(own, truth) for name, own in self.counting.items()
        }

    def ceiling(self) -> float:
        """Mean Spearman correlation between halves of the seeds."""
        return ceiling(self.accuracies, np.random.default_rng(0))

    def beyond(self, name: str) -> Partial:
        """The correlation of the ranks with the accuracies, given one way to count."""
        return partial(self.scores, self.accuracies.mean(1), self.counting[name], np.random.default_rng(0))


def findings(study: Study, joint: Joint, *, seeds: int, compare: bool, progress: Progress) -> Findings:
    """Train the last region once more, paths of it and the heaviest path of each region alone, `seeds` times each; if
    `compare`, search by `BASELINES` with as many single trainings as the regions have cost. progress: (what, done, of).
    Raises BadSetting for a study without a finished region.
    """
    strategy, train, regions = study.strategy, joint.train, visited(study.history())
    if not regions or not hasattr(strategy, "epochs"):
        raise BadSetting("study", str(study.path), "one of strategy fade with a finished region")
    epochs, recipe = int(getattr(strategy, "epochs")), train.recipe  # noqa: B009  of a strategy known by name
    data, region = train.splits(), regions[-1].region
    seed = job_seed(study.seed, regions[-1].trial)  # that of the search: the same trainings
    given: Any = {"classes": train.classes, "recipe": recipe}
    read: Any = {"optimiser": joint.optimiser, "reading": joint.reading, "runs": joint.runs}
    last = fade_ranks(region, data, epochs=epochs, seed=seed, **read, **given)
    rng = np.random.default_rng([study.seed, 1])
    paths = region.paths() if region.size <= MOST_PATHS else _different(region, MOST_PATHS, rng)
    judged: Any = {"seeds": seeds, **given}
    accuracies = retrained(region, paths, data, progress=lambda k, n: progress("paths alone", k, n), **judged)
    heaviest = concatenate([each.best for each in regions])
    steps = alone(heaviest, data, progress=lambda k, n: progress("heaviest paths", k, n), **judged)
    cost = joint.runs * sum(max(each.region.counts) for each in regions)
    baselines = _compared(study, joint, cost, judged, progress) if compare else {}
    counting = counted(region, paths, data, classes=train.classes)
    return Findings(tuple(regions), last, paths, accuracies, last.score(paths), counting, steps, cost, baselines)


def _different(region: Region, count: int, rng: np.random.Generator) -> Paths:
    """So many different paths of a region, at random."""
    found = np.unique(region.sample(8 * count, rng), axis=0)
    return found[rng.permutation(len(found))[:count]]


def alone(
    archs: Architectures,
    data: Splits,
    *,
    progress: Callable[[int, int], None] | None = None,
    seed: int = 1,
    **given: Any,
) -> Floats:
    """(n, seeds) accuracies of architectures of a space of stages, each trained alone: see `correlation.retrained`."""
    region, paths = region_of(archs)
    return retrained(region, paths, data, progress=progress, seed=seed, **given)


def _compared(study: Study, joint: Joint, cost: int, judged: Any, progress: Progress) -> dict[str, Floats]:
    """What each baseline finds with `cost` single trainings by validation accuracy, trained anew."""
    found: dict[str, Floats] = {}
    for k, (name, settings) in enumerate(BASELINES.items()):
        progress("baselines", k, len(BASELINES))
        strategy = make("strategy", name, **settings)
        with Study(None, study.space, strategy, joint.train, seed=study.seed) as search:
            search.run(cost, batch=10)
            history = search.history()
            best = history.rows(history.state == DONE).best(1).archs
        found[name] = alone(best, joint.train.splits(), **judged)[0]
    progress("baselines", len(BASELINES), len(BASELINES))
    return found
