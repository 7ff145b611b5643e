"""From what a strategy proposes, and what people want, to new trials."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from tierwise.architecture import Architecture, Architectures
from tierwise.history import History, Proposal, Strategy
from tierwise.row import Row, asked
from tierwise.space import Space
from tierwise.steering import Steering


def steered_proposals(
    strategy: Strategy, whole: History, steering: Steering, n: int, rng: np.random.Generator
) -> list[Proposal]:
    """At most `n` new ones: what a person wants evaluated, a share of what people exclude, then the strategy's, a share
    of them from inside of a preference.

    whole: the history of the whole space, see ``Steering.left.within``.
    """
    history = steering.left.within(whole)
    wanted = _wanted(history, steering)[:n]
    audited = _audited(_after(whole, wanted), steering, n - len(wanted), rng)
    proposals = list(wanted)
    if steering.preferred is not None and n > len(wanted) + len(audited):
        share = int(rng.binomial(n - len(wanted) - len(audited), steering.share))
        proposals += _asked(strategy, _after(steering.preferred.within(whole), [*wanted, *audited]), share, rng)
    history = _after(history, audited)
    proposals += _asked(strategy, _after(history, proposals), n - len(audited) - len(proposals), rng)
    new = _fresh(history, proposals)
    return [*new[: len(wanted)], *audited, *new[len(wanted) :]]


def _after(history: History, proposals: Sequence[Proposal]) -> History:
    """A history as it will be once these are asked for."""
    return history.with_running(Architectures.of([p.arch for p in proposals], history.space)) if proposals else history


def _wanted(history: History, steering: Steering) -> list[Proposal]:
    """What a person wants evaluated and has not been yet; what was narrowed away since is left out."""
    if not steering.queue:
        return []
    archs = Architectures.of([arch for _, arch in steering.queue], history.space)
    fresh = np.flatnonzero(history.fresh(archs))
    return [Proposal(steering.queue[k][1], {"strategy": "steering", "row": steering.queue[k][0]}) for k in fresh]


def _audited(whole: History, steering: Steering, n: int, rng: np.random.Generator) -> list[Proposal]:
    """Of `n` proposals those drawn at random from what narrow, pin and ban exclude, with the rows that do so.

    Networks that were banned one by one count as known and are left alone.
    """
    count = int(rng.binomial(n, steering.audit)) if n and steering.audit and steering.parts else 0
    if not count:
        return []
    archs = steering.outside(whole).sample(count, rng)
    excluding = steering.excluding(archs)
    rows = [[row for row, excluded in excluding.items() if excluded[k]] for k in range(len(archs))]
    return [Proposal(arch, {"strategy": "audit", "rows": by}) for arch, by in zip(archs, rows, strict=True)]


def _asked(strategy: Strategy, history: History, n: int, rng: np.random.Generator) -> list[Proposal]:
    """At most `n` of the strategy."""
    return strategy.ask(history, n, rng)[:n] if n else []


def _fresh(history: History, proposals: Sequence[Proposal]) -> list[Proposal]:
    """Those that really are new; a strategy that repeats itself is told so. Raises BadArchitecture."""
    if not proposals:
        return []
    archs = Architectures.of([p.arch for p in proposals], history.space)
    history.space.check(archs)
    budgets, fresh = np.array([p.budget for p in proposals]), np.zeros(len(archs), dtype=bool)
    for budget in np.unique(budgets).tolist():
        alike = np.flatnonzero(budgets == budget)
        fresh[alike] = history.fresh(archs[alike], budget)
    if not fresh.all():
        text = ", ".join(map(str, archs[np.flatnonzero(~fresh)[:3]]))
        warnings.warn(f"strategy proposed known or infeasible architectures, dropped: {text}", stacklevel=5)
    return [proposals[k] for k in np.flatnonzero(fresh).tolist()]


def new_rows(
    space: Space, proposals: Sequence[Proposal], first: int, known: tuple[int, int]
) -> tuple[list[Architecture], list[Row]]:
    """Waiting rows of proposals, from number `first` on. known: how many results and steering rows there are."""
    if not proposals:
        return [], []
    archs = Architectures.of([p.arch for p in proposals], space)
    keys = space.canonical(archs).tolist()
    rows = [asked(first + k, p.arch, keys[k], p.why, known, p.budget) for k, p in enumerate(proposals)]
    return list(archs), rows
