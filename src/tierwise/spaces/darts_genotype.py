"""Texts of DARTS cells: the genotypes of the literature and the configurations of NAS-Bench-301, read without eval."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from itertools import chain
from typing import Any

from tierwise.errors import BadArchitecture

CELLS = ("normal", "reduce")
NODES = (2, 3, 4, 5)
FORM = (
    "Genotype(normal=[('sep_conv_3x3', 0), ... 8 pairs], normal_concat=[2, 3, 4, 5], reduce=[...], reduce_concat=...)"
)
LONGEST = 20_000  # characters; a configuration of NAS-Bench-301 has about 2,500
_FIELDS = ("normal", "normal_concat", "reduce", "reduce_concat")
_PREFIX = "NetworkSelectorDatasetInfo:darts:"
Edge = tuple[str, int]


def write(cells: Sequence[Sequence[Edge]]) -> str:
    """The genotype of a normal and a reduction cell, each eight edges."""
    normal, reduce = (", ".join(f"({op!r}, {node})" for op, node in edges) for edges in cells)
    concat = list(NODES)
    return f"Genotype(normal=[{normal}], normal_concat={concat}, reduce=[{reduce}], reduce_concat={concat})"


def read(text: str, ops: Sequence[str]) -> list[list[Edge]]:
    """The eight edges (operation, predecessor) of the normal and of the reduction cell. Raises BadArchitecture.

    Every operation is one of `ops`; edges come in pairs, one for each node in order.
    """
    if len(text) > LONGEST:
        raise BadArchitecture(text[:60] + "...", f"{len(text):,} characters, at most {LONGEST:,}")
    cells = _of_configuration(text, ops) if text.strip().startswith("{") else _of_genotype(text, ops)
    for name, edges in zip(CELLS, cells, strict=True):
        if len(edges) != 2 * len(NODES):
            raise BadArchitecture(text, f"{len(edges)} edges in {name}, this space has 8: two for each of four nodes")
    return cells


def _known(cells: list[list[Edge]], ops: Sequence[str], text: str) -> None:
    for op, _ in chain.from_iterable(cells):
        if op not in ops:
            raise BadArchitecture(text, f"operation {op!r} is not in this space: {', '.join(ops)}")


def _of_genotype(text: str, ops: Sequence[str]) -> list[list[Edge]]:
    try:
        call = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise BadArchitecture(text, f"expected the form {FORM}") from error
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.func.id != "Genotype":
        raise BadArchitecture(text, f"expected the form {FORM}")
    given = dict(zip(_FIELDS, call.args, strict=False)) | {str(k.arg): k.value for k in call.keywords}
    if set(given) != set(_FIELDS) or len(call.args) + len(call.keywords) != len(_FIELDS):
        raise BadArchitecture(text, f"expected the form {FORM}")
    lists = [_literal(given[name], text) for name in CELLS]
    if not all(isinstance(edges, list | tuple) for edges in lists):
        raise BadArchitecture(text, f"expected the form {FORM}")
    cells = [[_edge(item, text) for item in edges] for edges in lists]
    _known(cells, ops, text)  # the first thing to say of cells of another space
    for name in CELLS:
        concatenated = _numbers(given[f"{name}_concat"], text)
        if sorted(concatenated) != list(NODES):
            raise BadArchitecture(text, f"{name}_concat is {concatenated}, this space concatenates {list(NODES)}")
    return cells


def _numbers(node: ast.expr, text: str) -> list[int]:
    """A list of numbers, or ``range(2, 6)``."""
    is_range = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range"
    values = [_literal(x, text) for x in node.args] if is_range and isinstance(node, ast.Call) else _literal(node, text)
    if not isinstance(values, list | tuple) or not all(type(x) is int and 0 <= x < 100 for x in values):
        raise BadArchitecture(text, "what is concatenated is a list of nodes, or range(2, 6)")
    return list(range(*values)) if is_range and 1 <= len(values) <= 2 else list(values)


def _literal(node: ast.expr, text: str) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, MemoryError, RecursionError) as error:
        raise BadArchitecture(text, f"expected the form {FORM}") from error


def _edge(item: Any, text: str) -> Edge:
    if isinstance(item, tuple | list) and len(item) == 2:
        op, node = item
        if isinstance(op, str) and type(node) is int:
            return op, node
    raise BadArchitecture(text, f"{item!r} is no edge such as ('sep_conv_3x3', 0)")


def _of_configuration(text: str, ops: Sequence[str]) -> list[list[Edge]]:
    """NAS-Bench-301: edges into node j are numbered from 0, 2, 5 and 9, and ``inputs_node_..._j`` is such as "0_2"."""
    try:
        try:
            values = json.loads(text)
        except ValueError:
            values = ast.literal_eval(text.strip())
        fields = {str(key).removeprefix(_PREFIX): value for key, value in values.items()}
    except (ValueError, SyntaxError, TypeError, AttributeError, MemoryError, RecursionError) as error:
        raise BadArchitecture(text, "expected a dictionary of NAS-Bench-301, as JSON or as Python writes it") from error
    cells: list[list[Edge]] = []
    for cell in CELLS:
        edges: list[Edge] = []
        for node, first in zip(NODES, (0, 2, 5, 9), strict=True):
            inputs = str(fields.get(f"inputs_node_{cell}_{node}", "0_1" if node == NODES[0] else None))
            for source in inputs.split("_"):
                number = int(source) if source.isascii() and source.isdigit() and len(source) < 3 else -1
                op = fields.get(f"edge_{cell}_{first + number}")
                if number < 0 or not isinstance(op, str):
                    raise BadArchitecture(text, f"inputs of node {node} of {cell} are {inputs!r}, without operations")
                edges.append((op, number))
        cells.append(edges)
    _known(cells, ops, text)
    return cells
