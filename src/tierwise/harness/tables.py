"""What the sections of all kinds of claims share: cells and tables in Markdown, and words for what a claim is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tierwise.harness.protocol import Claim
from tierwise.harness.run import value
from tierwise.harness.shards import Shard

NONE = "–"


def mean_sd(values: Iterable[float], digits: int = 3) -> str:
    """ "0.812 ± 0.004"; a single value without spread; a dash for none."""
    row = np.array(list(values), dtype=float)
    if not len(row):
        return NONE
    spread = f" ± {row.std(ddof=1):.{digits}f}" if len(row) > 1 else ""
    return f"{row.mean():.{digits}f}{spread}"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in (head, ["---"] * len(head), *rows))


def label_of(claim: Claim, method: str) -> str:
    """What a method is called, and how many seeds it has if these are not the claim's."""
    about, seeds = claim.methods[method].about, claim.seeds_of(method)
    return about if seeds == claim.seeds else f"{about} ({seeds} seed{'s' if seeds > 1 else ''})"


def judged(claim: Claim) -> str:
    """The accuracy that a method is judged by, in words."""
    return "test" if claim.data.truth == "test" else "validation"


def ceiling(claim: Claim, facts: dict[str, Any]) -> str:
    """The noise ceilings of one data set, in words."""
    parts: list[str] = []
    if claim.data.truth != claim.data.label:
        parts.append(f"{facts['ceiling']:.3f} validation against {judged(claim)}")
    if facts["ceiling_seeds"] is not None:
        parts.append(f"{facts['ceiling_seeds']:.3f} one training seed against another")
    return f"noise ceiling: {', '.join(parts)}" if parts else "no second measurement, so no noise ceiling is known"


def taken(lines: list[Shard], method: str, at: int, figure: str, **where: Any) -> list[float]:
    """A figure of every run of a method that has it."""
    mine = [x for x in lines if x["shard"]["method"] == method and all(x["shard"][k] == v for k, v in where.items())]
    return [v for v in (value(line, at, figure) for line in mine) if v is not None]


def present(claim: Claim, lines: list[Shard]) -> list[str]:
    """Methods with any line, in the order of the claim."""
    have = {line["shard"]["method"] for line in lines}
    return [name for name in claim.methods if name in have]


def noted(claim: Claim, title: str, text: str) -> str:
    """The line above a table: what it is about, and what to know of the data."""
    return f"**{title}** ({'; '.join(part for part in (text, claim.data.note) if part)})"
