"""Packages that are installed by an extra, imported when they are needed."""

from __future__ import annotations

import importlib
from typing import Any

from tierwise.errors import MissingExtra


def needed(module: str, what: str, package: str, extra: str) -> Any:
    """The module. Raises MissingExtra, that `what` needs the package, where it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtra(what, package, extra) from error
