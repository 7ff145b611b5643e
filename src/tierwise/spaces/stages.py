"""Networks of stages, each a DAG on a few vertices with a width, an operation and an activation of its own.

Neumeyer, Stier and Granitzer, "Efficient NAS with FaDE on Hierarchical Spaces" (2024), searches the graphs alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Architecture, Architectures, Genes, Graph, Graphs
from tierwise.errors import BadArchitecture, BadSetting
from tierwise.space import Choice, Shape, Space, mix
from tierwise.spaces import building, dags
from tierwise.spaces.building import Operations
from tierwise.spaces.edges import check_ops
from tierwise.spaces.stage import ATTRIBUTES, StageOptions
from tierwise.spaces.stage_costs import Plan, StageCosts

if TYPE_CHECKING:
    from torch import nn

Ints = NDArray[np.int64]


class Stages(Space):
    """Stages in a row; a stage is a DAG whose edges all carry the operation of the stage.

    vertices: of each DAG, at most six. Choices are, for stage k = 1, 2, ..., a bit for each pair of vertices
    (``stage1/0-1``), then ``stage1/width``, ``stage1/op``, ``stage1/activation``: a mutation flips one bit of a graph
    or changes one other option. Isomorphic graphs are one network. normed: candidates end with batch norm.
    operations: of the user's own by name, see `load_space`. shape: of an input, for costs; else that which is asked
    about. What is built: `tierwise.networks.staged`. Raises BadSetting for what makes no stages.
    """

    identity_op = "skip"  # what edges from an input carry

    def __init__(
        self,
        name: str,
        vertices: int,
        stages: Sequence[StageOptions],
        *,
        normed: bool = True,
        operations: Operations | None = None,
        shape: Shape | None = None,
    ):
        if not stages:
            raise BadSetting("stages", [], "one stage or more")
        self.vertices, self.stages, self.normed, self.shape = vertices, tuple(stages), normed, shape
        self.own, self.pairs = operations or {}, dags.pairs(vertices)
        self._names = list(dict.fromkeys(text for stage in stages for text in stage.operations()))
        check_ops([*self._names, self.identity_op])
        choices: list[Choice] = []
        for k, stage in enumerate(stages, start=1):
            choices += [Choice(f"stage{k}/{i}-{j}", ("0", "1")) for i, j in self.pairs]
            choices += [Choice(f"stage{k}/{name}", o) for name, o in zip(ATTRIBUTES, stage.options, strict=True)]
        super().__init__(name, choices)

    # ---- its parts, for a `Region` ---------------------------------------------------------------------------

    @property
    def blocks(self) -> tuple[slice, ...]:
        """The genes of each stage."""
        size = len(self.choices) // len(self.stages)
        return tuple(slice(k, k + size) for k in range(0, len(self.choices), size))

    def block_keys(self, stage: int, genes: Genes) -> NDArray[np.uint64]:
        """(n,) keys of candidates (n, genes of a stage), equal where they are the same."""
        masks, others = self._parts(genes)
        keys = dags.canonical(self.vertices)[masks].astype(np.uint64)
        for column in others.T:
            keys = mix(keys) + column.astype(np.uint64)
        return mix(keys)

    def block_text(self, stage: int, genes: Sequence[int]) -> str:
        """One stage as text: edges, width, operation, activation."""
        return self.stages[stage].text(self.pairs, genes)

    def block_graph(self, stage: int, genes: Sequence[int]) -> Graph:
        """One stage as a graph, for a drawing: its input, its vertices, its output."""
        op = self.stages[stage].options[ATTRIBUTES.index("op")][genes[len(self.pairs) + ATTRIBUTES.index("op")]]
        nodes = ("input", *["sum"] * self.vertices, "output")
        return Graph(nodes, tuple((i, j, op if i else "") for i, j in self._edges(genes)))

    def skeleton(self, shape: Shape, classes: int) -> tuple[list[nn.Module], nn.Module]:
        """Modules: what stands before each stage, and behind the last one. Raises BadSetting, MissingExtra."""
        return self._plan(shape).skeleton(classes)

    def stage_module(self, stage: int, genes: Sequence[int], shape: Shape) -> nn.Module:
        """The candidate with these genes, for inputs of the network of `shape`. Raises BadSetting, MissingExtra."""
        plan = self._plan(shape)
        return plan.candidate(stage, self._edges(genes), plan.step(stage, genes[len(self.pairs) :]))

    def _edges(self, genes: Sequence[int]) -> list[tuple[int, int]]:
        """Edges of one stage; 0 is its input, the vertices follow, then its output."""
        count = len(self.pairs)
        wired = dags.wiring(dags.masks(np.asarray([genes[:count]]).reshape(1, count)), self.vertices)[0]
        return [(int(i), int(j)) for i, j in np.argwhere(wired)]

    def _plan(self, shape: Shape) -> Plan:
        building.need_torch()
        return Plan(self.name, self.stages, building.checked_shape(shape), self.normed, self.own)

    # ---- what a space gives ----------------------------------------------------------------------------------

    def build(self, arch: Architecture, *, classes: int, shape: Shape) -> nn.Module:
        """The network as plain PyTorch. Raises BadArchitecture, BadSetting, MissingExtra."""
        self.check(Architectures.of([arch], self))
        with building.naming(arch):
            before, end = self.skeleton(shape, classes)
            stages = [self.stage_module(k, arch.genes[block], shape) for k, block in enumerate(self.blocks)]
            from tierwise.networks.staged import staged_network

            return staged_network(before, stages, end)

    def canonical(self, archs: Architectures) -> NDArray[np.uint64]:
        """(n,) keys: isomorphic graphs are equal."""
        keys = np.zeros(len(archs), dtype=np.uint64)
        for k, block in enumerate(self.blocks):
            keys = mix(keys + self.block_keys(k, archs.genes[:, block]))
        return keys

    def _parts(self, genes: Genes) -> tuple[Ints, Genes]:
        """(n,) graphs of one stage, and (n, 3) its other genes."""
        count = len(self.pairs)
        return dags.masks(genes[:, :count]), genes[:, count:]

    def graphs(self, archs: Architectures) -> Graphs:
        """The DAGs of all stages, one behind the other: the output of one is the input of the next. Edges carry
        operations, ``conv3x3/relu/16`` of 16 channels; those from an input pass it on.
        """
        names = (*self._names, self.identity_op, "input", "sum", "output")
        skip = len(self._names) + 1
        node_op = np.full((len(archs), 1 + (self.vertices + 1) * len(self.stages)), skip + 2, dtype=np.uint8)
        node_op[:, 0], node_op[:, -1] = skip + 1, skip + 3
        edge_op = np.zeros((*node_op.shape, node_op.shape[1]), dtype=np.uint8)
        for k, (place, wired, others) in enumerate(self._wired(archs)):
            codes = np.array([self._names.index(text) + 1 for text in self.stages[k].operations()], dtype=np.uint8)
            counts = [len(options) for options in self.stages[k].options]
            code = codes[np.ravel_multi_index(tuple(others.T.astype(np.int64)), counts)]
            edge_op[:, place, place] += wired * code[:, None, None]
            edge_op[:, place.start, place] = wired[:, 0] * np.uint8(skip)
        return Graphs(node_op, edge_op, names)

    def _wired(self, archs: Architectures) -> list[tuple[slice, NDArray[np.bool_], Genes]]:
        """For each stage its nodes in `graphs`, (n, v, v) its edges, and (n, 3) its other genes."""
        size, found = self.vertices + 1, list[tuple[slice, NDArray[np.bool_], Genes]]()
        for k, block in enumerate(self.blocks):
            masks, others = self._parts(archs.genes[:, block])
            found.append((slice(k * size, (k + 1) * size + 1), dags.wiring(masks, self.vertices), others))
        return found

    def costs(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> NDArray[np.int64]:
        """(n, 1, v, v, 2) FLOPs and parameters of every operation, counted from modules."""
        counted, v = self._counted(shape, classes), 1 + (self.vertices + 1) * len(self.stages)
        full = np.zeros((len(archs), 1, v, v, 2), dtype=np.int64)
        for k, (place, wired, others) in enumerate(self._wired(archs)):
            wired[:, 0] = False
            full[:, 0, place, place] += wired[..., None] * counted.operations[k, *others.T][:, None, None]
        return full

    def totals(self, archs: Architectures, *, classes: int = 10, shape: Shape = (3, 32, 32)) -> NDArray[np.int64]:
        """(n, 2) FLOPs and parameters of the full network: projections, stem, reductions and classifier too."""
        counted = self._counted(shape, classes)
        total = np.repeat(counted.skeleton[None], len(archs), axis=0)
        for k, (_, wired, others) in enumerate(self._wired(archs)):
            operations = wired[:, 1:].sum((1, 2))[:, None] * counted.operations[k, *others.T]
            total += operations + counted.projections[k, others[:, 0]]
        return total

    def _counted(self, shape: Shape, classes: int) -> StageCosts:
        plan = self._plan(self.shape or shape)
        known: dict[Any, StageCosts] = self._cache.setdefault("costs", {})
        if (plan.shape, classes) not in known:
            known[plan.shape, classes] = plan.costs(classes)
        return known[plan.shape, classes]

    # ---- text ------------------------------------------------------------------------------------------------

    def format(self, archs: Architectures) -> list[str]:
        """``01.12 8 conv3x3 relu | - 16 ...``: edges, width, operation and activation of each stage."""
        blocks = self.blocks
        rows = archs.genes.tolist()
        return [" | ".join(self.block_text(k, row[block]) for k, block in enumerate(blocks)) for row in rows]

    def parse(self, text: str) -> Architecture:
        """The inverse of ``format``; also ``"space/gene-gene-..."``. Raises BadArchitecture."""
        if text.startswith(f"{self.name}/"):
            return super().parse(text)
        parts = text.split("|")
        if len(parts) != len(self.stages):
            raise BadArchitecture(text, f"{self.name} has {len(self.stages)} stages, written with | between them")
        genes: list[int] = []
        for k, (stage, part) in enumerate(zip(self.stages, parts, strict=True), start=1):
            try:
                genes += stage.genes(self.pairs, part)
            except ValueError as error:
                raise BadArchitecture(text, f"stage {k}: {error}") from error
        return Architecture(self.name, tuple(genes))

    def _identity(self) -> tuple[Any, ...]:
        return *super()._identity(), self.vertices, repr(self.stages), self.normed, self.shape
