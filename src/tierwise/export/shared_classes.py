"""Classes that differ in their channels alone become one class with channels as arguments, as one would write it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

_NUMBER = re.compile(r"(?<![\w.\"'-])\d+(?![\w.\"'-])")
_CHANNELS = re.compile(r"nn\.(?:Conv[123]d|BatchNorm[123]d|LayerNorm|InstanceNorm[123]d|Linear)\((\d+)(?:, (\d+))?")
_MADE = re.compile(r"(?<!\.)\b([A-Za-z_]\w*)\(\)")
_CALL = re.compile(r"\b([A-Za-z_]\w*)\(([\d, ]*)\)")


@dataclass(frozen=True)
class WrittenClass:
    """root: the name without a number of its own. made, forward: text of the two methods. arguments: of the first."""

    name: str
    root: str
    sequence: bool
    made: str
    forward: str
    arguments: tuple[str, ...] = ()

    def __str__(self) -> str:
        head = f"class {self.name}(nn.{'Sequential' if self.sequence else 'Module'}):"
        given = "".join(f", {name}: int" for name in self.arguments)
        return "\n".join(
            [head, f"    def __init__(self{given}):", self.made, *([self.forward] if self.forward else [])]
        )


def with_shared(classes: Sequence[WrittenClass]) -> list[WrittenClass]:
    """The classes, in an order in which each stands before what uses it; the last one stays as it is called."""
    calls: dict[str, str] = {}  # class -> how it is made now
    left, done = list(classes), dict[str, WrittenClass]()

    def called(found: re.Match[str]) -> str:
        return calls.get(found[1], found[0])

    while left:
        waiting = {each.name for each in left}
        level = [each for each in left if not waiting & set(_MADE.findall(each.made))]
        left = [each for each in left if each not in level]
        groups: dict[tuple[str, ...], list[WrittenClass]] = {}
        for each in level:
            made = _MADE.sub(called, each.made)
            key = each.root, str(each.sequence), _NUMBER.sub("#", made), each.forward
            groups.setdefault(key, []).append(replace(each, made=made))
        for group in groups.values():
            for each, made in _one_class(group, set(done)):
                calls |= made
                done[each.name] = each
    order = {each.name: k for k, each in enumerate(classes)}
    return sorted(done.values(), key=lambda each: (each.name == classes[-1].name, order[each.name]))


def _one_class(group: Sequence[WrittenClass], parametrised: set[str]) -> list[tuple[WrittenClass, dict[str, str]]]:
    """The class that stands for a group, and how each member is made; the members where they differ in other things."""
    first = group[0]
    numbers = [tuple(int(found[0]) for found in _NUMBER.finditer(each.made)) for each in group]
    places = list(zip(*numbers, strict=True))
    varied = dict.fromkeys(values for values in places if len(set(values)) > 1)
    if not varied or len(varied) > 2 or not _are_channels(first.made, parametrised, [v in varied for v in places]):
        return [(each, {}) for each in group]
    arguments = ("width",) if len(varied) == 1 else ("c_in", "c_out")
    names = dict(zip(varied, arguments, strict=True))
    texts = iter([names.get(values, str(values[0])) for values in places])
    whole = replace(first, made=_NUMBER.sub(lambda _: next(texts), first.made), arguments=arguments)
    made = {each.name: f"{first.name}({', '.join(str(v[k]) for v in varied)})" for k, each in enumerate(group)}
    return [(whole, made)]


def _are_channels(made: str, classes: set[str], varied: Sequence[bool]) -> bool:
    """Whether all numbers that vary are channels, of layers or of classes that have them as arguments."""
    spans = {found.span(k) for found in _CHANNELS.finditer(made) for k in (1, 2) if found[k]}
    for found in _CALL.finditer(made):
        if found[1] in classes:
            spans |= {(found.start(2) + n.start(), found.start(2) + n.end()) for n in re.finditer(r"\d+", found[2])}
    return all(not v or n.span() in spans for v, n in zip(varied, _NUMBER.finditer(made), strict=True))
