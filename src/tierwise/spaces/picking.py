"""Choices marked inside one's own code: ``pick`` gives the first option, and in a search the one that is tried."""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

from tierwise.errors import BadSetting

T = TypeVar("T")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9_.-]+)*")
_RESERVED = re.compile(r"[;=\n]|^\s|\s$|^$")  # what a text of an architecture needs for itself


@dataclass
class Run:
    """One run of code that picks. decided: choice -> option, where it is decided beforehand; else the first is taken.

    asked: choice -> its options, taken: choice -> the option that it got, both in the order of asking.
    closed: whether the network is complete, so that nothing may be asked any more.
    """

    decided: Mapping[str, str]
    asked: dict[str, tuple[str, ...]] = field(default_factory=dict[str, "tuple[str, ...]"])
    taken: dict[str, str] = field(default_factory=dict[str, str])
    closed: bool = False

    def take(self, name: str, options: tuple[str, ...]) -> str:
        """The option of this run. Raises BadSetting for a choice that cannot be learnt."""
        if self.closed:
            raise BadSetting(f"choice {name}", "asked for while the network runs", "pick where the network is built")
        option = self.taken.get(name, self.decided.get(name, options[0]))
        if self.asked.get(name, options) != options or option not in options:
            raise BadSetting(f"choice {name}", list(options), same_options(self.asked.get(name, (option,))))
        self.asked[name], self.taken[name] = options, option
        return option


def same_options(before: tuple[str, ...]) -> str:
    """What is allowed where a name comes again."""
    return f"wherever it stands the same options in the same order, as before with {', '.join(before)}; or another name"


_run: ContextVar[Run | None] = ContextVar("tierwise run", default=None)


@contextlib.contextmanager
def deciding(decided: Mapping[str, str], *, closed: bool = False) -> Generator[Run]:
    """Inside, ``pick`` gives what is decided and notes what was asked."""
    run = Run(decided, closed=closed)
    token = _run.set(run)
    try:
        yield run
    finally:
        _run.reset(token)


@overload
def pick(name: str, options: Mapping[str, Callable[[], T]]) -> T: ...
@overload
def pick(name: str, options: Mapping[str, T]) -> T: ...
@overload
def pick(name: str, options: Sequence[T]) -> T: ...
def pick(name: str, options: Mapping[str, Any] | Sequence[Any]) -> Any:
    """One of the options: the first, and where a space of the code is searched (`space_of`) the one that is tried.

    name: of the choice; the same name, with the same options, is the same choice wherever it stands.
    options: numbers, texts, classes, functions or None; or name -> what it stands for, where classes, functions and
    partials are called without arguments, so that only the option that is taken is made. Options may pick themselves.
    Raises BadSetting for names and options that cannot be told apart, and for no options.

    >>> pick("width", [16, 32, 64])
    16
    >>> pick("block", {"pair": lambda: [1, 2], "none": list})
    [1, 2]
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise BadSetting("name of a choice", name, "letters, digits, _ . - and / between parts, such as block1/kernel")
    values = list(options.values()) if isinstance(options, Mapping) else list(options)
    texts = tuple(options) if isinstance(options, Mapping) else tuple(_text(name, value) for value in values)
    if not texts or len(set(texts)) < len(texts):
        raise BadSetting(f"options of the choice {name}", list(texts), "one option or more, each once")
    bad = [text for text in texts if not isinstance(text, str) or _RESERVED.search(text)]  # pyright: ignore[reportUnnecessaryIsInstance]
    if bad:
        raise BadSetting(f"options of the choice {name}", bad, "texts without ; = and line breaks, none empty")
    run = _run.get()
    value = values[0 if run is None else texts.index(run.take(name, texts))]
    called = isinstance(options, Mapping) and (isinstance(value, functools.partial | type) or inspect.isroutine(value))
    return value() if called else value


def _text(name: str, value: object) -> str:
    """What an option is called."""
    if value is None or isinstance(value, str | bool | int | float | tuple):
        return str(value)
    if (isinstance(value, type) or inspect.isroutine(value)) and value.__name__ != "<lambda>":
        return value.__name__
    allowed = 'numbers, texts, named classes and functions; of anything else a mapping, pick("%s", {"name": what})'
    raise BadSetting(f"options of the choice {name}", type(value).__name__, allowed % name)
