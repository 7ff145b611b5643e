"""One stage of a network of stages: what may stand in it, and how that is written."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from tierwise.errors import BadSetting

ATTRIBUTES = ("width", "op", "activation")
Pairs = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class StageOptions:
    """The options of one stage.

    channels: that enter and leave it. widths: channels inside a candidate; without any it is as wide as its stage.
    ops: names of operations, see `tierwise.networks.operations`. activations: of each of them. stride: by which maps
    shrink before the stage. Raises BadSetting.
    """

    channels: int
    widths: Sequence[int] = ()
    ops: Sequence[str] = ("conv3x3",)
    activations: Sequence[str] = ("relu",)
    stride: int = 1

    def __post_init__(self) -> None:
        for name, numbers in (("channels", [self.channels]), ("widths", self.widths), ("stride", [self.stride])):
            if any(number < 1 for number in numbers) or len(set(numbers)) < len(numbers):
                raise BadSetting(f"{name} of a stage", getattr(self, name), "whole numbers, 1 or more, each once")
        for name, words in (("ops", self.ops), ("activations", self.activations)):
            wrong = any(not word or set(word) & set(" |") for word in words)
            if not words or wrong or len(set(words)) < len(words):
                raise BadSetting(f"{name} of a stage", list(words), "one name or more, each once, no spaces in it")

    @property
    def options(self) -> tuple[tuple[str, ...], ...]:
        """Those of each of `ATTRIBUTES`."""
        return tuple(str(width) for width in self.widths or (self.channels,)), (*self.ops,), (*self.activations,)

    def operations(self) -> list[str]:
        """``conv3x3/relu/16``: every operation that an edge may carry; the activation changes fastest."""
        return ["/".join((op, activation, width)) for width, op, activation in itertools.product(*self.options)]

    def text(self, pairs: Pairs, genes: Sequence[int]) -> str:
        """``01.12 16 conv3x3 relu``: edges of the graph (- for none), width, operation, activation."""
        edges = ".".join(f"{i}{j}" for (i, j), bit in zip(pairs, genes, strict=False) if bit)
        others = (options[gene] for options, gene in zip(self.options, genes[len(pairs) :], strict=True))
        return " ".join((edges or "-", *others))

    def genes(self, pairs: Pairs, text: str) -> list[int]:
        """The inverse of ``text``. Raises ValueError, saying what is wrong."""
        edges, *others = text.split() or [""]
        if len(others) != len(ATTRIBUTES):
            raise ValueError(f"expected edges, {', '.join(ATTRIBUTES)}, as in {self.text(pairs, self._first(pairs))!r}")
        names = [f"{i}{j}" for i, j in pairs]
        given = [] if edges == "-" else edges.split(".")
        if unknown := [edge for edge in given if edge not in names]:
            raise ValueError(f"no edge {unknown[0]}; there is {', '.join(names) or 'none'}")
        for name, option, options in zip(ATTRIBUTES, others, self.options, strict=True):
            if option not in options:
                raise ValueError(f"no {name} {option}; there is {', '.join(options)}")
        bits = [int(name in given) for name in names]
        return bits + [options.index(option) for option, options in zip(others, self.options, strict=True)]

    def _first(self, pairs: Pairs) -> list[int]:
        return [1] * len(pairs) + [0] * len(ATTRIBUTES)
