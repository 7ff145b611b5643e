"""Terms: architectures as nested functions, ``series(residual(conv3x3, id), linear)``; text, and how far two differ."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tierwise.errors import BadSetting

_TOKEN = re.compile(r"\s*([^\s(),]+|[(),])")


@dataclass(frozen=True, slots=True)
class Term:
    """A function of other terms, or with none a primitive. made_by: the production that it comes from, for messages."""

    head: str
    args: tuple[Term, ...] = ()
    made_by: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.head}({', '.join(map(str, self.args))})" if self.args else self.head

    def leaves(self) -> Iterator[str]:
        """The heads without arguments, from left to right."""
        if not self.args:
            yield self.head
        for arg in self.args:
            yield from arg.leaves()


def read_term(text: str) -> Term:
    """The term that a text is. Raises BadSetting."""
    tokens, at = list[str](), 0
    while match := _TOKEN.match(text, at):
        tokens.append(match[1])
        at = match.end()
    try:
        term, end = _read(tokens, 0)
    except (IndexError, ValueError):
        term, end = Term(""), -1
    if text[at:].strip() or end != len(tokens):
        raise BadSetting("term", text, "a name, or a name and terms in parentheses: series(conv3x3, id)")
    return term


def _read(tokens: Sequence[str], at: int) -> tuple[Term, int]:
    """The term that begins here, and where it ends. Raises ValueError, IndexError."""
    head = tokens[at]
    if head in "(),":
        raise ValueError
    at += 1
    if at == len(tokens) or tokens[at] != "(":
        return Term(head), at
    args = list[Term]()
    while tokens[at] != ")":
        if tokens[at] != ("," if args else "("):
            raise ValueError
        arg, at = _read(tokens, at + 1)
        args.append(arg)
    return Term(head, tuple(args)), at + 1


def distance(a: Term, b: Term) -> int:
    """The least number of single edits that make `b` of `a`: another head for a node, a leaf less or a leaf more.

    From: Selkow, "The tree-to-tree editing problem" (1977): what is taken out or put in are whole sub-terms, so that a
    node keeps its place below its parent.

    >>> distance(read_term("series(conv3x3, id)"), read_term("series(conv1x1, id, id)"))
    2
    """
    return _Edits().between(a, b)


class _Edits:
    """Equal sub-terms have one number, and two numbers are compared once."""

    def __init__(self) -> None:
        self._number: dict[tuple[str, tuple[int, ...]], int] = {}
        self._nodes: list[tuple[str, tuple[int, ...], int]] = []  # head, arguments, how many nodes in all
        self._known: dict[tuple[int, int], int] = {}

    def between(self, a: Term, b: Term) -> int:
        return self._compare(self._numbered(a), self._numbered(b))

    def _numbered(self, term: Term) -> int:
        key = term.head, tuple(map(self._numbered, term.args))
        if key not in self._number:
            self._number[key] = len(self._nodes)
            self._nodes.append((*key, 1 + sum(self._nodes[arg][2] for arg in key[1])))
        return self._number[key]

    def _compare(self, a: int, b: int) -> int:
        if a == b:
            return 0
        if (a, b) not in self._known:
            (head, args, _), (other, others, _) = self._nodes[a], self._nodes[b]
            self._known[a, b] = int(head != other) + self._sequences(args, others)
        return self._known[a, b]

    def _sequences(self, args: Sequence[int], others: Sequence[int]) -> int:
        """Arguments in order against arguments in order."""
        row = [0]
        for other in others:
            row.append(row[-1] + self._nodes[other][2])
        for arg in args:
            size, before = self._nodes[arg][2], row
            row = [before[0] + size]
            for k, other in enumerate(others):
                kept = before[k] + self._compare(arg, other)
                row.append(min(kept, before[k + 1] + size, row[k] + self._nodes[other][2]))
        return row[-1]
