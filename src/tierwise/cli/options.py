"""What the command's options look like as text."""

from __future__ import annotations

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
