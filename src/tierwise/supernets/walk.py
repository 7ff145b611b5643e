"""What a search by strategy ``fade`` has seen: its regions, one after the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tierwise.architecture import Architectures
from tierwise.history import DONE, History
from tierwise.supernets.joint import region_of
from tierwise.supernets.region import STAGE, Floats, Region


@dataclass(frozen=True)
class Visited:
    """One region. weights: (m,) of the candidates of each stage. trial: its first one, whose seed the region has."""

    region: Region
    weights: tuple[Floats, ...]
    trial: int

    @property
    def best(self) -> Architectures:
        """The architecture of the heaviest candidates, as a batch of one."""
        return self.region.archs(np.array([[int(own.argmax()) for own in self.weights]]))


def visited(history: History) -> list[Visited]:
    """The regions in order, as far as their rows have results."""
    numbers = np.array([int(history.why(row).get("region", 0)) for row in range(len(history))], dtype=np.int64)
    found: list[Visited] = []
    for number in range(1, int(numbers.max(initial=0)) + 1):
        asked = history.rows(numbers == number)
        rows = asked.rows(asked.state == DONE)
        if not len(rows) or STAGE.format(1) not in rows.metrics:
            continue
        region, paths = region_of(rows.archs)
        weights: list[Floats] = []
        for k, count in enumerate(region.counts):
            own = np.full(count, np.nan)
            own[paths[:, k]] = rows.metrics[STAGE.format(k + 1)]
            weights.append(own)
        found.append(Visited(region, tuple(weights), int(asked.ids[0]) + 1))
    return found
