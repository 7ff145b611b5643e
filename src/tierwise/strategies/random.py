"""Uniform random search: the baseline of everything."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tierwise.history import History, Proposal


@dataclass(frozen=True)
class Random:
    """Fresh architectures, uniform over the space."""

    def ask(self, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
        """`n` random proposals."""
        return [Proposal(arch, {"strategy": "random"}) for arch in history.sample(n, rng)]
