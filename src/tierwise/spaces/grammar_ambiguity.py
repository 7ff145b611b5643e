"""Whether a grammar of terms derives some term in two ways; exact, because terms show all their parentheses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tierwise.spaces.grammar_terms import Term

_Pair = tuple[Term, Term]


def two_derivations(productions: Mapping[str, Sequence[Term]]) -> tuple[str, Term, Term, Term] | None:
    """A symbol, two of its productions and a term that both derive; None where every term has one derivation.

    Two derivations of a term differ first where one symbol is replaced in two ways, and what these derive in common
    is found as the intersection of tree languages is: Comon et al., "Tree Automata Techniques and Applications" (2008).
    """
    asked = [(s, a, b) for s, each in productions.items() for k, b in enumerate(each) for a in each[:k]]
    pairs = _needed([(a, b) for _, a, b in asked], productions)
    common: dict[_Pair, Term] = {}
    news = True
    while news:  # from the shortest terms upwards
        found = {pair: term for pair in pairs if pair not in common and (term := _shared(pair, common, productions))}
        common |= found
        news = bool(found)
    return next(((s, a, b, common[a, b]) for s, a, b in asked if (a, b) in common), None)


def _steps(pair: _Pair, productions: Mapping[str, Sequence[Term]]) -> list[list[_Pair]]:
    """Alternatives: lists of pairs that have a term in common all at once if, and only if, this pair has one."""
    a, b = pair
    if a.head in productions and not a.args:
        return [[(term, b)] for term in productions[a.head]]
    if b.head in productions and not b.args:
        return [[(a, term)] for term in productions[b.head]]
    alike = a.head == b.head and len(a.args) == len(b.args)
    return [list(zip(a.args, b.args, strict=True))] if alike else []


def _needed(pairs: Sequence[_Pair], productions: Mapping[str, Sequence[Term]]) -> list[_Pair]:
    """These pairs and all that they lead to."""
    found, left = dict.fromkeys(pairs), list(pairs)
    while left:
        for alternative in _steps(left.pop(), productions):
            new = [pair for pair in alternative if pair not in found]
            found |= dict.fromkeys(new)
            left += new
    return list(found)


def _shared(pair: _Pair, common: Mapping[_Pair, Term], productions: Mapping[str, Sequence[Term]]) -> Term | None:
    """A term that both derive, from what is known of others."""
    replaced = any(not term.args and term.head in productions for term in pair)
    for alternative in _steps(pair, productions):
        if all(each in common for each in alternative):
            parts = tuple(common[each] for each in alternative)
            return parts[0] if replaced else Term(pair[0].head, parts)
    return None
