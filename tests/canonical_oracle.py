"""Canonical forms of cells, the slow and obvious way: the independent oracle of ``Space.canonical``.

A node's value is a sum of terms. A term is the input or an operation on a node's value. A convolution
(anything with weights) is an individual and has a number. A weightless operation on equal values is the same
term. The form is the output's expression, written out, with the numbers chosen so that the text is smallest.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence

Term = tuple[object, ...]
Value = tuple[tuple[Term, int], ...]  # sorted terms and how often each is summed up


def canonical_form(cell: Sequence[str], nodes: int, *, zero: str, identity: str, shared: Sequence[str]) -> str:
    """The smallest text of the network that this cell, one op an edge, computes."""
    output = _output(cell, nodes, zero, identity, shared)
    kinds: dict[int, str] = {}
    _convolutions(output, kinds)
    groups: dict[str, list[int]] = {}
    for number, kind in kinds.items():
        groups.setdefault(kind, []).append(number)
    order = sorted(groups)
    forms: list[str] = []
    for permuted in itertools.product(*(itertools.permutations(groups[kind]) for kind in order)):
        numbers = {number: place for place, number in enumerate(itertools.chain(*permuted))}
        forms.append(_text(output, numbers))
    return min(forms)


def _output(cell: Sequence[str], nodes: int, zero: str, identity: str, shared: Sequence[str]) -> Value:
    values: list[Value] = [((("in",), 1),)]
    edges = [(i, j) for j in range(1, nodes) for i in range(j)]
    for j in range(1, nodes):
        total: Counter[Term] = Counter()
        for number, ((i, target), op) in enumerate(zip(edges, cell, strict=True)):
            if target != j or op == zero or not values[i]:
                continue
            if op == identity:
                total.update(dict(values[i]))
            elif op in shared:
                total[(op, values[i])] += 1
            else:
                total[(op, values[i], number)] += 1
        values.append(tuple(sorted(total.items(), key=repr)))
    return values[-1]


def _convolutions(value: Value, kinds: dict[int, str]) -> None:
    """The number of every convolution that counts, and its text with all numbers left out."""
    for term, _ in value:
        if len(term) == 3:
            kinds[term[2]] = _term(term, None)  # type: ignore[index]
        if len(term) > 1:
            _convolutions(term[1], kinds)  # type: ignore[arg-type]


def _text(value: Value, numbers: dict[int, int] | None) -> str:
    return "+".join(sorted(f"{count}*{_term(term, numbers)}" for term, count in value))


def _term(term: Term, numbers: dict[int, int] | None) -> str:
    if len(term) == 1:
        return "in"
    name = str(term[0])
    if len(term) == 3:
        name += "#" if numbers is None else f"#{numbers[term[2]]}"  # type: ignore[index]
    return f"{name}({_text(term[1], numbers)})"  # type: ignore[arg-type]
