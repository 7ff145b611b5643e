"""What the command's options look like as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tierwise.errors import BadSetting


def as_pair(text: str, what: str) -> tuple[str, Any]:
    """NAME=VALUE with the value as a number where it is one. Raises BadSetting."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise BadSetting(what, text, "NAME=VALUE")
    for number in (int, float):
        try:
            return name, number(value)
        except ValueError:
            continue
    return name, value


def as_pairs(texts: Sequence[str] | None, what: str) -> dict[str, Any]:
    """Several of them by name. Raises BadSetting."""
    return dict(as_pair(text, what) for text in texts or [])


def as_limit(text: str) -> tuple[str, float | tuple[float, float]]:
    """NAME=MOST or NAME=LEAST:MOST. Raises BadSetting."""
    name, value = as_pair(text, "limit")
    if isinstance(value, int | float):
        return name, value
    least, colon, most = str(value).partition(":")
    try:
        return name, (float(least), float(most if colon else least))
    except ValueError:
        raise BadSetting("limit", text, "NAME=MOST or NAME=LEAST:MOST, for example params=0.5e6") from None


def as_shape(text: str) -> tuple[int, ...]:
    """``3,32,32``. Raises BadSetting."""
    try:
        shape = tuple(int(size) for size in text.split(","))
    except ValueError:
        shape = ()
    if not shape or min(shape) < 1:
        raise BadSetting("shape", text, "whole numbers of 1 or more, such as 3,32,32")
    return shape
