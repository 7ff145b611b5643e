"""Several networks as one program: equal operations of different networks become one call.

Small networks spend more time calling operations than computing them. All networks are traced, and their operations
scheduled as in dynamic batching (Neubig et al., "On-the-fly Operation Batching in Dynamic Computation Graphs", 2017):
of all that is ready, the kind that is least deep on average goes next. The networks need not be alike; what has no
stacked form is computed one after the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, fx, nn
from torch.fx.proxy import TraceError

from tierwise.errors import TrainingFailed
from tierwise.evaluators.fused_ops import stacked

Place = tuple[int, int]  # which stacked value, and which of its networks


@dataclass(frozen=True)
class _Gather:
    """An operand out of stacked values: slices of some of them, then an order; None = as they are."""

    sources: tuple[tuple[int, Tensor | None], ...]
    order: Tensor | None

    def __call__(self, values: Sequence[Tensor]) -> Tensor:
        parts = [values[k] if rows is None else values[k].index_select(1, rows) for k, rows in self.sources]
        whole = parts[0] if len(parts) == 1 else torch.cat(parts, 1)
        return whole if self.order is None else whole.index_select(1, self.order)


class Fused(nn.Module):
    """(b, k, ...) inputs to (b, k, classes) scores of k networks, whose present weights it takes over.

    shape: of one input. Raises TrainingFailed for a network that does not take it, or differs in its classes.
    """

    def __init__(self, networks: Sequence[nn.Module], shape: Sequence[int]):
        super().__init__()
        graphs = [_traced(network, shape) for network in networks]
        sizes = {tuple(_output(graph).meta["shape"]) for graph in graphs}
        if len(sizes) > 1:
            raise TrainingFailed(f"networks trained together must have scores of one shape, these have {sorted(sizes)}")
        self.steps = nn.ModuleList()
        self.operands: list[list[_Gather]] = []
        places, counts = dict[fx.Node, Place](), [len(graphs)]  # of networks in each stacked value, the first the input
        for k, graph in enumerate(graphs):
            places[next(node for node in graph.graph.nodes if node.op == "placeholder")] = (0, k)
        for group in _schedule(graphs):
            group.sort(key=lambda member: places[member[1].all_input_nodes[0]])
            nodes = [node for _, node in group]
            modules = [g.get_submodule(cast(str, n.target)) if n.op == "call_module" else None for g, n in group]
            self.steps.append(stacked(nodes, modules))
            columns = zip(*(_operands(node) for node in nodes), strict=True)
            self.operands.append([_gather([places[node] for node in column], counts) for column in columns])
            places.update({node: (len(self.steps), place) for place, node in enumerate(nodes)})
            counts.append(len(nodes))
        self.result = _gather([places[_output(graph)] for graph in graphs], counts)

    def forward(self, x: Tensor) -> Tensor:
        """(b, k, classes) scores."""
        values = [x]
        for step, operands in zip(self.steps, self.operands, strict=True):
            values.append(step(*(gather(values) for gather in operands)))
        return self.result(values)


def _traced(network: nn.Module, shape: Sequence[int]) -> fx.GraphModule:
    """The network as a graph whose nodes know their shapes; one that cannot be looked into is one single node."""
    try:
        graph = fx.symbolic_trace(network)
        _propagate(graph, shape)
        if _transparent(graph):
            return graph
    except (TraceError, TypeError, NameError, AttributeError):  # its own control flow needs real tensors
        pass
    whole = fx.Graph()
    whole.output(whole.call_module("0", (whole.placeholder("x"),)))
    graph = fx.GraphModule(nn.Sequential(network), whole)
    _propagate(graph, shape)
    return graph


class _Shapes(fx.Interpreter):
    """Notes the shape of every value in its node; None for what is no tensor."""

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        n.meta["shape"] = tuple(value.shape) if isinstance(value, Tensor) else None
        return value


def _propagate(graph: fx.GraphModule, shape: Sequence[int]) -> None:
    training = {name: module.training for name, module in graph.named_modules()}
    graph.eval()  # batch norms keep their statistics
    kind = next((p.dtype for p in graph.parameters()), torch.float32)
    try:
        with torch.no_grad():
            _Shapes(graph).run(torch.zeros(2, *shape, dtype=kind))
    except (RuntimeError, ValueError, IndexError) as error:
        raise TrainingFailed(f"the network does not take inputs of shape {tuple(shape)}: {error}") from error
    finally:
        for name, module in graph.named_modules():
            module.training = training[name]


def _transparent(graph: fx.GraphModule) -> bool:
    """Whether stacking its nodes computes the same: only tensors, no weights shared or read directly, nothing in place
    on a value that others read, no settings that change between training and use.
    """
    targets = [node.target for node in graph.graph.nodes if node.op == "call_module"]
    for node in graph.graph.nodes:
        if node.op == "get_attr" or (node.op != "output" and node.meta["shape"] is None):
            return False
        if node.op in ("call_function", "call_method") and "dropout" in str(node.target):
            return False
        module = graph.get_submodule(node.target) if node.op == "call_module" else None
        if getattr(module, "inplace", False) and any(len(read.users) > 1 for read in node.all_input_nodes):
            return False
        if module is not None and targets.count(node.target) > 1 and any(True for _ in module.parameters()):
            return False
    return sum(node.op == "placeholder" for node in graph.graph.nodes) == 1


def _output(graph: fx.GraphModule) -> fx.Node:
    return next(node for node in graph.graph.nodes if node.op == "output").all_input_nodes[0]


def _operands(node: fx.Node) -> list[fx.Node]:
    """The nodes that it reads, one that is read twice twice."""
    read: list[fx.Node] = []
    fx.map_arg((node.args, node.kwargs), lambda n: read.append(n) or n)
    return read


def _schedule(graphs: Sequence[fx.GraphModule]) -> list[list[tuple[fx.GraphModule, fx.Node]]]:
    """Groups of nodes of equal signature, in an order in which everything is computed before it is read."""
    depth: dict[fx.Node, int] = {}
    missing: dict[fx.Node, int] = {}
    owner: dict[fx.Node, fx.GraphModule] = {}
    ready: dict[str, list[fx.Node]] = defaultdict(list)

    def done(node: fx.Node) -> None:
        for user in node.users:
            if user.op != "output":
                missing[user] -= 1
                if not missing[user]:
                    ready[_signature(owner[user], user)].append(user)

    for graph in graphs:
        for node in graph.graph.nodes:
            depth[node] = 1 + max((depth[read] for read in node.all_input_nodes), default=0)
            missing[node], owner[node] = len(node.all_input_nodes), graph
    for graph in graphs:
        for node in graph.graph.nodes:
            if node.op == "placeholder":
                done(node)
    groups: list[list[tuple[fx.GraphModule, fx.Node]]] = []
    while ready:
        chosen = min(ready, key=lambda kind: (sum(depth[n] for n in ready[kind]) / len(ready[kind]), kind))
        nodes = ready.pop(chosen)
        groups.append([(owner[node], node) for node in nodes])
        for node in nodes:
            done(node)
    return groups


def _signature(graph: fx.GraphModule, node: fx.Node) -> str:
    """Equal for nodes that one stacked operation can compute: the same call on operands of the same shapes."""
    shapes = [read.meta["shape"] for read in _operands(node)]
    if node.op == "call_module":
        module = graph.get_submodule(cast(str, node.target))
        own = "" if type(module).__module__.startswith("torch.nn") else str(id(module))
        return f"{type(module).__name__} {module.extra_repr()} {shapes} {own}"
    constants = fx.map_arg((node.args, node.kwargs), lambda _: None)  # pyright: ignore[reportArgumentType]
    return f"{node.target} {constants} {shapes}"


def _gather(wanted: Sequence[Place], counts: Sequence[int]) -> _Gather:
    """How to bring these places into one stacked tensor, in this order."""
    rows: dict[int, list[int]] = {}
    for value, place in wanted:
        rows.setdefault(value, []).append(place)
    grouped = [(value, place) for value, places in rows.items() for place in places]
    sources = tuple(
        (value, None if places == list(range(counts[value])) else torch.tensor(places))
        for value, places in rows.items()
    )
    left: dict[Place, list[int]] = defaultdict(list)
    for position, place in enumerate(grouped):
        left[place].append(position)
    order = [left[place].pop(0) for place in wanted]
    return _Gather(sources, None if order == list(range(len(order))) else torch.tensor(order))
