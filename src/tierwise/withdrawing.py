"""Proposals that a person does not want any more, before they are started."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from tierwise.columns import Columns
from tierwise.row import Row
from tierwise.steer_row import Steer, typed
from tierwise.steering import Steering


def withdrawn(columns: Columns, steering: Steering, rows: list[Steer]) -> list[Row]:
    """The rows of what was vetoed, or what narrow, pin and ban have made impossible since it was proposed, as they
    become. What was started is finished; an audit goes where people have excluded something.

    rows: all steering rows.
    """
    proposed = [position for position in columns.waiting() if columns.rows[position].started is None]
    if not proposed:
        return []
    excluding = steering.excluding(columns.archs[np.array(proposed)])
    found: list[Row] = []
    for k, position in enumerate(proposed):
        row = columns.rows[position]
        because = [number for number, excluded in excluding.items() if excluded[k]]
        if row.why.get("strategy") == "audit":
            because = [number for number in because if "architecture" in rows[number - 1].what]
        if position + 1 in steering.vetoed:
            because = [steering.vetoed[position + 1].id]
        if because:
            said = rows[because[0] - 1]
            text = f"withdrawn by steering {said.named}: {typed(said)}"
            found.append(replace(row, state="withdrawn", error=text, ended=time.time()))
    return found
