"""The supernet of a region: in each stage all candidates side by side.

Neumeyer, Stier and Granitzer, "Efficient NAS with FaDE on Hierarchical Spaces" (2024), where it is called the
hyper-architecture. Memory and time grow with the sum of the candidates, not with the number of their paths.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tierwise.errors import BadSetting
from tierwise.evaluators.fit import seeded
from tierwise.networks.counting import built
from tierwise.networks.staged import staged_network
from tierwise.space import Shape
from tierwise.supernets.region import Region
from tierwise.supernets.supernet import Mixture, Supernet

COPIES = 3  # of every parameter in training: value, gradient, momentum
USABLE = 0.8  # of the memory of the machine
_GIB = 2.0**30


class StagedSupernet(Supernet):
    """What stands before each stage, a mixture of its candidates, and the end. Initial weights are drawn."""

    def __init__(self, region: Region, shape: Shape, classes: int):
        super().__init__()
        before, self.end = region.staged.skeleton(shape, classes)
        self.before = nn.ModuleList(before)
        self.stages = nn.ModuleList(
            Mixture([region.staged.stage_module(k, row, shape) for row in rows.tolist()])
            for k, rows in enumerate(region.candidates)
        )
        self.choices, self.sites = region.choices, tuple(range(len(region.counts)))

    def forward(self, x: Tensor, weights: Sequence[Tensor]) -> Tensor:
        """(b, classes) scores. weights: (candidates,) for each stage."""
        for before, stage, own in zip(self.before, self.stages, weights, strict=True):
            x = stage(before(x), own)
        return self.end(x)

    def candidate(self, stage: int, number: int) -> nn.Module:
        """One candidate of one stage."""
        mixture = self.stages[stage]
        assert isinstance(mixture, Mixture)
        return mixture.candidates[number]

    def discrete(self, path: Sequence[int]) -> nn.Module:
        """The plain network of one path, with a copy of the present weights."""
        stages = [self.candidate(k, int(number)) for k, number in enumerate(path)]
        return copy.deepcopy(staged_network([*self.before], stages, self.end))


def supernet(
    region: Region, *, shape: Shape, classes: int, batch: int, seed: int = 0, memory: float | None = None
) -> StagedSupernet:
    """The supernet of a region with the initial weights of a seed.

    shape: of one input. batch: inputs a step, of which training keeps what it computes. memory: GiB that it may take;
    by default four fifths of the machine's. Raises BadSetting for a region that needs more, saying how much, and for
    stages whose shapes do not fit together, naming them; before anything large is made.
    """
    sketch = built(lambda: StagedSupernet(region, shape, classes))
    assert isinstance(sketch, StagedSupernet)
    needed, most = memory_needed(sketch, shape, batch), memory or USABLE * _physical()
    if needed > most:
        allowed = f"at most {most:.2f} GiB: fewer or narrower candidates, or batches of less than {batch}"
        raise BadSetting(f"memory for {region!r}", f"{needed:.2f} GiB", allowed)
    with seeded(seed):
        return StagedSupernet(region, shape, classes)


def memory_needed(sketch: StagedSupernet, shape: Shape, batch: int) -> float:
    """GiB that a training step takes: parameters, and what all candidates keep for the gradient. sketch: a supernet on
    the meta device, where it takes none. Raises BadSetting.
    """
    kept: dict[int, Tensor] = {}

    def keep(value: Tensor) -> Tensor:
        kept[id(value)] = value
        return value

    x = torch.zeros(batch, *shape, device="meta")
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        for k, before in enumerate(sketch.before):
            x = _stage_output(sketch, k, _output(before, x, f"what stands before stage {k + 1}"))
        _output(sketch.end, x, "the end")
    numbers = sum(value.numel() for value in kept.values() if not isinstance(value, nn.Parameter))
    numbers += COPIES * sum(parameter.numel() for parameter in sketch.parameters())
    return 4 * numbers / _GIB


def _stage_output(sketch: StagedSupernet, stage: int, x: Tensor) -> Tensor:
    """What leaves a stage. Raises BadSetting where candidates differ in that."""
    texts = sketch.choices[stage].options
    outputs = [_output(sketch.candidate(stage, c), x, f"stage {stage + 1}: {text}") for c, text in enumerate(texts)]
    for text, output in zip(texts, outputs, strict=True):
        if output.shape != outputs[0].shape:
            allowed = f"{tuple(outputs[0].shape)}, as that of {texts[0]}"
            raise BadSetting(f"output of stage {stage + 1}: {text}", tuple(output.shape), allowed)
    return torch.stack(outputs).sum(0)  # the mixture keeps each output for the gradient of its weight


def _output(module: nn.Module, x: Tensor, what: str) -> Tensor:
    try:
        return module(x)
    except (RuntimeError, ValueError) as error:
        allowed = f"a shape that {what} takes ({str(error).splitlines()[0]})"
        raise BadSetting(f"input of {what}", tuple(x.shape), allowed) from error


def _physical() -> float:
    """GiB of memory of this machine."""
    names: Any = os.sysconf_names
    if "SC_PHYS_PAGES" not in names:
        return float("inf")
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB
