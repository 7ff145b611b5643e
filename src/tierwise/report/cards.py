"""The best architectures of a study as cards: the cell drawn, with what is known of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from tierwise import drawing, metrics
from tierwise.report.facts import Facts, costs_of, tiers_of
from tierwise.report.reasons import Reasons, why_scored
from tierwise.report.steering import wanted_by
from tierwise.report.template import Html, join, section, tag

CARDS = 6
COST_NAMES = {"params": "Parameters", "flops": "FLOPs"}


def best_cards(facts: Facts, found: Reasons) -> Html | str:
    """A section with a card for each of the best; nothing where there are none."""
    if not len(facts.done):
        return ""
    cards = [_card(facts, found, place, int(position)) for place, position in enumerate(facts.best[:CARDS], start=1)]
    return section(f"The best {len(cards)} found", tag("div", join(cards), "pair"))


def _card(facts: Facts, found: Reasons, place: int, position: int) -> Html:
    one, trial = facts.archs[np.array([position])], facts.trials[position]
    graph, notation = facts.study.space.graph(trial.arch), facts.study.space.format(one)[0]
    picture = drawing.svg(graph.nodes, graph.edges, title=notation).replace(' xmlns="http://www.w3.org/2000/svg"', "")
    known = [("Trial", f"{trial.id:,}")]
    if facts.truth is not None:
        known.append(("True rank", rank_text(facts, facts.truth.labels, position).removeprefix("number ")))
    if facts.truth is not None and facts.truth.test is not None:
        row = int(facts.truth.rows(one)[0])
        known.append(("Test accuracy", facts.number(float(facts.truth.test[row]))))
        known.append(("Rank by test", rank_text(facts, facts.truth.test, position).removeprefix("number ")))
    costs = costs_of(facts.truth.table if facts.truth else None, one)
    known += [(COST_NAMES[name], cost_text(name, float(column[0]))) for name, column in costs.items()]
    head = [
        tag("span", f"{place}.", "place"),
        tag("span", facts.number(float(facts.y[position])), "value"),
        facts.objective,
    ]
    if facts.ranked is not None:
        score = np.asarray(facts.ranked.predictor.predict(one), dtype=np.float64)
        tier = tiers_of(facts.ranked.predictor, one, score, facts.ranked.edges)[0]
        head.append(tag("span", f"tier {tier + 1}", "tag"))
    pairs = join(tag("div", join([tag("dt", name), tag("dd", value)])) for name, value in known)
    return tag(
        "article",
        join(
            [
                tag("header", join(head)),
                tag("div", Html(picture), "drawing"),
                tag("dl", pairs),
                tag("code", notation),
                why_scored(found, place - 1),
                tag("p", why(facts, position), "why"),
            ]
        ),
        "card",
    )


def why(facts: Facts, position: int) -> str:
    reason = facts.trials[position].why
    if not reason:
        return "Why proposed: no reason given"
    if reason.get("strategy") == "steering":
        return f"Why proposed: {wanted_by(facts, reason)}"
    if reason.get("strategy") == "audit":
        rows = ", ".join(map(str, reason.get("rows", [])))
        return f"Why proposed: drawn at random, to check what steering row {rows} excludes"
    if reason.get("strategy") == "known":
        return f"Why proposed: not at all, its result was known before, from {reason.get('from')}"
    words = [f"{name.replace('_', ' ')} {_plain(value)}" for name, value in reason.items()]
    return "Why proposed: " + ", ".join(words)


def _plain(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def rank_text(facts: Facts, column: Any, position: int) -> str:
    assert facts.truth is not None
    row = int(facts.truth.rows(facts.archs[np.array([position])])[0])
    return f"number {metrics.ranks(column)[row]:,} of {int(np.isfinite(column).sum()):,}"


def cost_text(name: str, value: float) -> str:
    """A cost to read: parameters and FLOPs in millions, anything else in its own unit."""
    if name not in COST_NAMES:
        return f"{value:,.4g}"
    return f"{value / 1e6:.3f} M" if value < 1e7 else f"{value / 1e6:,.1f} M"
