"""What a network costs, counted from the network itself: on the meta device, which holds shapes and no numbers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

Shape = tuple[int, ...]


def counted(build: Callable[[], nn.Module], shape: Shape) -> tuple[int, int, Shape]:
    """Multiply-adds of convolutions and matrix products for one input of this shape, parameters, shape of the output.

    Batch norms, biases, activations and pools add no multiply-adds. Code that needs the numbers in a tensor runs on the
    CPU, with zeros as input. Whatever the network raises, this raises.
    """
    try:
        return _counted(build, shape, "meta")
    except Exception:  # noqa: BLE001  whatever it cannot do without numbers; what is wrong anyhow is raised again
        return _counted(build, shape, "cpu")


def built(build: Callable[[], nn.Module], device: str = "meta") -> nn.Module:
    """The module, on a device; no random number is taken from the caller's generators."""
    with torch.random.fork_rng(devices=[]), torch.device(device):
        return build()


def _counted(build: Callable[[], nn.Module], shape: Shape, device: str) -> tuple[int, int, Shape]:
    from torch.utils.flop_counter import FlopCounterMode  # imports much

    module = built(build, device).eval()
    with torch.random.fork_rng(devices=[]), torch.no_grad(), FlopCounterMode(display=False) as counter:
        left = module(torch.zeros(1, *shape, device=device))
    parameters = sum(parameter.numel() for parameter in module.parameters())
    return counter.get_total_flops() // 2, parameters, tuple(left.shape[1:])
