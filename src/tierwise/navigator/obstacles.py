"""Why an architecture can not be proposed now."""

from __future__ import annotations

from tierwise.architecture import Architectures
from tierwise.steer_row import Steer
from tierwise.steering import Steering
from tierwise.study import Study

WORDS = {"narrow": "narrowed away", "pin": "narrowed away", "ban": "banned"}


def obstacles(study: Study, one: Architectures, taken: str, steering: Steering, steers: list[Steer]) -> list[str]:
    """In words, such as "evaluated: trial 7", "banned by row 3", "limit params"; empty where nothing is in the way.

    taken: by which trial, "" by none.
    """
    found = [taken] if taken else []
    if not study.space.contains(one)[0]:
        found.append("outside the space of this study")
    for number, excluded in steering.excluding(one).items():
        if excluded[0]:
            found.append(f"{WORDS.get(steers[number - 1].kind, 'excluded')} by row {number}")
    key = study.space.canonical(one)[0]
    for trial, row in steering.vetoed.items():
        if trial <= len(study.rows) and study.rows[trial - 1].canon == int(key):
            found.append(f"vetoed by row {row.id}")
    for name, (least, most) in study.limits.items():
        if not least <= float(study.cost(name, one)[0]) <= most:
            found.append(f"limit {name}")
    return found
