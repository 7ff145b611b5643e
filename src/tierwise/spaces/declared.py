"""A space of one's own, declared in a TOML file or marked in a Python file, or a part of one: ``load_space``."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from tierwise import python_files, registry
from tierwise.errors import BadSetting, UnknownName
from tierwise.space import Shape, Space
from tierwise.spaces import declaration, part_files
from tierwise.spaces.building import Operations
from tierwise.spaces.chain import Chain, ChainNetwork, Layer
from tierwise.spaces.edges import Edges
from tierwise.spaces.formulas import FREE, Cost
from tierwise.spaces.grammar import Grammar
from tierwise.spaces.marked import program_in, space_of
from tierwise.spaces.network import Network, Stage
from tierwise.spaces.nodes import Nodes
from tierwise.spaces.sizes import Sizes, SizeStage
from tierwise.spaces.stage import StageOptions
from tierwise.spaces.stages import Stages
from tierwise.spaces.template import TemplateSpace
from tierwise.spaces.template_shapes import Template, read_template


def load_space(source: str | Path | Mapping[str, Any], operations: Operations | None = None) -> Space:
    """The space that a TOML file, or an equal dict, declares; or of a Python file and a name, ``"my_module.py:Net"``.

    ``kind`` is "edges", "nodes", "chain", "sizes", "stages" or "grammar"; the other keys are the arguments of `Edges`,
    `Nodes`, `Chain`, `Sizes`, `Stages` or `Grammar` (or "template", see `Template`), in short::

        kind = "edges"                          # name = "..." may be given; by default that of the file
        nodes = 4
        ops = ["none", "skip", "conv1x1", "conv3x3", "pool3x3"]
        zero = "none"
        identity = "skip"
        shared = ["pool3x3"]
        [cost.conv3x3]
        flops = "9*c*c*h*w"
        params = "9*c*c"
        [[network.stages]]
        cells = 5
        channels = 16
        size = 32

    A chain has ``[[layers]]``: every list in it is a choice (``kernel = [3, 5]``), ``channels`` and ``size`` may be
    fixed numbers, ``repeat = 3`` makes three of it. Sizes have ``stages = [{widths = [8, 16], depths = [1, 2]}]``;
    stages of DAGs ``stages = [{channels = 16, widths = [4, 16], ops = ["conv3x3"], activations = ["relu"]}]``.
    The kind "part" is what ``save_space`` writes: options, or members, that are left of another space.

    Networks are built, and costs counted where there are no formulas, from the names of operations: the vocabulary of
    `tierwise.networks.operations`. operations: others by name, ``make(c_in, c_out, stride)`` gives a module; in a chain
    it gets the layer's other choices by name too. On maps an output has a stride-th of the size, rounded up.

    A Python file is run; the name is that of a `Space`, or of a class or function for ``space_of``.
    Raises BadSetting, UnknownName with file and field.

    >>> load_space({"kind": "sizes", "stages": [{"widths": [8, 16], "depths": [1, 2]}]}).size
    8
    """
    own: Operations = operations or {}
    if isinstance(source, str | Path) and (python := python_files.named(str(source))):
        python_files.allow([python[0]])
        return _in_python(*python)
    given, label, name, folder = _read(source)
    models: dict[str, Any] = {**declaration.KINDS, "template": Template}
    kind = given.get("kind")
    if kind is None:
        raise BadSetting(f"{label}: kind", None, f"a key kind, one of {', '.join(models)}")
    if kind not in models:
        raise UnknownName(f"kind of space in {label}", str(kind), models)
    if kind == "template":
        return TemplateSpace(read_template(given, label), str(given.get("name") or name))
    declared: Any = _checked(models[kind], given, label)
    name = getattr(declared, "name", "") or name
    try:
        if kind == "part":
            return part_files.opened(declared, _base_of(declared.base, folder, own))
        space = _MAKERS[kind](name, declared, own)
    except BadSetting as error:
        raise BadSetting(_placed(error.setting, name, label), error.value, error.allowed) from error
    except UnknownName as error:
        raise UnknownName(_placed(error.kind, name, label, " in "), error.name, error.known) from error
    if space.size < 2:
        raise BadSetting(f"{label}: choices", f"{space.size} architecture", "at least 2 architectures to choose from")
    return space


def save_space(space: Space, path: str | Path, base: str | Path | None = None) -> None:
    """Write a smaller space as a TOML file that ``load_space`` and ``--space`` open; the whole file, or nothing.

    space: a narrowed one, or a part of one, as ``shrink`` gives it. base: what it is a part of, the TOML file that
    declares it, a Python file and a name, or a registered name; by default that of the space. The path of a file in
    the same folder or below it is kept relative, any other absolute. Raises BadSetting, UnknownName.
    """
    target, whole = Path(path), space.name if base is None else str(base)
    if whole not in registry.installed("space"):
        if base is None:
            allowed = f"the TOML file that declares the space {space.name}: save_space(space, path, base)"
            raise BadSetting("base", None, allowed)
        whole = _declaring(whole, target)
    if _base_of(whole, target.parent, {}).origin != space.origin:
        raise BadSetting("base", whole, f"what declares {space.origin!r}, of which {space!r} is a part")
    part_files.write(target, space, whole)


def _declaring(named: str, target: Path) -> str:
    """The path, in the file `target`, of what declares a space: what is named, or what that is a part of."""
    if python := python_files.named(named):
        python_files.allow([python[0]])
        return f"{_path_in(target, python[0])}:{python[1]}"
    base = Path(named)
    given, _, _, folder = _read(base)
    if given.get("kind") == "part":
        whole = str(given.get("base"))
        if whole in registry.installed("space"):
            return whole
        base = folder / whole
    return _path_in(target, base)


def _in_python(file: Path, name: str) -> Space:
    """The space of this name, or that of the class or function of this name."""
    found = python_files.value(file, name)
    if isinstance(found, Space):
        return found
    return space_of(program_in(str(file.resolve()), name))


def _path_in(target: Path, file: Path) -> str:
    file, folder = file.resolve(), target.resolve().parent
    return str(file.relative_to(folder) if file.is_relative_to(folder) else file)


def _base_of(base: str, folder: Path, operations: Operations) -> Space:
    """The whole space of a part, by its registered name or the path of its file. Raises BadSetting, UnknownName."""
    if base in registry.installed("space"):
        return registry.make("space", base)
    if python := python_files.named(base):
        python_files.check_allowed(folder / python[0])
        return _in_python(folder / python[0], python[1])
    file = folder / base
    if not file.suffix and not file.exists():
        raise UnknownName("space", base, registry.installed("space"))
    if _read(file)[0].get("kind") == "part":
        raise BadSetting("base", base, "a registered name, or a file that declares a space, not a part of one")
    return load_space(file, operations)


def _read(source: str | Path | Mapping[str, Any]) -> tuple[dict[str, Any], str, str, Path]:
    """What is declared, how messages call it, the default name of the space, and where paths begin."""
    if isinstance(source, Mapping):
        return dict(source), str(source.get("name", "space")), "space", Path()
    path = Path(source)
    try:
        text = path.read_text(encoding="utf-8")
        given: dict[str, Any] = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        return dict(given), path.name, path.stem, path.parent
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise BadSetting("file of a space", str(path), f"a readable TOML or JSON file ({error})") from error


def _placed(text: str, name: str, label: str, joint: str = ": ") -> str:
    """The field that a message names, with the file in front."""
    if f"{name}: " in text:
        return text.replace(f"{name}: ", f"{label}: ", 1)
    return f"{label}: {text}" if joint == ": " else f"{text}{joint}{label}"


def _checked(model: type[BaseModel], given: Mapping[str, Any], label: str) -> BaseModel:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        # a key that is missing may well be one that is misspelt
        first = min(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
        where = [str(part) for part in first["loc"]]
        if first["type"] == "extra_forbidden":
            known = declaration.keys_at(model, where[:-1])
            place = f" of {'.'.join(where[:-1])}" if where[:-1] else ""
            raise UnknownName(f"key{place} in {label}", where[-1], known) from error
        missing = first["type"] == "missing"
        raise BadSetting(
            f"{label}: {'.'.join(where)}",
            None if missing else first["input"],
            "this key is needed" if missing else first["msg"].removeprefix("Value error, "),
        ) from error


def _cost(given: declaration.CostFormulas | None) -> Cost:
    return FREE if given is None else Cost(str(given.flops), str(given.params))


def _cell_network(declared: declaration.Cell, operations: Operations) -> Network:
    """Where the cell stands; without formulas its costs are counted."""
    network = declared.network or declaration.CellNetwork()
    stages = tuple(Stage(s.cells, s.channels, s.size) for s in network.stages)
    costs = {op: _cost(given) for op, given in declared.cost.items()}
    return Network(stages or (Stage(),), costs, _cost(network.extra), operations, _shape(network.shape))


def _chain_network(declared: declaration.Chain | declaration.Sizes, operations: Operations) -> ChainNetwork:
    network = declared.network or declaration.ChainNetwork()
    costs = {op: _cost(given) for op, given in declared.costs().items()}
    return ChainNetwork(costs, network.inputs, _cost(network.extra), operations, _shape(network.shape))


def _shape(given: list[int] | None) -> Shape | None:
    return None if given is None else tuple(given)


def _rules(declared: declaration.Cell) -> dict[str, Any]:
    """The rules of equal networks. Raises UnknownName for an operation that is not among the ops."""
    for rule, ops in {"zero": [declared.zero], "identity": [declared.identity], "shared": declared.shared}.items():
        for op in ops:
            if op and op not in declared.ops:
                raise UnknownName(f"operation of {rule}", op, declared.ops)
    return {"zero": declared.zero, "identity": declared.identity, "shared": declared.shared}


def _edges(name: str, declared: declaration.Edges, operations: Operations) -> Space:
    edges = None if declared.edges is None else [(i, j) for i, j in declared.edges]
    rules, network = _rules(declared), _cell_network(declared, operations)
    return Edges(name, declared.nodes, declared.ops, **rules, edges=edges, network=network)


def _nodes(name: str, declared: declaration.Nodes, operations: Operations) -> Space:
    rules, network = _rules(declared), _cell_network(declared, operations)
    wiring: dict[str, Any] = {"inputs": declared.inputs, "output": declared.output, "concat": declared.concat}
    return Nodes(name, declared.nodes, declared.ops, **wiring, **rules, network=network)


def _chain(name: str, declared: declaration.Chain, operations: Operations) -> Space:
    layers: list[Layer] = []
    for k, layer in enumerate(declared.layers, start=1):
        own = layer.name or f"layer{k}"
        names = [own] if layer.repeat == 1 else [f"{own}.{i}" for i in range(1, layer.repeat + 1)]
        layers += [Layer(each, layer.choices(), layer.fixed_channels(), layer.size) for each in names]
    network = _chain_network(declared, operations)
    return Chain(name, layers, depths=declared.depths, identity=declared.identity, network=network)


def _sizes(name: str, declared: declaration.Sizes, operations: Operations) -> Space:
    stages = [SizeStage(s.widths, s.depths, s.own_widths, s.size, s.name) for s in declared.stages]
    return Sizes(name, stages, network=_chain_network(declared, operations))


def _stages(name: str, declared: declaration.Stages, operations: Operations) -> Space:
    stages = [
        StageOptions(s.channels, s.widths, s.ops, s.activations, s.stride)
        for s in declared.stages
        for _ in range(s.repeat)
    ]
    shape = _shape(declared.shape)
    return Stages(name, declared.vertices, stages, normed=declared.normed, operations=operations, shape=shape)


def _grammar(name: str, declared: declaration.Grammar, operations: Operations) -> Space:
    given = declared.model_dump(exclude={"kind", "name", "start", "productions", "shape"})
    given["topologies"] = {each: [(i, j) for i, j in edges] for each, edges in declared.topologies.items()}
    shape = _shape(declared.shape)
    return Grammar(name, declared.start, declared.productions, operations=operations, shape=shape, **given)


_MAKERS: dict[str, Any] = {
    "edges": _edges, "nodes": _nodes, "chain": _chain, "sizes": _sizes, "stages": _stages, "grammar": _grammar,
}  # fmt: skip
