"""How networks are trained: the optimiser, its schedule, and what is done to images."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tierwise.errors import BadSetting, UnknownName

AUGMENTATIONS = ("flip", "shift", "cutout")
SHIFT = 1 / 8  # of height and width, as 4 of the 32 pixels of CIFAR images


@dataclass(frozen=True)
class Recipe:
    """SGD with Nesterov momentum; a linear warm-up, then a cosine to 0.

    epochs: of a full training. batch: inputs a step. rate: learning rate at its highest. warmup: epochs of it.
    weight_decay: on weights alone, not on biases and batch norms. smoothing: of labels.
    augment: of "flip" (left and right), "shift" (by up to an eighth), "cutout" (a quarter of the area is blanked).
    Raises BadSetting, UnknownName.
    """

    epochs: int = 20
    batch: int = 64
    rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    warmup: float = 1.0
    smoothing: float = 0.0
    augment: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch", 2)):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < least:
                raise BadSetting(name, getattr(self, name), f"a whole number, {least} or more")
        if not 0 < self.rate < math.inf:
            raise BadSetting("rate", self.rate, "more than 0")
        for name, most in (("momentum", 1.0), ("smoothing", 1.0), ("weight_decay", math.inf), ("warmup", math.inf)):
            if not 0 <= getattr(self, name) < most:
                raise BadSetting(name, getattr(self, name), f"0 or more, less than {most:g}")
        for name in self.augment:
            if name not in AUGMENTATIONS:
                raise UnknownName("augmentation", name, AUGMENTATIONS)

    def optimiser(self, network: nn.Module) -> torch.optim.SGD:
        """Weights decay, all else does not."""
        parameters = [p for p in network.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in parameters if _decays(p)], "weight_decay": self.weight_decay},
            {"params": [p for p in parameters if not _decays(p)], "weight_decay": 0.0},
        ]
        settings = {"lr": self.rate, "momentum": self.momentum, "nesterov": self.momentum > 0}
        return torch.optim.SGD([g for g in groups if g["params"]], **settings)  # pyright: ignore[reportArgumentType]

    def rate_at(self, done: float, epochs: int) -> float:
        """The learning rate after `done` of `epochs` epochs."""
        warmup = min(self.warmup, epochs / 2)
        if done < warmup:
            return self.rate * done / warmup
        return self.rate * 0.5 * (1 + math.cos(math.pi * (done - warmup) / (epochs - warmup)))

    def augmented(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Images (n, c, h, w) transformed, each in its own way; anything else as it is."""
        if x.dim() != 4:
            return x
        for name in self.augment:
            x = _TRANSFORM[name](x, generator)
        return x


def _decays(parameter: nn.Parameter) -> bool:
    return parameter.dim() > 1


def _flip(x: Tensor, generator: torch.Generator) -> Tensor:
    chosen = torch.rand(len(x), generator=generator).to(x.device) < 0.5
    return torch.where(chosen[:, None, None, None], x.flip(3), x)


def _shift(x: Tensor, generator: torch.Generator) -> Tensor:
    n, _, h, w = x.shape
    down, right = (math.ceil(side * SHIFT) for side in (h, w))
    padded = nn.functional.pad(x, (right, right, down, down))
    rows = torch.randint(2 * down + 1, (n, 1), generator=generator) + torch.arange(h)
    columns = torch.randint(2 * right + 1, (n, 1), generator=generator) + torch.arange(w)
    each = torch.arange(n)[:, None, None]
    moved = padded.permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2).contiguous()


def _cutout(x: Tensor, generator: torch.Generator) -> Tensor:
    n, _, h, w = x.shape
    keep = torch.ones(n, 1, h, w, dtype=torch.bool)
    sides: Iterable[tuple[int, tuple[int, ...]]] = ((h, (n, 1, h, 1)), (w, (n, 1, 1, w)))
    inside = [
        ((torch.arange(side) - torch.randint(side, (n, 1), generator=generator)).abs() < side / 4).view(shape)
        for side, shape in sides
    ]
    return x * (keep & ~(inside[0] & inside[1])).to(x.device)


_TRANSFORM = {"flip": _flip, "shift": _shift, "cutout": _cutout}
