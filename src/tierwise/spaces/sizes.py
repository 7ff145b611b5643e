"""Networks that differ in size: widths and depths of their stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tierwise.errors import BadSetting
from tierwise.space import Choice
from tierwise.spaces.chain import ChainNetwork, LayerPath, Slot, as_options, depth_choice


@dataclass(frozen=True)
class SizeStage:
    """A run of layers that differ in width only.

    widths: channels (or units) that a layer may have. depths: how many layers the stage may have.
    own_widths: whether every layer chooses its width; otherwise one width is chosen for the whole stage.
    size: height and width of the feature maps. name: of its choices; by default stage1, stage2, ...
    """

    widths: Sequence[int]
    depths: Sequence[int] = (1,)
    own_widths: bool = True
    size: int = 1
    name: str = ""


class Sizes(LayerPath):
    """Stages of layers whose widths and numbers are chosen; every combination of choices is an architecture.

    Choices are called ``stage1/depth`` (where there are several depths) and ``stage1/1/width``, ``stage1/2/width``
    or, one for the whole stage, ``stage1/width``. Cost formulas know c (the width), c_in, h, w and layer.
    network: what layers cost; without it ``costs`` and ``totals`` are unknown.

    Raises BadSetting for what makes no stage, UnknownName for an unknown variable of a cost.

    >>> Sizes("mlp", [SizeStage([8, 16, 32], depths=[1, 2])]).size
    18
    """

    def __init__(self, name: str, stages: Sequence[SizeStage], *, network: ChainNetwork | None = None):
        if not stages:
            raise BadSetting("stages", [], "one stage or more")
        choices, slots = list[Choice](), list[Slot]()
        for k, stage in enumerate(stages, start=1):
            self._add(stage.name or f"stage{k}", stage, choices, slots)
        if len({choice.path for choice in choices}) < len(choices) or not slots:
            raise BadSetting("stages", [stage.name for stage in stages], "different names, a layer or more in all")
        super().__init__(name, choices, slots, "", network)

    @staticmethod
    def _add(name: str, stage: SizeStage, choices: list[Choice], slots: list[Slot]) -> None:
        if not stage.depths or min(stage.depths) < 0 or max(stage.depths) < 1:
            raise BadSetting(f"{name}/depth", list(stage.depths), "numbers of layers, one of 1 or more among them")
        layers, depth = max(stage.depths), len(choices)
        varies = len(stage.depths) > 1
        if varies:
            choices.append(depth_choice(f"{name}/depth", stage.depths, layers))
        first = len(choices)
        paths = [f"{name}/{layer}/width" for layer in range(1, layers + 1)] if stage.own_widths else [f"{name}/width"]
        widths = as_options(paths[0], stage.widths)
        choices += [Choice(path, widths) for path in paths]
        for layer in range(layers):
            gene = first + (layer if stage.own_widths else 0)
            needed = (depth, layer + 1) if varies else None
            slots.append(Slot(f"{name}/{layer + 1}", {"width": gene}, {"width": widths}, needed, size=stage.size))
