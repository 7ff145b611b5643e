"""What people have said about a search, in words, on its time line."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from tierwise.report.facts import Facts
from tierwise.report.template import Html, join, section, tag
from tierwise.steer_row import Steer, retracted, words
from tierwise.steering import PREFERENCE

_RULES = {
    "narrow": "look only where {rule}",
    "ban": "nothing where {rule}",
    "prefer": "{share} of the proposals where {rule}",
    "avoid": "{share} of the proposals where not {rule}",
}
_WORDS = {
    "narrow": "look only where {choice} is {options}",
    "pin": "{choice} is {option} from now on",
    "ban": "no {option} as {choice}",
    "prefer": "{share} of the proposals with {options} as {choice}",
    "avoid": "{share} of the proposals without {options} as {choice}",
    "evaluate": "evaluate {architecture} next",
    "review": "proposals wait {wait} seconds for a person",
    "batch": "{size} trials wait at once",
    "approve": "start trial {trial} now",
    "veto": "never start trial {trial}",
    "audit": "{share} of the proposals from what is excluded",
    "note": "note: {text}",
    "pause": "hold",
    "continue": "go on",
    "stop": "stop",
    "retract": "row {row} is taken back",
}


def steering(facts: Facts) -> Html | str:
    """A section with every steering row, when, by whom and after how many evaluations; nothing where there is none."""
    rows = facts.study.steers()
    if not rows:
        return ""
    taken_back = retracted(rows)
    lines = [_line(row, taken_back.get(row.id)) for row in rows]
    left = facts.study.steering().left.count()
    note = f"Left at the end: {left:,} of {facts.study.space.size:,} architectures, networks banned one by one aside."
    return section("How it was steered", tag("div", tag("ol", join(lines)), "sheet"), tag("p", note, "note"))


def wanted_by(facts: Facts, why: Mapping[str, Any]) -> str:
    """Who asked for a trial that a person asked for."""
    row = next((row for row in facts.study.steers() if row.id == why.get("row")), None)
    return f"{row.who or 'somebody' if row else 'somebody'} asked for it, steering row {why.get('row')}"


def _line(row: Steer, taken_back: int | None) -> Html:
    values = {name: " or ".join(words(value)) for name, value in row.what.items()}
    if row.kind in ("prefer", "avoid", "audit"):
        values["share"] = f"{row.what.get('share', PREFERENCE):.0%}"
    never = "never " + values["architecture"] if row.kind == "ban" and "architecture" in values else None
    what = never or (_RULES if "rule" in values else _WORDS)[row.kind].format(**values)
    what += f" ({values['reason']})" if "reason" in values else ""
    when, who = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.time)), row.who or "somebody"
    back = f" (taken back by row {taken_back})" if taken_back else ""
    return tag("li", join([tag("b", f"After {row.after:,} evaluations"), f"{when}, {who}: {what}{back}"]))
