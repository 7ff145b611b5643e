"""The space of a template: which blocks of each layer are on, see `template_shapes`."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architecture, Architectures, Graphs
from tierwise.errors import BadArchitecture, BadSetting, UnknownName
from tierwise.space import Shape, mix
from tierwise.spaces import building
from tierwise.spaces.edges import MOST_OPS
from tierwise.spaces.masks import ON, Masks
from tierwise.spaces.template_shapes import Template, as_dict, checked, read_template

if TYPE_CHECKING:
    from torch import nn

Ints = NDArray[np.int64]


class TemplateSpace(Masks):
    """Masks over the blocks of a template, at least one block on in every layer.

    template: a `Template`, its TOML or JSON file, or an equal dict. A layer with one block alone has no choice. Layers
    that have equal blocks on are equal. Raises BadSetting for shapes that do not fit, naming the link.
    """

    def __init__(self, template: Template | str | Path | dict[str, Any], name: str = ""):
        self.template = read_template(template)
        self.shapes = checked(self.template)
        self._chosen = [layer for layer in self.template.layers if len(layer.blocks) > 1]
        if not self._chosen:
            raise BadSetting(
                "layers of a template", f"{len(self.template.layers)} of one block", "one with two or more"
            )
        blocks = [(layer.name, [block.name for block in layer.blocks]) for layer in self._chosen]
        super().__init__(name or self.template.name or "template", blocks)
        self._at = _genes(self.template)
        self._labels, self._kinds = _labels(self.template)

    # ---- networks --------------------------------------------------------------------------------------------

    def on(self, archs: Architectures) -> NDArray[np.bool_]:
        """(n, all blocks) what is on, those of layers without a choice too, in the order of the file."""
        on = np.ones((len(archs), len(self._at)), dtype=np.bool_)
        chosen = self._at >= 0
        on[:, chosen] = archs.genes[:, self._at[chosen]] == ON
        return on

    def canonical(self, archs: Architectures) -> NDArray[np.uint64]:
        """(n,) keys: layers count how often each kind of block is on; where none has weights, the shares count."""
        keys = np.zeros(len(archs), dtype=np.uint64)
        for layer, slot in zip(self._chosen, self.slots, strict=True):
            kinds = [self._kinds[block.ops] for block in layer.blocks]
            weighted = np.array([block.weighted for block in layer.blocks])
            names = sorted(set(kinds))
            is_kind = np.array([[kind == name for name in names] for kind in kinds], dtype=np.int64)
            on = (archs.genes[:, slot] == ON).astype(np.int64)
            counts = on @ is_kind
            shares = counts // np.maximum(np.gcd.reduce(counts, axis=1), 1)[:, None]
            counts = np.where((on @ weighted.astype(np.int64) > 0)[:, None], counts, shares)
            for column in counts.T:
                keys = mix(keys + column.astype(np.uint64))
        return keys

    def graphs(self, archs: Architectures) -> Graphs:
        """Blocks as nodes, each one that is on wired to all that are on in the next layer; edges are plain."""
        on, ends = self.on(archs), _ends(self.template)
        names = (*dict.fromkeys(self._labels), "input", "output", "")
        codes = np.array([names.index(label) + 1 for label in self._labels], dtype=np.uint8)
        n, v = len(archs), on.shape[1] + 2
        node_op = np.zeros((n, v), dtype=np.uint8)
        node_op[:, 0], node_op[:, -1], node_op[:, 1:-1] = len(names) - 2, len(names) - 1, on * codes
        edge_op = np.zeros((n, v, v), dtype=np.uint8)
        for before, after in itertools.pairwise(ends):
            there = node_op[:, before, None] > 0
            edge_op[:, before, after] = (there & (node_op[:, None, after] > 0)) * np.uint8(len(names))
        return Graphs(node_op, edge_op, names)

    def costs(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> NDArray[np.int64]:
        """(n, 1, v, v, 2) FLOPs and parameters of every block, on every edge into it, for inputs of the template."""
        each, wired = self._each(), self.graphs(archs).edge_op > 0
        full = np.zeros((*wired.shape, 2), dtype=np.int64)
        full[:, :, 1:-1] = wired[:, :, 1:-1, None] * each
        return full[:, None]

    def totals(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> NDArray[np.int64]:
        """(n, 2) FLOPs and parameters of the network for inputs of the template, its classifier included."""
        leaving = self.shapes.output[0]
        around = np.array([leaving * classes, leaving * classes + classes])
        return self.on(archs).astype(np.int64) @ self._each() + around

    def _each(self) -> Ints:
        """(all blocks, 2) FLOPs and parameters."""
        pairs = [
            (block.ops, inner)
            for layer, own in zip(self.template.layers, self.shapes.inner, strict=True)
            for block, inner in zip(layer.blocks, own, strict=True)
        ]
        costs = [[op.cost(shape) for op, shape in zip(ops, inner, strict=True)] for ops, inner in pairs]
        return np.array([[sum(column) for column in zip(*own, strict=True)] for own in costs], dtype=np.int64)

    def modules(self, shape: Shape) -> tuple[list[nn.Module], list[list[nn.Module]]]:
        """What brings inputs of `shape` into the form of the template, and all blocks of each layer. Raises BadSetting
        for inputs of another size, MissingExtra.
        """
        building.need_torch()
        from tierwise.networks import template as networks

        wanted = tuple(self.template.input)
        if tuple(shape) != wanted and (len(shape) == len(wanted) or math.prod(shape) != math.prod(wanted)):
            raise BadSetting(f"input of {self.name}", list(wanted), f"input = {list(shape)}, the shape of the data")
        before: list[nn.Module] = [] if tuple(shape) == wanted else [networks.Reshape(wanted)]
        blocks: list[list[nn.Module]] = [
            [
                networks.block([(op.model_dump(), at) for op, at in zip(block.ops, inner, strict=True)])
                for block, inner in zip(layer.blocks, own, strict=True)
            ]
            for layer, own in zip(self.template.layers, self.shapes.inner, strict=True)
        ]
        return before, blocks

    def build(self, arch: Architecture, *, classes: int, shape: Shape) -> nn.Module:
        """The network as plain PyTorch; inputs of as many numbers in another form are reshaped. Raises
        BadArchitecture, BadSetting, MissingExtra.
        """
        one = Architectures.of([arch], self)
        self.check(one)
        before, blocks = self.modules(shape)
        from tierwise.networks.template import template_network

        on = iter(self.on(one)[0].tolist())
        chosen = [[block for block in layer if next(on)] for layer in blocks]
        return template_network(before, chosen, self.shapes.output, classes)

    # ---- text ------------------------------------------------------------------------------------------------

    def format(self, archs: Architectures) -> list[str]:
        """``conv3+conv5 | max``: the blocks that are on, of each layer that has choices."""
        names = [[block.name for block in layer.blocks] for layer in self._chosen]
        rows = archs.genes.tolist()
        return [
            " | ".join(
                "+".join(name for name, gene in zip(own, row[slot], strict=True) if gene)
                for own, slot in zip(names, self.slots, strict=True)
            )
            for row in rows
        ]

    def parse(self, text: str) -> Architecture:
        """The inverse of ``format``; also ``"space/gene-gene-..."``. Raises BadArchitecture."""
        if text.startswith(f"{self.name}/"):
            return super().parse(text)
        layers, parts = self._chosen, text.split("|")
        if len(parts) != len(layers):
            raise BadArchitecture(text, f"{self.name} has {len(layers)} layers with choices, with | between them")
        genes: list[int] = []
        for layer, part in zip(layers, parts, strict=True):
            names, given = [block.name for block in layer.blocks], [name.strip() for name in part.split("+")]
            if unknown := [name for name in given if name not in names]:
                raise BadArchitecture(text, f"no block {unknown[0]!r} in {layer.name}; there is {', '.join(names)}")
            genes += [int(name in given) for name in names]
        return Architecture(self.name, tuple(genes))

    def _identity(self) -> tuple[Any, ...]:
        return *super()._identity(), repr(as_dict(self.template))


def _genes(template: Template) -> Ints:
    """(all blocks,) the gene of each, -1 where its layer has no choice."""
    single = [len(layer.blocks) == 1 for layer in template.layers for _ in layer.blocks]
    return np.where(single, -1, np.cumsum(~np.array(single)) - 1)


def _ends(template: Template) -> list[slice]:
    """Nodes of the input, of each layer, and of the output."""
    slots, node = [slice(0, 1)], 1
    for layer in template.layers:
        slots.append(slice(node, node + len(layer.blocks)))
        node += len(layer.blocks)
    return [*slots, slice(node, node + 1)]


def _labels(template: Template) -> tuple[list[str], dict[Any, int]]:
    """What each block is called in graphs, by what it does, and a number for each kind. Raises BadSetting."""
    kinds: dict[Any, int] = {}
    texts: dict[str, list[int]] = {}
    labels: list[str] = []
    for layer in template.layers:
        for block in layer.blocks:
            kind, same = kinds.setdefault(block.ops, len(kinds)), texts.setdefault(block.text(), [])
            if kind not in same:
                same.append(kind)
            number = same.index(kind)
            labels.append(block.text() + (f"'{number + 1}" if number else ""))
    if len(set(labels)) > MOST_OPS:
        raise BadSetting("blocks of a template", len(set(labels)), f"at most {MOST_OPS} that differ")
    return labels, kinds


def template_space(source: str | Path | dict[str, Any] | Template, name: str = "") -> TemplateSpace:
    """The space of a template in a file; a name of `PRESETS` is one too. Raises BadSetting, UnknownName."""
    from tierwise.spaces.template_presets import PRESETS, preset

    if isinstance(source, str) and not Path(source).suffix and not Path(source).is_file():
        if source not in PRESETS:
            raise UnknownName("template", source, PRESETS)
        return TemplateSpace(preset(source), name or source)
    return TemplateSpace(source, name)
