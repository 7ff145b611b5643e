"""What each candidate of a supernet costs, counted from its modules."""

from __future__ import annotations

import copy
import functools
from typing import Any

import torch
from torch import Tensor, nn

from tierwise.errors import BadSetting
from tierwise.networks.counting import counted
from tierwise.supernets.supernet import Mixture, Supernet


def candidate_costs(supernet: Supernet, x: Tensor) -> list[Tensor]:
    """(m, 2) multiply-adds for one input and parameters of each candidate of each choice, summed over its sites.

    x: one input or more. Raises BadSetting for a supernet in which a site is no mixture of modules.
    """
    mixtures = [module for module in supernet.modules() if isinstance(module, Mixture)]
    options = [len(supernet.choices[choice].options) for choice in supernet.sites]
    if [len(mixture.candidates) for mixture in mixtures] != options:
        raise BadSetting("supernet", type(supernet).__name__, "one in which every site is a mixture of modules")
    shapes = _entering(supernet, mixtures, x)
    found = [torch.zeros(len(choice.options), 2) for choice in supernet.choices]
    for choice, mixture, shape in zip(supernet.sites, mixtures, shapes, strict=True):
        for k, candidate in enumerate(mixture.candidates):
            found[choice][k] += torch.tensor(counted(functools.partial(_meta, candidate), shape)[:2])
    return found


def _meta(candidate: nn.Module) -> nn.Module:
    return copy.deepcopy(candidate).to("meta")


def _entering(supernet: Supernet, mixtures: list[Mixture], x: Tensor) -> list[tuple[int, ...]]:
    """The shape of one input of each mixture."""
    shapes: dict[nn.Module, tuple[int, ...]] = {}

    def note(module: nn.Module, entering: Any) -> None:
        shapes[module] = tuple(entering[0].shape[1:])

    hooks = [mixture.register_forward_pre_hook(note) for mixture in mixtures]
    training = supernet.training
    try:
        with torch.no_grad():
            equal = [torch.full((len(c.options),), 1 / len(c.options), device=x.device) for c in supernet.choices]
            supernet.eval()(x[:1], supernet.everywhere(equal))
    finally:
        supernet.train(training)
        for hook in hooks:
            hook.remove()
    return [shapes[mixture] for mixture in mixtures]
