"""From what a strategy proposes, and what a person wants, to new trials."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from tierwise.architecture import Architecture, Architectures
from tierwise.history import History, Proposal, Strategy
from tierwise.row import Row, asked
from tierwise.steering import Steering

PREFERENCE = 0.75  # of the proposals come from where a preference points to, the others from anywhere allowed


def steered_proposals(
    strategy: Strategy, history: History, steering: Steering, n: int, rng: np.random.Generator
) -> list[Proposal]:
    """At most `n`: what a person wants evaluated, then the strategy's, three of four inside of a preference."""
    proposals = _wanted(history, steering)[:n]
    if steering.preferred is not None and n > len(proposals):
        share = int(rng.binomial(n - len(proposals), PREFERENCE))
        proposals += _asked(strategy, steering.preferred.within(history), proposals, share, rng)
    return proposals + _asked(strategy, history, proposals, n - len(proposals), rng)


def _wanted(history: History, steering: Steering) -> list[Proposal]:
    """What a person wants evaluated and has not been yet; what was narrowed away since is left out."""
    if not steering.queue:
        return []
    archs = Architectures.of([arch for _, arch in steering.queue], history.space)
    fresh = np.flatnonzero(history.fresh(archs))
    return [Proposal(steering.queue[k][1], {"strategy": "steering", "row": steering.queue[k][0]}) for k in fresh]


def _asked(
    strategy: Strategy, history: History, before: Sequence[Proposal], n: int, rng: np.random.Generator
) -> list[Proposal]:
    """At most `n` of the strategy, once those before are asked for."""
    if not n:
        return []
    if before:
        history = history.with_running(Architectures.of([p.arch for p in before], history.space))
    return strategy.ask(history, n, rng)[:n]


def new_rows(history: History, proposals: Sequence[Proposal], seen: int) -> tuple[list[Architecture], list[Row]]:
    """Waiting rows of the proposals that really are new; a strategy that repeats itself is told so.

    history: of all trials. seen: how many results it has.
    """
    if not proposals:
        return [], []
    archs = Architectures.of([p.arch for p in proposals], history.space)
    history.space.check(archs)
    budgets, fresh = np.array([p.budget for p in proposals]), np.zeros(len(archs), dtype=bool)
    for budget in np.unique(budgets).tolist():
        alike = np.flatnonzero(budgets == budget)
        fresh[alike] = history.fresh(archs[alike], budget)
    if not fresh.all():
        text = ", ".join(map(str, archs[np.flatnonzero(~fresh)[:3]]))
        warnings.warn(f"strategy proposed known or infeasible architectures, dropped: {text}", stacklevel=4)
    kept, keys = np.flatnonzero(fresh).tolist(), history.space.canonical(archs).tolist()
    numbered = enumerate(kept, start=len(history) + 1)
    rows = [asked(i, archs[k], keys[k], proposals[k].why, seen, proposals[k].budget) for i, k in numbered]
    return [archs[k] for k in kept], rows
