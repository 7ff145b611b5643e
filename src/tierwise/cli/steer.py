"""``tierwise steer``: a person has a say in a search, also in one that is running."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tierwise.architecture import Architectures
    from tierwise.space import Space
    from tierwise.steering import Part, Steer, Steering
    from tierwise.study import Study

BEST = 10  # of these the preview says how many would be outside
SYNTAX = {
    "narrow": "CHOICE OPTION..., or --rule TEXT",
    "pin": "CHOICE OPTION",
    "ban": "CHOICE OPTION, or --architecture TEXT, or --rule TEXT",
    "prefer": "CHOICE OPTION..., or --rule TEXT",
    "avoid": "CHOICE OPTION..., or --rule TEXT",
    "evaluate": "ARCHITECTURE",
    "pause": "nothing",
    "continue": "nothing",
    "stop": "nothing",
    "retract": "the number of a row",
}


def steer(
    study: Annotated[Path, typer.Argument(help="The study file; a running search obeys from its next proposal on.")],
    kind: Annotated[
        str | None,
        typer.Argument(help=f"{', '.join(SYNTAX)} \\[default: show what was said]", show_default=False),
    ] = None,
    what: Annotated[
        list[str] | None,
        typer.Argument(help="A choice and options of it, an architecture, or the number of a row.", show_default=False),
    ] = None,
    architecture: Annotated[str | None, typer.Option(help="Ban this network, not an option.")] = None,
    rule: Annotated[
        str | None,
        typer.Option(help="Narrow to, ban, prefer or avoid what fulfils it: 'count(none) == 0 and params < 1e6'."),
    ] = None,
    who: Annotated[str | None, typer.Option(help="Who says so \\[default: your login name]")] = None,
) -> None:
    """Steer a search, or show how it was steered.

    narrow, pin and ban decide where it may look; prefer and avoid where three of four proposals are from; evaluate what
    is next; pause holds it until continue, stop ends it; retract takes a row back.

    [bold]Examples[/bold]

      tierwise steer runs/nasbench201-cifar10-auto-0.db

      tierwise steer runs/nasbench201-cifar10-auto-0.db narrow cell/0-1 nor_conv_3x3 nor_conv_1x1

      tierwise steer runs/nasbench201-cifar10-auto-0.db ban cell/0-3 none --who anna

      tierwise steer runs/nasbench201-cifar10-auto-0.db ban --architecture 3-3-3-1-3-2

      tierwise steer runs/nasbench201-cifar10-auto-0.db prefer --rule "count(nor_conv_3x3) >= 2 and params < 1e6"

      tierwise steer runs/nasbench201-cifar10-auto-0.db evaluate 3-3-3-1-3-3

      tierwise steer runs/nasbench201-cifar10-auto-0.db retract 2
    """
    from tierwise.cli import console
    from tierwise.cli.reopen import reopen

    words = what or []
    with reopen(study, None) as (search, _):
        if kind is None:
            lines = _listed(search)
        else:
            before, fields = search.steering(), _fields(search, kind, words, architecture, rule)
            number = search.steer(kind, who=_login() if who is None else who, **fields)
            row = search.steers()[number - 1]
            lines = [f"row {number}{_of(row)}: {_typed(row)}", *_effect(search, before, row)]
    for line in lines:
        console.plain(line)


def _fields(
    search: Study, kind: str, words: Sequence[str], architecture: str | None, rule: str | None
) -> dict[str, Any]:
    """The fields of a row, from what was typed. Raises UnknownName, BadSetting."""
    from tierwise.errors import BadSetting, UnknownName
    from tierwise.steering import FIELDS

    if kind not in FIELDS:
        raise UnknownName("kind of steering", kind, FIELDS)
    names = FIELDS[kind][0] if architecture is None and rule is None else ()
    many = names[-1:] == ("options",)
    numbered = kind != "retract" or all(word.isdecimal() for word in words)
    if not numbered or (len(words) < len(names) if many else len(words) != len(names)):
        raise BadSetting(f"steer {kind}", " ".join(words) or "nothing", SYNTAX[kind])
    fields: dict[str, Any] = dict(zip(names, words, strict=False))
    if many:
        fields["options"] = list(words[1:])
    if kind == "retract" and architecture is None:
        fields["row"] = int(words[0])
    fields["rule"] = rule
    text = fields.get("architecture", architecture)
    if text is not None:
        fields["architecture"] = _whole_text(text, search.space)
    return fields


def _whole_text(text: str, space: Space) -> str:
    """Genes alone, as tables show them, with the name of the space."""
    genes_alone = text.count("-") == len(space.choices) - 1 and text.replace("-", "").replace("_", "").isdecimal()
    return f"{space.name}/{text}" if genes_alone else text


def _login() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # in a container whoever runs this may have no name
        return "somebody"


def _of(row: Steer) -> str:
    return f" of {row.who}" if row.who else ""


def _typed(row: Steer) -> str:
    """A row as it would be typed."""
    for name in ("architecture", "rule"):
        if name in row.what and row.kind != "evaluate":
            return f"{row.kind} --{name} {shlex.quote(row.what[name])}"
    values = (value if isinstance(value, list) else [str(value)] for value in row.what.values())
    return " ".join([row.kind, *(word for words in values for word in words)])


# ---- what a row does -----------------------------------------------------------------------------------


def _effect(search: Study, before: Steering, row: Steer) -> list[str]:
    """What a new row changes, in words."""
    after, size = search.steering(), search.space.size
    if row.kind == "stop":
        return ["nothing more is asked for; what runs is finished"]
    if row.kind in ("pause", "continue"):
        held = "nothing more is asked for until continue; what runs is finished"
        return [held if row.kind == "pause" else "the search goes on"]
    if row.kind == "evaluate":
        return ["next, before anything that the strategy proposes"]
    if row.kind in ("prefer", "avoid") and after.preferred is not None:
        part = f"three of four proposals come from {after.preferred.count():,} of {size:,} architectures"
        return [part + _best_outside(search, after.preferred, after)]
    lines: list[str] = []
    if row.kind == "retract":
        back = search.steers()[row.what["row"] - 1]
        lines.append(f"as if row {back.id}{_of(back)} had never been written: {_typed(back)}")
    left = f"{_left(after):,} of {size:,} architectures remain, {_left(before):,} before"
    return [*lines, left + _best_outside(search, after.left, after)]


def _left(steering: Steering) -> int:
    """How many architectures may still be proposed; in a space too large to sweep banned networks count as well."""
    import numpy as np

    from tierwise.history import LARGEST_SWEEP

    space = steering.space
    if not steering.banned or space.size > LARGEST_SWEEP:
        return steering.left.count()
    every = space.enumerate()
    return int((steering.left.contains(every) & ~np.isin(space.canonical(every), _keys(steering))).sum())


def _keys(steering: Steering) -> Any:
    import numpy as np

    return np.array(sorted(steering.banned), dtype=np.uint64)


def _best_outside(search: Study, part: Part, steering: Steering) -> str:
    """Of the best so far, how many are outside of a part of the space or banned."""
    import numpy as np

    best: Architectures = search.history().best(BEST).archs
    if not len(best):
        return ""
    outside = ~part.contains(best) | np.isin(part.space.canonical(best), _keys(steering))
    return f"; {int(outside.sum())} of the best {len(best)} so far are outside"


# ---- what was said so far ------------------------------------------------------------------------------


def _listed(search: Study) -> list[str]:
    """Every row, and what they leave of the space."""
    import time

    from tierwise.steering import retracted

    rows, steering = search.steers(), search.steering()
    if not rows:
        kinds = ", ".join(SYNTAX)
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
        lines.append(f"{row.id:>3}  {when}  {row.who:{width}}  after {row.after:,} results  {_typed(row)}{state}")
    lines.append(f"{_left(steering):,} of {search.space.size:,} architectures remain")
    if steering.preferred is not None:
        lines[-1] += f"; three of four proposals come from {steering.preferred.count():,} of them"
    if steering.pause is not None:
        lines.append(f"the search is held by row {steering.pause.id}")
    if steering.stop is not None:
        lines.append(f"the search is stopped by row {steering.stop.id}")
    return lines
