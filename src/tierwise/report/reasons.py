"""Why the predictor of a report sees an architecture in its tier: strongest reasons, over the space and one by one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tierwise.architecture import Architectures
from tierwise.errors import TierwiseError
from tierwise.explanation import Explanation, explain
from tierwise.report.facts import Facts
from tierwise.report.template import Html, join, section, table, tag

SHOWN = 12  # columns over the space
OF_ONE = 4  # reasons on a card
SAMPLE = 1_000  # architectures that stand for the space


@dataclass(frozen=True)
class Reasons:
    """Explanations of a sample of the space, and of the best evaluated, in the order of ``Facts.best``.

    Without explanations, `missing` says why.
    """

    space: Explanation | None = None
    best: Explanation | None = None
    missing: str = ""


def reasons(facts: Facts, best: int) -> Reasons:
    """What the predictor of the facts goes by, over the space and for the `best` first ones."""
    if facts.ranked is None or not len(facts.best):
        return Reasons()
    every, one = facts.ranked.archs, facts.archs[facts.best[:best]]
    rows = np.random.default_rng(facts.study.seed).permutation(len(every))[:SAMPLE]
    both = np.concatenate([one.genes, every.genes[rows]])
    try:
        found = explain(facts.ranked.predictor, Architectures(every.space, both), seed=facts.study.seed)
    except TierwiseError as error:
        return Reasons(missing=str(error))
    return Reasons(found.part(slice(len(one), None)), found.part(slice(0, len(one))))


def what_makes_a_tier(facts: Facts, found: Reasons) -> Html | str:
    """A section with the strongest columns over the space; nothing where nothing was ranked."""
    if facts.ranked is None:
        return ""
    if found.space is None:
        return section("What makes a tier", tag("p", f"Not explained: {found.missing}", "note"))
    strongest = found.space.overall(SHOWN)
    most = strongest[0].strength if strongest else 1.0
    rows = [(one.name, _way(one.direction), _bar(one.strength / most), f"{one.strength:.3f}") for one in strongest]
    head = ["What the predictor goes by", "More of it", "", "Strength"]
    note = (
        f"Strength: how much a column moves the score of {facts.ranked.name} on average (mean size of its Shapley "
        f"value over {len(found.space.archs):,} architectures), in {found.space.unit}. Columns that say nearly the "
        "same share their strength; this is what the predictor has learnt from the labels, not what causes accuracy."
    )
    if found.space.tau < 1:
        note += (
            " Explained are boosted trees that learnt its scores: on architectures they had not seen "
            f"R² {found.space.r2:.3f}, Kendall’s τ {found.space.tau:.3f} with them."
        )
    shown = tag("div", table(head, rows, "reasons"), "sheet")
    return section("What makes a tier", shown, tag("p", note, "note"))


def why_scored(found: Reasons, place: int) -> Html | str:
    """The strongest reasons for the score of one of the best, `place` from 0."""
    if found.best is None or place >= len(found.best.archs):
        return ""
    words = [f"{name}: {_content(content)} ({value:+.2f})" for name, content, value in found.best.top(OF_ONE, place)]
    score = f"Why ranked at {found.best.score[place]:+.2f} (a normal score; the mean is {found.best.base:+.2f}): "
    return tag("p", score + ("; ".join(words) or "no column tells"), "why")


def _bar(share: float) -> Html:
    return join([Html(f'<span class="bar" style="width:{100 * share:.1f}%"></span>')])


def _way(direction: float) -> str:
    return "raises the score" if direction > 0 else "lowers the score" if direction < 0 else "either way"


def _content(value: float) -> str:
    return f"{value / 1e6:,.2f} M" if abs(value) >= 1e5 else f"{value:.4g}"
