"""The front of a study with several goals: what nothing else beats, as plots and as a table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tierwise import plots
from tierwise.pareto import goals_of, knee
from tierwise.report.cards import COST_NAMES, cost_text
from tierwise.report.facts import Column, Facts
from tierwise.report.template import Html, figure, join, section, table, tag


def the_front(facts: Facts) -> Html | str:
    """A section with a plot for each cost and the front as a table; nothing for a study of one goal."""
    study = facts.study
    positions = np.array([trial.id - 1 for trial in study.front()], dtype=np.int64)
    if not study.against or not len(positions):
        return ""
    archs = facts.archs[positions]
    middle = _knee(facts, positions)
    costs = {name: study.cost(name, facts.archs[facts.done]) for name in study.against}
    of_front = {name: study.cost(name, archs).tolist() for name in study.against}
    drawn = [_plot(facts, name, column, positions, int(positions[middle])) for name, column in costs.items()]
    rows = [
        (
            tag("code", text),
            "knee" if k == middle else "",
            f"{position + 1:,}",
            facts.number(float(facts.y[position])),
            *(cost_text(name, column[k]) for name, column in of_front.items()),
        )
        for k, (position, text) in enumerate(zip(positions.tolist(), study.space.format(archs), strict=True))
    ]
    head = ["Architecture", "", "Trial", facts.objective, *(COST_NAMES.get(name, name) for name in study.against)]
    note = (
        f"The front: {len(positions):,} of {len(facts.done):,} finished trials, of which no other one is better in one "
        "goal and as good in all others. Knee: beyond it more of one goal costs much of the others; looked for among "
        "those of the front that are at least as good as the median trial, each goal scaled to its range there."
    )
    if len(study.against) > 1:
        note += " A dot of the front below the steps is better in another cost."
    shown = tag("div", table(head, rows, "numbers"), "sheet")
    return section(f"{_title(facts)}: the front", tag("div", join(drawn), "pair"), tag("p", note, "note"), shown)


def _knee(facts: Facts, front: NDArray[np.int64]) -> int:
    """The place in the front of its knee; what is cheap because it does not work is left out."""
    y = facts.y[front]
    upper = np.flatnonzero(y >= min(float(np.median(facts.y[facts.done])), float(y.max())))
    return int(upper[knee(goals_of(facts.study.history(), facts.archs[front[upper]], y[upper]))])


def _title(facts: Facts) -> str:
    against = [COST_NAMES.get(name, name) for name in facts.study.against]
    return f"{facts.objective[:1].upper()}{facts.objective[1:]} against {' and '.join(against)}"


def _plot(facts: Facts, name: str, cost: Column, front: NDArray[np.int64], middle: int) -> Html:
    millions, known = name in COST_NAMES, np.isfinite(cost)
    done = facts.done[known]
    ax = plots.trade_off(
        cost[known] / 1e6 if millions else cost[known],
        facts.y[done],
        np.isin(done, front),
        int(np.flatnonzero(done == middle)[0]),
        cost_label=f"{COST_NAMES[name]} (million)" if millions else name,
        value_label=f"{facts.objective} (%)" if facts.percent else facts.objective,
    )
    return figure(ax, f"{facts.objective} against {COST_NAMES.get(name, name)}, with the front")
