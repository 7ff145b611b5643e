"""``tierwise steer``: a person has a say in a search, also in one that is running."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tierwise.preview import Evidence, Preview
    from tierwise.space import Space
    from tierwise.study import Study

SYNTAX = {
    "narrow": "CHOICE OPTION..., or --rule TEXT",
    "pin": "CHOICE OPTION",
    "ban": "CHOICE OPTION, or --architecture TEXT, or --rule TEXT",
    "prefer": "CHOICE OPTION..., or --rule TEXT",
    "avoid": "CHOICE OPTION..., or --rule TEXT",
    "evaluate": "ARCHITECTURE",
    "review": "SECONDS that a proposal waits for a person, 0 for none",
    "batch": "how many trials wait at once, 1 to 1,000",
    "approve": "the number of a TRIAL",
    "veto": "the number of a TRIAL",
    "audit": "SHARE, 0 to 0.5",
    "pause": "nothing",
    "continue": "nothing",
    "stop": "nothing",
    "note": "TEXT",
    "retract": "the number of a row",
    "undo": "nothing",
    "redo": "nothing",
}
SAID = {
    "stop": "nothing more is asked for; what runs is finished",
    "pause": "nothing more is asked for until continue; what runs is finished",
    "continue": "the search goes on",
    "evaluate": "next, before anything that the strategy proposes",
    "batch": "so many trials wait at once from now on, whatever the run was started with",
    "approve": "it is started as soon as a worker is free",
    "veto": "it is not started, and its network not proposed again",
    "audit": "so many of the proposals are drawn from what is excluded, to see what that costs",
    "note": "kept",
}


def steer(
    study: Annotated[Path, typer.Argument(help="The study file; a running search obeys from its next proposal on.")],
    kind: Annotated[
        str | None,
        typer.Argument(help=f"{', '.join(SYNTAX)} \\[default: show what was said]", show_default=False),
    ] = None,
    what: Annotated[
        list[str] | None,
        typer.Argument(help="A choice and options of it, an architecture, or a number.", show_default=False),
    ] = None,
    architecture: Annotated[str | None, typer.Option(help="Ban this network, not an option.")] = None,
    rule: Annotated[
        str | None,
        typer.Option(help="Narrow to, ban, prefer or avoid what fulfils it: 'count(none) == 0 and params < 1e6'."),
    ] = None,
    share: Annotated[
        float | None, typer.Option(help="Of the proposals, with prefer and avoid \\[default: 0.75]")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why, for those who read it later.")] = None,
    row: Annotated[
        int | None, typer.Option(help="The row that a note is about; with --script the last that is said again.")
    ] = None,
    who: Annotated[str | None, typer.Option(help="Who says so \\[default: your login name]")] = None,
    script: Annotated[
        bool, typer.Option("--script", help="Print a Python script that makes this study again, steering included.")
    ] = False,
    preview: Annotated[bool, typer.Option("--preview", help="Say what it would do, and write nothing.")] = False,
) -> None:
    """Steer a search, or show how it was steered.

    narrow, pin and ban decide where it may look; prefer and avoid where most proposals are from; evaluate what is next;
    review lets proposals wait for approve and veto, batch says how many at once; audit checks what is excluded; pause
    holds it until continue, stop ends it; retract takes a row back, undo the last one, redo says it again.

    [bold]Examples[/bold]

      tierwise steer runs/nasbench201-cifar10-auto-0.db

      tierwise steer runs/nasbench201-cifar10-auto-0.db narrow cell/0-1 nor_conv_3x3 nor_conv_1x1 --preview

      tierwise steer runs/nasbench201-cifar10-auto-0.db ban cell/0-3 none --who anna

      tierwise steer runs/nasbench201-cifar10-auto-0.db ban --architecture 3-3-3-1-3-2

      tierwise steer runs/nasbench201-cifar10-auto-0.db prefer --rule "count(nor_conv_3x3) >= 2 and params < 1e6"

      tierwise steer runs/nasbench201-cifar10-auto-0.db evaluate 3-3-3-1-3-3

      tierwise steer runs/nasbench201-cifar10-auto-0.db review 600

      tierwise steer runs/nasbench201-cifar10-auto-0.db veto 41 --reason "too deep for the phone"

      tierwise steer runs/nasbench201-cifar10-auto-0.db undo
    """
    from tierwise.cli import console
    from tierwise.cli.reopen import reopen
    from tierwise.cli.steered import listed

    flags = {"architecture": architecture, "rule": rule, "share": share, "reason": reason, "row": row}
    given = {name: value for name, value in flags.items() if value is not None}
    with reopen(study, None) as (search, _):
        if script:
            lines = [search.script(row).rstrip()]
        elif kind is None:
            lines = listed(search, ", ".join(SYNTAX))
        elif preview:
            lines = _previewed(search, kind, _fields(search, kind, what or [], given))
        else:
            lines = _written(search, kind, what or [], given, _login() if who is None else who)
    for line in lines:
        console.plain(line)


def _fields(search: Study, kind: str, words: Sequence[str], given: dict[str, Any]) -> dict[str, Any]:
    """The fields of a row, from what was typed. Raises UnknownName, BadSetting."""
    from tierwise.errors import BadSetting, UnknownName
    from tierwise.steering import FIELDS

    if kind not in FIELDS:
        raise UnknownName("kind of steering", kind, SYNTAX)
    names = () if {"architecture", "rule"} & given.keys() else FIELDS[kind][0]
    many = names[-1:] == ("options",)
    if len(words) < len(names) if many else len(words) != len(names):
        raise BadSetting(f"steer {kind}", " ".join(words) or "nothing", SYNTAX[kind])
    fields: dict[str, Any] = dict(zip(names, words, strict=False))
    try:
        for name, number in (("row", int), ("trial", int), ("wait", float), ("size", int), ("share", float)):
            if name in fields:
                fields[name] = number(fields[name])
    except ValueError as error:
        raise BadSetting(f"steer {kind}", " ".join(words), SYNTAX[kind]) from error
    if many:
        fields["options"] = list(words[1:])
    fields |= given
    if "architecture" in fields:
        fields["architecture"] = _whole_text(fields["architecture"], search.space)
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


# ---- what a row does -----------------------------------------------------------------------------------


def _written(search: Study, kind: str, words: Sequence[str], given: dict[str, Any], who: str) -> list[str]:
    """Write a row; it and what it does, in words."""
    from tierwise.errors import BadSetting
    from tierwise.steering import typed

    if kind in ("undo", "redo"):
        if words or given:
            raise BadSetting(f"steer {kind}", " ".join([*words, *given]), SYNTAX[kind])
        before, seen = search.allowed(search.steering()), None
        number = search.undo(who) if kind == "undo" else search.redo(who)
    else:
        fields = _fields(search, kind, words, given)
        before, seen = search.allowed(search.steering()), _look(search, kind, fields)
        number = search.steer(kind, who=who, **fields)
    row = search.steers()[number - 1]
    lines = [f"{row.named}: {typed(row)}"]
    if row.kind == "retract":
        back = search.steers()[row.what["row"] - 1]
        lines.append(f"as if {back.named} had never been written: {typed(back)}")
    if seen is None:
        left = search.allowed(search.steering()).count
        return [*lines, f"{left:,} of {search.space.size:,} architectures remain, {before.count:,} before"]
    return [*lines, *_effect(search, row.kind, seen)]


def _look(search: Study, kind: str, fields: dict[str, Any]) -> Preview:
    """What a row would do; raises what it conflicts with."""
    seen = search.preview(kind, **fields)
    if seen.conflict is not None:
        raise seen.conflict
    return seen


def _previewed(search: Study, kind: str, fields: dict[str, Any]) -> list[str]:
    """What a row would do, in words."""
    seen = _look(search, kind, fields)
    return [f"{seen.text}, if it were written:", *_effect(search, kind, seen)]


def _effect(search: Study, kind: str, seen: Preview) -> list[str]:
    """What a row does, in words."""
    if kind in SAID:
        return [SAID[kind]]
    if kind == "review":
        return ["proposals wait so long for approve or veto, then they are started; 0 ends this"]
    if seen.preferred is not None:
        lines = [
            f"{seen.share:.0%} of the proposals come from {seen.preferred:,} of {search.space.size:,} architectures"
        ]
    else:
        lines = [f"{seen.left:,} of {search.space.size:,} architectures remain, {seen.before:,} before"]
    if seen.evaluated and kind != "retract":
        best = ", the best so far among them" if seen.best_lost else ""
        lines[-1] += f"; {seen.evaluated_lost:,} of {seen.evaluated:,} evaluated ones are now outside{best}"
    return [*lines, *([] if seen.evidence is None else [_evidence(seen.evidence)])]


def _evidence(evidence: Evidence) -> str:
    """What the results say."""
    if evidence.effect is None:
        return f"no evidence: {evidence.n:,} results have it, and there is nothing to compare them with"
    interval = f"95 %: {evidence.low:+.3g} to {evidence.high:+.3g}"
    thin = "; thin evidence" if evidence.thin else ""
    return (
        f"the {evidence.n:,} results that have it are {evidence.effect:+.3g} better than the others ({interval}){thin}"
    )
