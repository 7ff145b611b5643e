"""The TOML file of a part of a space: options that are left of its choices, and members where they are listed.

kind = "part"
base = "nasbench201"                    # or the path of the TOML file that declares the space
choices = "a60437df"                    # checksum of its choices, by which genes are read
members = '''                           # genes, one architecture a line; only where members are listed
3-0-2-1-3-3
'''

[allowed]                               # only of choices that are narrowed
"cell/0-1" = ["none", "skip_connect"]
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np

from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadArchitecture, BadSetting
from tierwise.space import Space
from tierwise.spaces.declaration import Part
from tierwise.spaces.subset import Subset, plain


def opened(declared: Part, base: Space) -> Space:
    """The part of `base`. Raises BadSetting and UnknownName with the field."""
    for path, kept in declared.allowed.items():
        base = base.narrow(path, kept)
    if declared.members is None:
        return base
    if declared.choices not in (None, _checksum(base)):
        allowed = f"{_checksum(base)}: the choices of {base.name} are others than when the file was written"
        raise BadSetting("choices", declared.choices, allowed)
    return Subset(base, _members(declared.members, base))


def _members(text: str, base: Space) -> Architectures:
    """Raises BadSetting with the line, from 1, of the first that is no architecture of the space."""
    rows, lines = list[tuple[int, ...]](), list[int]()
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            rows.append(_genes(line.strip(), number, base))
            lines.append(number)
    archs = Architectures(base, np.array(rows, dtype=np.int16).reshape(len(rows), len(base.choices)))
    outside = np.flatnonzero(~base.contains(archs))
    if len(outside):
        at = int(outside[0])
        raise BadSetting(f"members, line {lines[at]}", archs[at].gene_text, f"architectures of {base!r}")
    return archs


def _genes(line: str, number: int, base: Space) -> tuple[int, ...]:
    try:
        genes = Architecture.parse(f"{base.name}/{line}").genes
    except BadArchitecture:
        genes = ()
    counts = [len(choice.options) for choice in base.choices]
    if len(genes) != len(counts) or not all(-1 <= gene < most for gene, most in zip(genes, counts, strict=True)):
        raise BadSetting(f"members, line {number}", line[:100], f"{len(counts)} genes of {base.name}, such as 3-0-2")
    return genes


def write(target: Path, space: Space, base: str) -> None:
    """The file of a part of what `base` names. Raises BadSetting where it cannot be written."""
    space = plain(space)
    of = space.origin
    lines = [f"# {space.size:,} of {of.size:,} architectures of {space.name}", 'kind = "part"', f"base = {_text(base)}"]
    if isinstance(space, Subset):
        members = [arch.gene_text for arch in space.enumerate()]
        lines += [f"choices = {_text(_checksum(of))}", "members = '''", *members, "'''"]
    lines += ["", "[allowed]"] if space.narrowed else []
    for choice, kept in zip(space.choices, space.allowed, strict=True):
        options = [option for option, k in zip(choice.options, kept, strict=False) if k]
        if len(options) < len(choice.options):
            lines.append(f"{_text(choice.path)} = [{', '.join(map(_text, options))}]")
    part = target.with_name(target.name + ".part")
    try:
        part.write_text("\n".join([*lines, ""]), encoding="utf-8")
        part.replace(target)
    except OSError as error:
        raise BadSetting("file of a space", str(target), f"a path that can be written ({error})") from error


def _text(text: str) -> str:
    """As a TOML string, which is JSON's but for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _checksum(space: Space) -> str:
    return f"{zlib.crc32(repr(space.choices).encode()):08x}"
