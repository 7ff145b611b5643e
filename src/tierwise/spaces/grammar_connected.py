"""The constraint that no part of a term is cut: productions from which only connected terms can be derived.

It is checked while deriving: symbols that may stand for a bare ``zero`` are split into one that does and one that does
not, and productions are kept where some way through them stays open. That is the intersection of a grammar with a tree
automaton, which is a grammar again (Comon et al., "Tree Automata Techniques and Applications", 2008); so terms are
still counted, drawn and ranked exactly.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

from tierwise.errors import BadSetting
from tierwise.spaces.grammar_rules import Production, Rules
from tierwise.spaces.grammar_terms import Term
from tierwise.spaces.grammar_topologies import Wiring, wiring

ZEROS = ("zero", "none")
MOST = 4_096  # productions that one becomes
_OPEN, _CUT = True, False


def connected(rules: Rules) -> tuple[str, dict[str, list[str]]]:
    """The start and the productions, as text, of the terms of which no part is cut.

    A part is whatever has arguments; it is cut where each way through it meets a ``zero``. A symbol X with both kinds
    of terms becomes X.open and X.cut, and depth is that of open symbols. Raises BadSetting where nothing is left, for
    shared symbols with both kinds, and for productions that become too many.
    """
    kinds = _kinds(rules)
    for symbol in rules.shared:
        if len(kinds[symbol]) > 1:
            raise BadSetting(
                "shared", symbol, "with connected terms a symbol that stands for a bare zero always or never"
            )
    if _OPEN not in kinds[rules.start]:
        raise BadSetting("connected", rules.name, "a grammar of which some term lets something through")
    names = {(s, kind): _name(s, kind, kinds) for s in kinds for kind in kinds[s]}
    versions: dict[str, list[str]] = {}
    left = [(rules.start, _OPEN), *((s, kind) for s in rules.shared for kind in kinds[s])]
    while left:
        version = left.pop()
        if names[version] in versions:
            continue
        texts = versions[names[version]] = list[str]()
        for production, chosen in _allowed(rules, kinds, *version):
            named = iter([names[use, kind] for use, kind in zip(production.uses, chosen, strict=True)])
            texts += [str(_renamed(production.term, production.uses, named))] * production.weight
            left += zip(production.uses, chosen, strict=True)
    return names[rules.start, _OPEN], versions


def _name(symbol: str, kind: bool, kinds: Mapping[str, set[bool]]) -> str:
    return symbol if len(kinds[symbol]) == 1 else f"{symbol}.{'open' if kind else 'cut'}"


def _kinds(rules: Rules) -> dict[str, set[bool]]:
    """Whether the terms of each symbol are open, cut, or some of them each."""
    kinds: dict[str, set[bool]] = {symbol: set() for symbol in rules.productions}
    news = True
    while news:
        news = False
        for symbol, each in rules.productions.items():
            for production in each:
                found = {kind for _, kind in _results(production, kinds, rules.topologies)} - {None} - kinds[symbol]
                kinds[symbol] |= {kind for kind in found if kind is not None}
                news |= bool(found)
    return kinds


def _results(
    production: Production, kinds: Mapping[str, set[bool]], own: Mapping[str, Wiring]
) -> Iterator[tuple[tuple[bool, ...], bool | None]]:
    """Kinds of the symbols in a production, and what it then is: open, cut, or (None) a part that is cut.

    Raises BadSetting for too many.
    """
    if math.prod(len(kinds[use]) for use in production.uses) > MOST:
        allowed = f"fewer symbols that may be zero; at most {MOST:,} ways in which some of them are"
        raise BadSetting("connected", str(production), allowed)
    for chosen in itertools.product(*(sorted(kinds[use]) for use in production.uses)):
        yield chosen, _kind(production.term, production.uses, iter(chosen), own)


def _allowed(
    rules: Rules, kinds: Mapping[str, set[bool]], symbol: str, kind: bool
) -> Iterator[tuple[Production, tuple[bool, ...]]]:
    """The productions of this kind, with the kinds of the symbols in them."""
    for production in rules.productions[symbol]:
        for chosen, result in _results(production, kinds, rules.topologies):
            if result is kind:
                yield production, chosen


def _kind(term: Term, uses: Sequence[str], kinds: Iterator[bool], own: Mapping[str, Wiring]) -> bool | None:
    """Open, cut, or None where a part of the term is cut."""
    if not term.args:
        return next(kinds) if term.head in uses else term.head not in ZEROS
    parts = [_kind(arg, uses, kinds, own) for arg in term.args]
    if None in parts:
        return None
    edges = wiring(term.head, len(parts), own)
    reached = {0}
    for (source, target), part in zip(edges, parts, strict=True):  # edges into a node stand before those that leave it
        if part and source in reached:
            reached.add(target)
    return _OPEN if max(target for _, target in edges) in reached else None


def _renamed(term: Term, uses: Sequence[str], names: Iterator[str]) -> Term:
    """The term with the versions of its symbols."""
    if not term.args:
        return Term(next(names)) if term.head in uses else Term(term.head)
    return Term(term.head, tuple(_renamed(arg, uses, names) for arg in term.args))
