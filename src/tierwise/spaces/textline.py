"""Networks that read a line of text: a spatial model of convolutions, and a sequential model over its columns.

Zhang, Yao, Kwok and Bai, "Searching a High Performance Feature Extractor for Text Recognition Network" (TREFE, 2023).
The paper searches a three-dimensional space for the spatial and a transformer-based one for the sequential model; which
choices they are made of here, and all sizes, are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architecture, Architectures, Graphs
from tierwise.errors import BadArchitecture, BadSetting
from tierwise.space import Choice, Shape, Space, mix
from tierwise.spaces import building
from tierwise.spaces.chain import path_graphs

if TYPE_CHECKING:
    from torch import nn

CHANNELS = (8, 16, 32)  # of each stage
WIDTH = 32  # of a column
STAGES, BLOCKS, LAYERS = len(CHANNELS), 2, 2  # blocks of a stage, layers of the sequential model: at most
WAYS = ("221", "212", "122")  # by what each stage divides; all end at a quarter
OPS = ("mbconv_k3_e1", "mbconv_k5_e1", "mbconv_k3_e3", "mbconv_k5_e3")
MIXING = ("attention2", "attention4", "recurrent")
WIDE = ("1", "2", "4")  # times the width, between two linear layers
NUMBERS = ("1", "2")
HEIGHT, LENGTH = 8, 16  # an image is at least so high and long
POOLS = ("1x1", "1x2", "2x1", "2x2")  # height x length
SLOTS = (
    *(f"stage/{k}/{part}" for k in range(1, STAGES + 1) for part in ("pool", *range(1, BLOCKS + 1))),
    *(f"layer/{k}/{part}" for k in range(1, LAYERS + 1) for part in ("mixing", "wide")),
)  # what may stand in the path of a graph
Ints = NDArray[np.int64]
Columns = Mapping[str, NDArray[np.int16]]  # (n,) genes of each choice, by its path


class TextLineSpace(Space):
    """Three stages of one or two inverted residual blocks, each behind a pool, then one or two layers over columns.

    Choices: ``down/height`` and ``down/length``, where each is halved; for stage k ``stage/k/blocks``, ``stage/k/1``,
    ``stage/k/2``; ``layers``; for layer k of the sequential model ``layer/k/mixing``, ``layer/k/wide``. Blocks and
    layers beyond the chosen number are not there: their genes stay as they are, and change nothing.
    ``build``: classes are the characters; shape is (channels, height, length).
    shape, classes: of the task, for costs, whatever shape is asked about. Raises BadSetting.
    """

    def __init__(self, shape: Shape = (1, 16, 48), classes: int = 20):
        self.shape, self.classes = _checked(shape, classes)
        choices = [Choice("down/height", WAYS), Choice("down/length", WAYS)]
        for k in range(1, STAGES + 1):
            choices.append(Choice(f"stage/{k}/blocks", NUMBERS))
            choices += [Choice(f"stage/{k}/{block}", OPS) for block in range(1, BLOCKS + 1)]
        choices.append(Choice("layers", NUMBERS))
        for k in range(1, LAYERS + 1):
            choices += [Choice(f"layer/{k}/mixing", MIXING), Choice(f"layer/{k}/wide", WIDE)]
        super().__init__("textline", choices)

    def canonical(self, archs: Architectures) -> NDArray[np.uint64]:
        """(n,) keys of the choices that change anything."""
        keys, there = np.zeros(len(archs), dtype=np.uint64), present(self._columns(archs))
        for path, column in self._columns(archs).items():
            keys = mix(keys + np.where(there.get(path, True), column + 1, 0).astype(np.uint64))
        return keys

    def graphs(self, archs: Architectures) -> Graphs:
        """A path of pools, blocks and layers."""
        columns = self._columns(archs)
        names = (*(f"pool {pool}" for pool in POOLS), *OPS, *MIXING, *(f"feed forward {times}" for times in WIDE))
        blocks, mixing = len(POOLS), len(POOLS) + len(OPS)
        first = {"pool": 0, "mixing": mixing, "wide": mixing + len(MIXING)}  # names of each kind begin there
        ops = np.zeros((len(archs), len(SLOTS)), dtype=np.uint8)
        for k, slot in enumerate(SLOTS):
            ops[:, k] = 1 + first.get(slot.rpartition("/")[2], blocks) + code(slot, columns)
        there = present(columns)
        return path_graphs(ops, np.stack([there.get(slot, np.ones(len(archs), bool)) for slot in SLOTS], 1), names)

    def _columns(self, archs: Architectures) -> Columns:
        return {choice.path: column for choice, column in zip(self.choices, archs.genes.T, strict=True)}

    def costs(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> NDArray[np.int64]:
        """(n, 1, v, v, 2) FLOPs and parameters of every block and layer, on the edge into it. See `shape` of the
        space.
        """
        columns = self._columns(archs)
        each, known = self._tables().each(columns), present(columns)
        there = np.stack([known.get(slot, np.ones(len(archs), bool)) for slot in SLOTS], 1)
        v = len(SLOTS) + 2
        full = np.zeros((len(archs), 1, v, v, 2), dtype=np.int64)
        rows, slots = np.nonzero(there)
        place = there.cumsum(1)[rows, slots]
        full[rows, 0, place - 1, place] = each[rows, slots]
        return full

    def totals(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> NDArray[np.int64]:
        """(n, 2) FLOPs and parameters of the whole network; see `shape` of the space."""
        return self.costs(archs).sum((1, 2, 3)) + self._tables().around

    def _tables(self) -> Any:
        building.need_torch()
        from tierwise.spaces.textline_networks import costs

        return costs(self.shape, self.classes)

    def build(self, arch: Architecture, *, classes: int, shape: Shape) -> nn.Module:
        """The network as plain PyTorch: scores (b, columns, classes + 1) of images, of which 0 is the blank. Raises
        BadArchitecture, BadSetting, MissingExtra.
        """
        building.need_torch()
        one = Architectures.of([arch], self)
        self.check(one)
        _checked(shape, classes)
        from tierwise.spaces.textline_networks import network

        chosen = {c.path: c.options[gene] for c, gene in zip(self.choices, arch.genes, strict=True)}
        return network(chosen, classes, shape)

    def format(self, archs: Architectures) -> list[str]:
        """``221 212 | 1 mbconv_k3_e1 mbconv_k5_e3 | ... | 2 recurrent 2 attention4 1``: where height and length are
        halved, the options of each stage, then of the sequential model.
        """
        ends = [g for g, c in enumerate(self.choices) if c.path.endswith("blocks") or c.path == "layers"]
        texts: list[str] = []
        for row in archs.genes.tolist():
            words = [choice.options[gene] for choice, gene in zip(self.choices, row, strict=True)]
            parts = [words[a:b] for a, b in zip([0, *ends], [*ends, None], strict=True)]
            texts.append(" | ".join(" ".join(part) for part in parts))
        return texts

    def parse(self, text: str) -> Architecture:
        """The inverse of ``format``; also ``"textline/gene-gene-..."``. Raises BadArchitecture."""
        if text.startswith(f"{self.name}/") or "|" not in text:
            return super().parse(text)
        words = text.replace("|", " ").split()
        if len(words) != len(self.choices):
            raise BadArchitecture(text, f"{len(words)} options, one for each of {len(self.choices)} choices is needed")
        for choice, word in zip(self.choices, words, strict=True):
            if word not in choice.options:
                raise BadArchitecture(text, f"{choice.path} is {word}, allowed {', '.join(choice.options)}")
        found = (choice.options.index(word) for choice, word in zip(self.choices, words, strict=True))
        return Architecture(self.name, tuple(found))

    def _identity(self) -> tuple[Any, ...]:
        return *super()._identity(), self.shape, self.classes


def present(columns: Columns) -> dict[str, NDArray[np.bool_]]:
    """(n,) whether that which may be absent is there, by choice and by slot."""
    there = {f"stage/{k}/2": columns[f"stage/{k}/blocks"] == 1 for k in range(1, STAGES + 1)}
    there |= {f"stage/{k}/pool": code(f"stage/{k}/pool", columns) > 0 for k in range(1, STAGES + 1)}
    return there | {f"layer/2/{part}": columns["layers"] == 1 for part in ("mixing", "wide")}


def code(slot: str, columns: Columns) -> Ints:
    """(n,) which of its options stands in a slot; a pool is a place in `POOLS`."""
    _, number, part = slot.split("/")
    if part != "pool":
        return columns[slot].astype(np.int64)
    halved = np.array([way[int(number) - 1] == "2" for way in WAYS])
    return 2 * halved[columns["down/height"]] + halved[columns["down/length"]]


def _checked(shape: Shape, classes: int) -> tuple[Shape, int]:
    """Raises BadSetting."""
    if len(shape) != 3 or shape[0] < 1 or shape[1] < HEIGHT or shape[2] < LENGTH:
        raise BadSetting("shape", shape, f"(channels, height, length), {HEIGHT} or more high, {LENGTH} or more long")
    if classes < 2:
        raise BadSetting("classes", classes, "2 characters or more")
    return tuple(int(size) for size in shape), classes
