"""Every error that tierwise raises on purpose.

    TierwiseError
    ├── UnknownName          a space, predictor, op, data set ... that does not exist
    ├── MissingExtra         an optional package is needed: names the pip line
    ├── BadArchitecture      a text or gene row that is not a member of the space
    ├── BadSetting           a number or option outside what is allowed
    │   ├── Conflict             steering that leaves nothing, with the rows that it conflicts with
    │   └── Outdated             somebody steered before: the newer rows
    ├── BadTable             a results table with missing, duplicate or broken rows
    ├── BadModel             a saved predictor that is damaged or of another kind
    ├── TooLarge             an enumeration that would not fit in memory
    ├── NotFitted            predict before fit
    ├── StudyError           a study file that cannot be used
    │   ├── NotAStudy            not SQLite, truncated, or another program's
    │   ├── WrongStudy           of another space or objective
    │   ├── NewerSchema          written by a later tierwise
    │   ├── StudyLocked          another driver holds it
    │   └── CannotWrite          read-only file or full disk
    ├── TrainingFailed       a network that cannot be trained: its loss is no number, its output has another shape
    ├── Superseded           an evaluation that was given up, since started once more, wants to write
    ├── EngineDied           what an executor runs evaluations on is gone, such as the head of a cluster
    └── WorkerDied           the process of one evaluation ended without an answer

Each says what was given, what is allowed and what to do; the parts are also fields.
"""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class TierwiseError(Exception):
    """Base of every deliberate error."""


class UnknownName(TierwiseError):
    """A name that is not installed. Fields: ``kind``, ``name``, ``known``, ``guess`` (or None)."""

    def __init__(self, kind: str, name: str, known: Iterable[str]):
        self.kind, self.name, self.known = kind, name, sorted(known)
        close = difflib.get_close_matches(name, self.known, n=1, cutoff=0.5)
        self.guess = close[0] if close else None
        hint = f'; did you mean "{self.guess}"?' if self.guess else "."
        super().__init__(f'no {kind} "{name}"{hint} There is: {", ".join(self.known) or "none"}')


class MissingExtra(TierwiseError):
    """An optional package is absent. Fields: ``what``, ``package``, ``extra``."""

    def __init__(self, what: str, package: str, extra: str):
        self.what, self.package, self.extra = what, package, extra
        super().__init__(f"{what} needs {package}: pip install 'tierwise[{extra}]'")


class BadArchitecture(TierwiseError):
    """Not a member of the space. Fields: ``text``, ``reason``."""

    def __init__(self, text: str, reason: str):
        self.text, self.reason = text, reason
        super().__init__(f"not an architecture: {text!r}: {reason}")


class BadSetting(TierwiseError):
    """A setting outside what is allowed. Fields: ``setting``, ``value``, ``allowed``."""

    def __init__(self, setting: str, value: object, allowed: str):
        self.setting, self.value, self.allowed = setting, value, allowed
        super().__init__(f"{setting} = {value!r} is not possible; allowed: {allowed}")


class Conflict(BadSetting):
    """Steering that cannot be obeyed together with others. Field beside: ``rows``, the fewest of those in force."""

    def __init__(self, setting: str, value: object, allowed: str, rows: Iterable[Any] = ()):
        self.rows = list(rows)
        super().__init__(setting, value, allowed)


class Outdated(BadSetting):
    """Steering by somebody who has not seen the latest. Field beside: ``rows``, those written since."""

    def __init__(self, base: int, rows: Iterable[Any]):
        self.rows = list(rows)
        said = "; ".join(f"{row.named}: {row}" for row in self.rows)
        super().__init__(
            "base", base, f"{base + len(self.rows)}: look at what was said since ({said}), then say it again"
        )


class BadTable(TierwiseError):
    """A broken results table. Fields: ``source``, ``problem``, ``rows`` (the first ten at fault)."""

    def __init__(self, source: str | Path, problem: str, rows: Iterable[int] = ()):
        self.source, self.problem = str(source), problem
        all_rows = list(rows)
        self.rows = all_rows[:10]
        where = f" (rows {', '.join(map(str, self.rows))}{', ...' if len(all_rows) > 10 else ''})" if all_rows else ""
        super().__init__(f"{self.source}: {problem}{where}")


class BadModel(TierwiseError):
    """A saved predictor that cannot be used. Fields: ``path``, ``reason``."""

    def __init__(self, path: str | Path, reason: str):
        self.path, self.reason = str(path), reason
        super().__init__(f"{self.path}: {reason}")


class TooLarge(TierwiseError):
    """An enumeration of more rows than allowed. Fields: ``space``, ``size``, ``most``."""

    def __init__(self, space: str, size: int, most: int):
        self.space, self.size, self.most = space, size, most
        super().__init__(
            f"space {space} has {size:,} architectures, too many to list (at most {most:,}); use sample() or narrow()"
        )


class NotFitted(TierwiseError):
    """``predict`` before ``fit``. Field: ``what``."""

    def __init__(self, what: str):
        self.what = what
        super().__init__(f"{what} is not fitted yet: call fit(architectures, labels) first")


class StudyError(TierwiseError):
    """A study file that cannot be used. Fields: ``path``, ``reason``."""

    def __init__(self, path: str | Path, reason: str):
        self.path, self.reason = str(path), reason
        super().__init__(f"{self.path}: {reason}")


class NotAStudy(StudyError):
    """Not SQLite, truncated, or written by another program."""


class WrongStudy(StudyError):
    """A study of another space or objective than the one asked for."""


class NewerSchema(StudyError):
    """Written by a later version of tierwise."""


class StudyLocked(StudyError):
    """Another process drives this study."""


class CannotWrite(StudyError):
    """The file is read-only or the disk is full; what was told before is kept."""


class TrainingFailed(TierwiseError):
    """A network could not be trained with this recipe on these data."""


class Superseded(TierwiseError):
    """An evaluation was started once more (its driver had died), and the first attempt still wants to write."""


class EngineDied(TierwiseError):
    """What an executor runs evaluations on is gone; the study keeps what was told, and the same line goes on."""


class WorkerDied(TierwiseError):
    """The process of one evaluation ended without an answer (killed, crashed, out of memory)."""
