"""Watching and changing what the modules of a network do, for as long as a block of code runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle


@contextlib.contextmanager
def outputs(modules: Iterable[nn.Module], note: Callable[[nn.Module, Tensor], None]) -> Generator[None]:
    """`note(module, output)` each time one of the modules has run."""

    def hook(module: nn.Module, _: object, output: Tensor) -> None:
        note(module, output)

    with _removed_after([module.register_forward_hook(hook) for module in modules]):
        yield


@contextlib.contextmanager
def inputs(modules: Iterable[nn.Module], note: Callable[[Tensor], None]) -> Generator[None]:
    """`note(first input)` each time before one of the modules runs."""
    with _removed_after([m.register_forward_pre_hook(lambda _, given: note(given[0])) for m in modules]):
        yield


@contextlib.contextmanager
def _removed_after(handles: Iterable[RemovableHandle]) -> Generator[None]:
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextlib.contextmanager
def passed_over(modules: Iterable[nn.Module]) -> Generator[None]:
    """The modules hand on what they are given."""
    changed = list(modules)
    for module in changed:
        module.forward = nn.Identity().forward
    try:
        yield
    finally:
        for module in changed:
            del module.forward  # the one of its class again


def blocks(network: nn.Module) -> list[nn.Module]:
    """The outermost modules of classes of the network's own that are put together from others, such as cells.

    In the order of their making; in a network of plain layers the convolutions, or without any the linear maps.
    """
    found: list[nn.Module] = []

    def search(module: nn.Module) -> None:
        for child in module.children():
            if type(child).__module__.startswith("torch.nn."):
                search(child)
            elif any(True for _ in child.children()):
                found.append(child)

    search(network)
    for layers in ((nn.Conv1d, nn.Conv2d), (nn.Linear,)):
        found = found or [module for module in network.modules() if isinstance(module, layers)]
    return found
