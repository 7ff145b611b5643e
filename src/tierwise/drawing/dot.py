"""A small graph in the language of Graphviz."""

from __future__ import annotations

import json


def dot(nodes: tuple[str, ...], edges: tuple[tuple[int, int, str], ...], *, title: str = "") -> str:
    """The graph as DOT text; nodes and edges as in ``drawing.svg``, operations as labels."""
    lines = [f"digraph {_quoted(title)} {{", "  rankdir=LR", "  node [shape=box]"]
    lines += [f"  {k} [label={_quoted(name)}]" for k, name in enumerate(nodes)]
    lines += [f"  {i} -> {j}" + (f" [label={_quoted(op)}]" if op else "") for i, j, op in edges]
    return "\n".join([*lines, "}", ""])


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
