"""Where the labels of a study come from, in words: its own evaluations, results known before, another task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Protocol


class Told(Protocol):
    """A trial or a row of a study."""

    @property
    def why(self) -> Mapping[str, Any]: ...
    @property
    def state(self) -> str: ...
    @property
    def budget(self) -> int: ...


def known_before(trials: Iterable[Told]) -> dict[str, int]:
    """How many results came with ``Study.include`` instead of an evaluation, by their source."""
    return Counter(str(t.why.get("from")) for t in trials if t.state == "done" and t.why.get("strategy") == "known")


def counted(trials: Iterable[Told], prior: tuple[int, str] | None) -> str:
    """Such as "150 evaluations, of which 20 were known (runs/a.db); 200 prior labels of runs/b.db".

    prior: how many labels of another task, and where they are from.
    """
    trials = list(trials)
    told = [trial for trial in trials if trial.state not in ("waiting", "withdrawn")]
    full = [trial for trial in told if not trial.budget]
    text = f"{len(full):,} evaluations"
    if sources := known_before(full):
        text += f", of which {sum(sources.values()):,} were known ({', '.join(sources)})"
    if cheap := len(told) - len(full):
        text += f", and {cheap:,} cheap ones"
    if failed := sum(trial.state == "failed" for trial in told):
        text += f"; {failed:,} failed"
    if withdrawn := sum(trial.state == "withdrawn" for trial in trials):
        text += f"; {withdrawn:,} proposals withdrawn"
    return text if prior is None else f"{text}; {prior[0]:,} prior labels of {prior[1]}"
