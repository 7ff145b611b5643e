"""From places to terms and back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tierwise.spaces.grammar_places import Picks, Places
from tierwise.spaces.grammar_rules import Production
from tierwise.spaces.grammar_terms import Term


def written(places: Places, picks: Picks) -> Term:
    """The term of the options (p,) of places."""
    chosen, groups, at = picks.tolist(), places.groups, _numbers(places)

    def of(place: int) -> Term:
        group = groups[places.group[place]]
        option = group.options[chosen[place]]
        below = iter([of(int(part[at[place]])) for part in group.parts[chosen[place]]])

        def replaced(term: Term) -> Term:
            if not term.args:
                return next(below) if term.head in option.uses else Term(term.head, (), str(option))
            return Term(term.head, tuple(map(replaced, term.args)), str(option))

        return replaced(option.term)

    return of(next(iter(places.roots.values())))


def derivation(places: Places, term: Term) -> Picks | None:
    """The options (p,) of places whose term this is; None where there are none."""
    found = np.zeros(len(places.end), dtype=np.int16)
    shared, at, roots = dict[int, Term](), _numbers(places), set(places.roots.values())

    def derives(place: int, wanted: Term) -> bool:
        if place in shared:
            return shared[place] == wanted
        group, before = places.groups[places.group[place]], set(shared)
        for k, option in enumerate(group.options):
            if _holds(option, [int(part[at[place]]) for part in group.parts[k]], wanted, derives):
                found[place] = k
                if place in roots:
                    shared[place] = wanted
                return True
            for root in set(shared) - before:
                del shared[root]
        return False

    return found if derives(0, term) else None


def _holds(option: Production, parts: list[int], wanted: Term, derives: Callable[[int, Term], bool]) -> bool:
    """Whether a production gives this term, its symbols what stands in their places."""
    left = iter(parts)

    def same(term: Term, given: Term) -> bool:
        if not term.args and term.head in option.uses:
            return derives(next(left), given)
        alike = term.head == given.head and len(term.args) == len(given.args)
        return alike and all(same(a, b) for a, b in zip(term.args, given.args, strict=True))

    return same(option.term, wanted)


def _numbers(places: Places) -> list[int]:
    """For each place its number among those of its group."""
    numbers = [0] * len(places.end)
    for group in places.groups:
        for m, place in enumerate(group.places.tolist()):
            numbers[place] = m
    return numbers
