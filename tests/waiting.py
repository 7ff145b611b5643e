"""Waiting for other threads and processes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def until(holds: Callable[[], Any], seconds: float = 200) -> Any:
    """What `holds()` says once it is true; fails after so many seconds."""
    limit = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < limit, f"it did not come about within {seconds} s"
        time.sleep(0.05)
    return found
