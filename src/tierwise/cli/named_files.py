"""Python files that a person has named with ``--space`` or ``--data``: remembered, because studies name them too.

What such a name opens is run. So a study that somebody else has made runs nothing: only files from this list are.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from tierwise import python_files
from tierwise.errors import WrongStudy
from tierwise.importers.folder import benchmarks_folder


def remember(file: Path) -> None:
    """A person has named this file."""
    files = [*_remembered(), file.resolve()]
    python_files.allow(files)
    path = _list()
    with contextlib.suppress(OSError):  # then the study has to be named with its space again
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_text("".join(f"{each}\n" for each in dict.fromkeys(files)), encoding="utf-8")
        part.replace(path)


def allow() -> None:
    """What was named before may be run."""
    python_files.allow(_remembered())


def check(study: Path, noted: str) -> None:
    """Raises WrongStudy where the space or the data that a study has noted are code that no person has named."""
    allow()
    named = python_files.named(noted)
    if named and named[0].resolve() not in _remembered():
        reason = f"needs Python code, {noted}, which is run once you have named it yourself with --space or --data"
        raise WrongStudy(study, reason)


def _remembered() -> list[Path]:
    try:
        return [Path(line) for line in _list().read_text(encoding="utf-8").splitlines() if line]
    except OSError:
        return []


def _list() -> Path:
    return benchmarks_folder().parent / "python_files.txt"
