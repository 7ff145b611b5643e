"""How a search was steered so far, in lines."""

from __future__ import annotations

import time

from tierwise.steering import retracted, typed
from tierwise.study import Study


def listed(search: Study, kinds: str) -> list[str]:
    """Every row, and what they leave of the space."""
    rows, steering = search.steers(), search.steering()
    if not rows:
        return [f"nobody has steered this search; all {search.space.size:,} architectures may be proposed ({kinds})"]
    taken_back = retracted(rows)
    evaluated = {t.why.get("row"): t for t in search.trials() if t.why.get("strategy") == "steering"}
    width = max(len(row.who) for row in rows)
    lines: list[str] = []
    for row in rows:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.time))
        state = f"  (retracted by {taken_back[row.id]})" if row.id in taken_back else "  (in force)"
        if row.id in evaluated:
            state = f"  (trial {evaluated[row.id].id}, {evaluated[row.id].state})"
        state = "" if row.kind == "retract" else state
        lines.append(f"{row.id:>3}  {when}  {row.who:{width}}  after {row.after:,} results  {typed(row)}{state}")
    lines.append(f"{search.allowed(steering).count:,} of {search.space.size:,} architectures remain")
    if steering.preferred is not None:
        lines[-1] += f"; {steering.share:.0%} of the proposals come from {steering.preferred.count():,} of them"
    if steering.review is not None:
        lines.append(f"proposals wait {steering.review.what['wait']:,} s for a person, by {steering.review.named}")
    if steering.pause is not None:
        lines.append(f"the search is held by {steering.pause.named}")
    if steering.stop is not None:
        lines.append(f"the search is stopped by {steering.stop.named}")
    return lines
