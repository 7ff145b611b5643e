"""The productions of a grammar, read and checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tierwise.errors import BadSetting, UnknownName
from tierwise.spaces.grammar_ambiguity import two_derivations
from tierwise.spaces.grammar_terms import Term, read_term
from tierwise.spaces.grammar_topologies import Wiring, wiring


@dataclass(frozen=True)
class Production:
    """What may stand for a symbol. weight: how often it is written. uses: the symbols in it, from left to right."""

    symbol: str
    term: Term
    weight: int
    uses: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.symbol} -> {self.term}"


@dataclass(frozen=True)
class Rules:
    """A context-free grammar of terms.

    start: the symbol that architectures are derived from. productions: symbol -> what may stand for it.
    shared: symbols for all of whose uses the same sub-term stands. depth: how deep recursive symbols may be nested in
    each other, 0 where there is no recursion. topologies: those of one's own.
    """

    name: str
    start: str
    productions: Mapping[str, tuple[Production, ...]]
    shared: tuple[str, ...]
    depth: int
    topologies: Mapping[str, Wiring]

    def reached(self, symbol: str, *, through_shared: bool = True) -> set[str]:
        """The symbols that are used by productions of this one, and by theirs."""
        found, left = set[str](), [symbol]
        while left:
            uses = {use for production in self.productions[left.pop()] for use in production.uses} - found
            found |= uses
            left += [use for use in uses if through_shared or use not in self.shared]
        return found

    def recursive(self) -> frozenset[str]:
        """The symbols that are nested in themselves."""
        return frozenset(s for s in self.productions if s in self.reached(s, through_shared=False))

    def heights(self, among: Iterable[str] | None = None) -> dict[str, int]:
        """How deep recursive symbols must be nested to end, for each symbol that ends at all.

        among: the symbols that may be used, by default all. A shared symbol has a depth of its own.
        """
        recursive = self.recursive()
        usable = set(self.productions if among is None else among)
        height: dict[str, int] = {}
        while True:
            better = dict(height)
            for symbol in usable:
                ways = [
                    max((0 if use in self.shared else height[use] for use in p.uses), default=0)
                    for p in self.productions[symbol]
                    if all(use in height for use in p.uses)
                ]
                if ways:
                    better[symbol] = min(ways) + (symbol in recursive)
            if better == height:
                return height
            height = better

    def options(self, symbol: str, depth: int, heights: Mapping[str, int]) -> tuple[Production, ...]:
        """The productions that end where recursive symbols may still be nested so deep, this one included."""
        left = depth - (symbol in self.recursive())
        return tuple(
            p for p in self.productions[symbol] if all(use in self.shared or heights[use] <= left for use in p.uses)
        )


def read_rules(
    name: str,
    start: str,
    productions: Mapping[str, Sequence[str] | str],
    *,
    shared: Sequence[str] = (),
    depth: int | None = None,
    topologies: Mapping[str, Wiring],
) -> Rules:
    """The grammar of these productions, each a term as text, or several joined by ``|``.

    Raises BadSetting, UnknownName for symbols that are undefined, unreachable, never end or have two derivations of one
    term, and for recursion without a depth.
    """
    texts = {symbol: _texts(symbol, given) for symbol, given in productions.items()}
    for what, named in (("start", [start]), ("shared symbol", shared)):
        for symbol in named:
            if symbol not in texts:
                raise UnknownName(what, symbol, texts)
    read = {symbol: _productions(symbol, each, texts, topologies) for symbol, each in texts.items()}
    rules = Rules(name, start, read, tuple(dict.fromkeys(shared)), depth or 0, topologies)
    _check_ends(rules)
    _check_reached(rules)
    _check_shared(rules)
    _check_depth(rules, depth)
    if found := two_derivations({s: [p.term for p in each] for s, each in read.items()}):
        symbol, first, second, term = found
        allowed = f"at most one derivation of each term; {symbol} -> {first} and {symbol} -> {second} both give {term}"
        raise BadSetting("productions", f"ambiguous symbol {symbol}", allowed)
    return rules


def _texts(symbol: str, given: Sequence[str] | str) -> list[str]:
    texts = [text.strip() for each in ([given] if isinstance(given, str) else given) for text in each.split("|")]
    if not texts or not all(texts) or not symbol.strip():
        raise BadSetting(f"productions.{symbol}", given, "one term or more, none empty")
    return texts


def _productions(
    symbol: str, texts: Sequence[str], symbols: Mapping[str, object], topologies: Mapping[str, Wiring]
) -> tuple[Production, ...]:
    terms = Counter(_term(symbol, text) for text in texts)
    for term in terms:
        try:
            _check_term(term, symbols, topologies)
        except BadSetting as error:
            raise BadSetting(f"{error.setting} in {symbol} -> {term}", error.value, error.allowed) from error
        except UnknownName as error:
            raise UnknownName(f"{error.kind} in {symbol} -> {term}", error.name, error.known) from error
    uses = {term: tuple(leaf for leaf in term.leaves() if leaf in symbols) for term in terms}
    return tuple(Production(symbol, term, weight, uses[term]) for term, weight in terms.items())


def _term(symbol: str, text: str) -> Term:
    try:
        return read_term(text)
    except BadSetting as error:
        raise BadSetting(f"productions.{symbol}", text, error.allowed) from error


def _check_term(term: Term, symbols: Mapping[str, object], topologies: Mapping[str, Wiring]) -> None:
    """Raises UnknownName, BadSetting: names without a small letter are symbols, what has arguments is a topology."""
    if term.args:
        wiring(term.head, len(term.args), topologies)
    elif term.head not in symbols and term.head == term.head.upper():
        raise UnknownName("symbol", term.head, symbols)
    for arg in term.args:
        _check_term(arg, symbols, topologies)


def _check_ends(rules: Rules) -> None:
    endless = [symbol for symbol in rules.productions if symbol not in rules.heights()]
    if endless:
        allowed = "symbols of which some production ends; every production of these leads back to them"
        raise BadSetting("productions", f"endless {', '.join(endless)}", allowed)


def _check_reached(rules: Rules) -> None:
    reached = {rules.start} | rules.reached(rules.start)
    lost = [symbol for symbol in rules.productions if symbol not in reached]
    if lost:
        allowed = f"symbols that are reached from {rules.start}; take these out, or use them"
        raise BadSetting("productions", f"unreachable {', '.join(lost)}", allowed)


def _check_shared(rules: Rules) -> None:
    for symbol in rules.shared:
        if symbol == rules.start or symbol in rules.reached(symbol):
            raise BadSetting("shared", symbol, "symbols other than the start that do not lead back to themselves")
        if rules.start in rules.heights(set(rules.productions) - {symbol}):
            allowed = f"symbols that every term uses; some terms of {rules.start} do without {symbol}"
            raise BadSetting("shared", symbol, allowed)


def _check_depth(rules: Rules, depth: int | None) -> None:
    recursive = sorted(rules.recursive())
    if not recursive and depth is not None:
        raise BadSetting("depth", depth, "none, because no symbol leads back to itself")
    height = rules.heights()
    least = max(height[symbol] for symbol in (rules.start, *rules.shared))
    if recursive and (depth is None or depth < max(least, 1)):
        allowed = f"a whole number, {max(least, 1)} or more: how deep {', '.join(recursive)} may be nested"
        raise BadSetting("depth", depth, allowed)
