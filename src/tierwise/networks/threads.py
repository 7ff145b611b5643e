"""How many threads PyTorch takes for one operation."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

import torch


@contextlib.contextmanager
def threads(count: int = 1) -> Generator[None]:
    """So many inside, as before outside. For small matrices one is fastest, by far on a busy machine, and adds up in
    one order.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
