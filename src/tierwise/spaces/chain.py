"""Networks that are one layer after another, each layer with choices of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architecture, Architectures, Graphs
from tierwise.errors import BadSetting, MissingExtra, UnknownName
from tierwise.space import Choice, Shape, Space, mix
from tierwise.spaces import building
from tierwise.spaces.chain_networks import ChainNetwork, CountedLayers, Plan
from tierwise.spaces.edges import MOST_OPS, check_ops
from tierwise.spaces.layer_costs import LayerCosts, number

if TYPE_CHECKING:
    from torch import nn

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


class LayerPath(Space):
    """What chains and size spaces share: slots in a row, some of them empty.

    A layer beyond the chosen depth, or with the identity op, is not there: its genes stay as they are, and change
    neither network nor cost.
    """

    def __init__(
        self, name: str, choices: Sequence[Choice], slots: Sequence[Slot], identity: str, network: ChainNetwork | None
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
        if network is not None and network.first is not None and network.first < 1:
            raise BadSetting(f"{name}: network.inputs", network.inputs, "1 or more channels")
        self._formulas: LayerCosts | None = None
        if network is not None and not network.counted:
            self._formulas = LayerCosts.of(name, self.slots, identity, network)
        self._counted: dict[Shape, CountedLayers] = {}

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
        codes, ops = self._codes(archs), np.zeros((len(archs), len(self.slots)), dtype=np.uint8)
        for k, slot in enumerate(self.slots):
            ops[:, k] = np.array([self._names.index(t) + 1 for t in slot.texts()], dtype=np.uint8)[codes[:, k]]
        return path_graphs(ops, self.present(archs), self._names)

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
        """(n, 1, v, v, 2) FLOPs and parameters of every layer, on the edge into it; see `ChainNetwork`."""
        if self.network is None:
            return super().costs(archs, classes=classes, shape=shape)
        each, _, there = self._each(archs, classes, shape)
        v = len(self.slots) + 2
        full = np.zeros((len(archs), 1, v, v, 2), dtype=np.int64)
        rows, slots = np.nonzero(there)
        place = there.cumsum(1)[rows, slots]
        full[rows, 0, place - 1, place] = each[rows, slots]
        return full

    def totals(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> NDArray[np.int64]:
        """(n, 2) FLOPs and parameters of the full network; see `ChainNetwork`."""
        if self.network is None:
            return super().totals(archs, classes=classes, shape=shape)
        each, around, _ = self._each(archs, classes, shape)
        return each.sum(1) + around

    def _each(self, archs: Architectures, classes: int, shape: Shape) -> tuple[Any, Any, NDArray[np.bool_]]:
        """(n, slots, 2) costs of the layers, (n, 2) of what is around them, and (n, slots) which layers are there."""
        codes, there = self._codes(archs), self.present(archs)
        if self._formulas is not None:
            each, last = self._formulas.layers(codes, there)
            return each, self._formulas.around(last, classes), there
        try:
            counted = self._counter(shape)
            each, last = counted.layers(codes, there)
            return each, counted.around(last, classes), there
        except (BadSetting, MissingExtra) as error:
            allowed = f"a space with cost formulas, or one that builds ({error})"
            raise BadSetting("costs of the space", self.name, allowed) from error

    def _counter(self, shape: Shape) -> CountedLayers:
        building.need_torch()
        plan = self._plan(shape if self.network is None or self.network.shape is None else self.network.shape)
        return self._counted.setdefault(plan.shape, CountedLayers(plan))

    def _plan(self, shape: Shape) -> Plan:
        around = self.network or ChainNetwork()
        return Plan.of(self.name, self.slots, around.operations, shape, around.first)

    def build(self, arch: Architecture, *, classes: int, shape: Shape) -> nn.Module:
        """The network as plain PyTorch; what its choices mean: `chain_networks.Plan.step`. Raises BadArchitecture,
        BadSetting, MissingExtra.
        """
        building.need_torch()
        one = Architectures.of([arch], self)
        self.check(one)
        chosen = [
            (slot, {name: options[arch.genes[slot.genes[name]]] for name, options in slot.options.items()})
            for slot, there in zip(self.slots, self.present(one)[0], strict=True)
            if there
        ]
        with building.naming(arch):
            return self._plan(shape).network(chosen, classes)

    def _identity(self) -> tuple[Any, ...]:
        return *super()._identity(), self.identity_op, repr(self.slots), repr(self.network or ChainNetwork())


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
        network: ChainNetwork | None = None,
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


def path_graphs(ops: NDArray[np.uint8], there: NDArray[np.bool_], names: Sequence[str]) -> Graphs:
    """Paths of operations (n, slots), codes of `names`, from 1, without those that are not there."""
    n, v = len(ops), ops.shape[1] + 2
    node_op = np.zeros((n, v), dtype=np.uint8)
    node_op[:, 0], node_op[:, -1] = len(names) + 1, len(names) + 2
    rows, slots = np.nonzero(there)
    place = there.cumsum(1)[rows, slots]
    node_op[rows, place] = ops[rows, slots]
    edge_op = np.zeros((n, v, v), dtype=np.uint8)
    edge_op[rows, place - 1, place] = len(names) + 3
    edge_op[np.arange(n), there.sum(1), -1] = len(names) + 3
    return Graphs(node_op, edge_op, (*names, "input", "output", ""))


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
