"""Networks that are one layer after another, each layer with choices of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architectures, Graphs
from tierwise.errors import BadSetting, UnknownName
from tierwise.space import Choice, Shape, Space, mix
from tierwise.spaces.edges import MOST_OPS, check_ops
from tierwise.spaces.formulas import FREE, Cost
from tierwise.spaces.layer_costs import LayerCosts, number

Option = str | int | float


@dataclass(frozen=True)
class Layer:
    """One layer of a chain: its choices by name, each with its options.

    Options that are numbers are variables of cost formulas. The choice "op" names the operation; the choice
    "channels" or "width" sets how many channels leave the layer, else `channels` does, else as many as come in.
    size: height and width of what leaves the layer.
    """

    name: str
    choices: Mapping[str, Sequence[Option]]
    channels: int = 0
    size: int = 1


@dataclass(frozen=True)
class Slot:
    """A place for a layer in the chain.

    genes: name of a choice -> its gene. options: name of a choice -> its options.
    depth: (gene, number) the layer is there where the depth chosen by this gene reaches the number; None: always.
    channels, size: see `Layer`.
    """

    name: str
    genes: Mapping[str, int]
    options: Mapping[str, tuple[str, ...]]
    depth: tuple[int, int] | None = None
    channels: int = 0
    size: int = 1

    def texts(self) -> list[str]:
        """What each combination of options is called: ``conv/kernel 3``; the last choice changes fastest."""
        texts = [""]
        for name, options in self.options.items():
            parts = [option if name == "op" else f"{name} {option}" for option in options]
            texts = [f"{text}/{part}" if text else part for text in texts for part in parts]
        return texts


@dataclass(frozen=True)
class ChainCosts:
    """What the layers of a chain cost.

    costs: operation (an option of the choice "op") -> formulas; "" is for every other layer. Variables are the
    layer's numeric choices, c_in and c (channels in and out), h, w and layer (1, 2, ...).
    inputs: channels that enter the first layer.
    extra: formulas for all around the layers, in c, h, w of the last layer and classes.
    """

    costs: Mapping[str, Cost] = field(default_factory=dict[str, Cost])
    inputs: int = 3
    extra: Cost = FREE


class LayerPath(Space):
    """What chains and size spaces share: slots in a row, some of them empty.

    A layer beyond the chosen depth, or with the identity op, is not there: its genes stay as they are, and change
    neither network nor cost.
    """

    def __init__(
        self, name: str, choices: Sequence[Choice], slots: Sequence[Slot], identity: str, network: ChainCosts | None
    ):
        self.slots, self.identity_op, self.network = tuple(slots), identity, network
        known = {option for slot in slots for option in slot.options.get("op", ())}
        if identity and identity not in known:
            raise UnknownName(f"identity operation of {name}", identity, known)
        sizes = [math.prod(len(o) for o in slot.options.values()) for slot in slots]
        allowed = f"layers that differ in at most {MOST_OPS} ways; split a layer's choices over several layers"
        if max(sizes) > MOST_OPS:
            raise BadSetting(f"choices of {name}", f"{max(sizes):,} combinations in one layer", allowed)
        self._names = list(dict.fromkeys(text for slot in slots for text in slot.texts()))
        if len(self._names) > MOST_OPS:
            raise BadSetting(f"choices of {name}", f"{len(self._names):,} different layers", allowed)
        check_ops(self._names)
        super().__init__(name, choices)
        self._costs = None if network is None else LayerCosts.of(name, self.slots, identity, network)

    def _codes(self, archs: Architectures) -> NDArray[np.int64]:
        """(n, slots) the combination of options in each slot, as in `Slot.texts`."""
        codes = np.zeros((len(archs), len(self.slots)), dtype=np.int64)
        for k, slot in enumerate(self.slots):
            for name, gene in slot.genes.items():
                codes[:, k] = codes[:, k] * len(slot.options[name]) + archs.genes[:, gene]
        return codes

    def present(self, archs: Architectures) -> NDArray[np.bool_]:
        """(n, slots) whether a layer is there: within the depth, and no identity."""
        there = np.ones((len(archs), len(self.slots)), dtype=np.bool_)
        for k, slot in enumerate(self.slots):
            if slot.depth is not None:
                gene, needed = slot.depth
                depths = np.array([int(option) for option in self.choices[gene].options])
                there[:, k] = depths[archs.genes[:, gene]] >= needed
            if self.identity_op in slot.options.get("op", ()):
                there[:, k] &= archs.genes[:, slot.genes["op"]] != slot.options["op"].index(self.identity_op)
        return there

    def graphs(self, archs: Architectures) -> Graphs:
        """A path: input, the layers that are there, output; edges are plain."""
        names = (*self._names, "input", "output", "")
        n, v = len(archs), len(self.slots) + 2
        there = self.present(archs)
        ops = np.zeros(there.shape, dtype=np.uint8)
        codes = self._codes(archs)
        for k, slot in enumerate(self.slots):
            ops[:, k] = np.array([self._names.index(t) + 1 for t in slot.texts()], dtype=np.uint8)[codes[:, k]]
        node_op = np.zeros((n, v), dtype=np.uint8)
        node_op[:, 0], node_op[:, -1] = len(self._names) + 1, len(self._names) + 2
        rows, slots = np.nonzero(there)
        place = there.cumsum(1)[rows, slots]
        node_op[rows, place] = ops[rows, slots]
        edge_op = np.zeros((n, v, v), dtype=np.uint8)
        edge_op[rows, place - 1, place] = len(names)
        edge_op[np.arange(n), there.sum(1), -1] = len(names)
        return Graphs(node_op, edge_op, names)

    def canonical(self, archs: Architectures) -> NDArray[np.uint64]:
        """(n,) keys of the layers that are there, in order; two slots of equal settings hold equal layers."""
        there, codes = self.present(archs), self._codes(archs)
        kinds: dict[tuple[Any, ...], int] = {}
        keys = np.zeros(len(archs), dtype=np.uint64)
        for k, slot in enumerate(self.slots):
            each = [kinds.setdefault((slot.channels, slot.size, text), len(kinds) + 1) for text in slot.texts()]
            layer = np.array(each, dtype=np.uint64)[codes[:, k]]
            keys = np.where(there[:, k], mix(keys + mix(layer)), keys)
        return mix(keys + np.uint64(1))

    def costs(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> NDArray[np.int64]:
        """(n, 1, v, v, 2) FLOPs and parameters of every layer, on the edge into it; sizes are those declared."""
        if self._costs is None:
            return super().costs(archs, classes=classes, shape=shape)
        there = self.present(archs)
        each, _ = self._costs.layers(self._codes(archs), there)
        v = len(self.slots) + 2
        full = np.zeros((len(archs), 1, v, v, 2), dtype=np.int64)
        rows, slots = np.nonzero(there)
        place = there.cumsum(1)[rows, slots]
        full[rows, 0, place - 1, place] = each[rows, slots]
        return full

    def totals(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> NDArray[np.int64]:
        """(n, 2) FLOPs and parameters of the full network; sizes are those declared."""
        if self._costs is None:
            return super().totals(archs, classes=classes, shape=shape)
        each, last = self._costs.layers(self._codes(archs), self.present(archs))
        return each.sum(1) + self._costs.around(last, classes)

    def _identity(self) -> tuple[Any, ...]:
        return *super()._identity(), self.identity_op, repr(self.slots), repr(self.network)


class Chain(LayerPath):
    """One layer after another; every combination of choices is an architecture.

    layers: what may stand at each place. depths: how many of them are used (the first so many), as a choice
    ``depth``; () = always all. identity: the option of a choice "op" that leaves its layer out, "" if there is none.
    network: what layers cost; without it ``costs`` and ``totals`` are unknown. Choices are called ``layer/choice``.

    Raises BadSetting for what makes no chain, UnknownName for an unknown identity, operation or variable of a cost.

    >>> Chain("kernels", [Layer("a", {"kernel": [3, 5]}), Layer("b", {"kernel": [3, 5, 7]})]).size
    6
    """

    def __init__(
        self,
        name: str,
        layers: Sequence[Layer],
        *,
        depths: Sequence[int] = (),
        identity: str = "",
        network: ChainCosts | None = None,
    ):
        names = [layer.name for layer in layers]
        if not layers or len(set(names)) < len(names):
            raise BadSetting("layers", names, "at least one, with different names")
        choices = [depth_choice("depth", depths, len(layers))] if depths else []
        slots: list[Slot] = []
        for k, layer in enumerate(layers):
            options = {choice: as_options(f"{layer.name}/{choice}", given) for choice, given in layer.choices.items()}
            if not options:
                raise BadSetting(f"choices of layer {layer.name}", "{}", "one choice or more")
            genes = {choice: len(choices) + g for g, choice in enumerate(options)}
            choices += [Choice(f"{layer.name}/{choice}", given) for choice, given in options.items()]
            depth = (0, k + 1) if depths else None
            slots.append(Slot(layer.name, genes, options, depth, layer.channels, layer.size))
        super().__init__(name, choices, slots, identity, network)


def as_options(path: str, given: Sequence[Option]) -> tuple[str, ...]:
    """The options of one choice as text. Raises BadSetting for none, or the same one twice."""
    options = tuple(str(option) for option in given)
    if not options or len(set(options)) < len(options) or "" in options:
        raise BadSetting(f"options of {path}", list(given), "one option or more, each once, none empty")
    if path.rpartition("/")[2] in ("channels", "width") and any((number(o) or 0) <= 0 for o in options):
        raise BadSetting(f"options of {path}", list(given), "numbers of channels, 1 or more")
    return options


def depth_choice(path: str, depths: Sequence[int], layers: int) -> Choice:
    """The choice of how many layers are used. Raises BadSetting unless some use all and none more."""
    if len(set(depths)) < len(depths) or min(depths) < 0 or max(depths) != layers:
        raise BadSetting(path, list(depths), f"different numbers of 0 to {layers} layers, {layers} among them")
    return Choice(path, tuple(map(str, depths)))
