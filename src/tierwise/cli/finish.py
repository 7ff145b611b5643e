"""What ``tierwise run`` says at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.markup import escape

from tierwise.cli import console
from tierwise.provenance import counted

if TYPE_CHECKING:
    from tierwise.study import Study

WORDS = {
    "trials": "{:,} evaluations are done",
    "seconds": "{:.0f} training seconds are spent",
    "target": "{:.4g} is reached",
    "no progress": "the last {:,} full evaluations were no better than the best before",
    "expected gain": "{:.3g} is the most that the strategy expects of its next proposals, less than --gain",
    "exhausted": "{}",
    "interrupted": "interrupted",
}


def finish(study: Study, data: Any, reasons: dict[str, Any], again: str) -> None:
    """Why the search stopped, what it found and what it cost."""
    said = [WORDS[name].format(value) for name, value in reasons.items() if name != "stopped"]
    if said:
        console.say("stopped: " + "; ".join(said))
    if "stopped" in reasons:
        row = study.steering().stop
        undo = f"; [bold]tierwise steer {study.path} retract {row.id}[/bold] to go on" if row else ""
        console.say(f"stopped {escape(reasons['stopped'])}{undo}")
    if "exhausted" in reasons and (left := study.steering().space.size) < study.space.size:
        console.say(f"steering has left {left:,} of {study.space.size:,}: [bold]tierwise steer {study.path}[/bold]")
    if "interrupted" in reasons:
        console.say(f"go on with the same line: [bold]{escape(again)}[/bold]")
    prior = None if study.prior is None else (len(study.prior), study.prior.source)
    if study.best():
        console.best(study, data, 5)
        console.say(
            f"{escape(counted(study.trials(), prior))}; {console.duration(study.seconds)} of training; "
            f"study: [bold]{study.path}[/bold]"
        )
    elif study.finished:
        first = next(t for t in study.trials() if t.state == "failed")
        console.say(f"every evaluation failed; the first said: {escape((first.error or '').splitlines()[-1])}")
