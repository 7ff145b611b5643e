"""When a choice is asked for, learnt by asking the program: terms are grown from runs and cut back by others.

After Angluin, "Queries and Concept Learning" (1988), who learns monotone formulas in disjunctive normal form from
examples and membership queries. Choices of several options, which need not be monotone, and the cutting back are ours.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tierwise.errors import BadSetting

Taken = Mapping[str, str]  # choice -> option, in the order of asking
_MOST_TERMS = 100


@dataclass
class _Term:
    """A run that asks for the choice, and of the choices before it the options that others may not leave."""

    base: dict[str, str]
    kept: dict[str, set[str]]

    def covers(self, taken: Taken) -> bool:
        """Whether the answers of a run alone make it hold."""
        return all(taken.get(name) in kept for name, kept in self.kept.items())

    def allows(self, taken: Taken) -> bool:
        """Whether it may hold with the answers of a run."""
        return all(taken.get(name, next(iter(kept))) in kept for name, kept in self.kept.items())


@dataclass
class Presence:
    """What is known of when `name` is asked for. run: from decisions to what was taken; options: of every choice."""

    name: str
    run: Callable[[Taken], Taken]
    options: Mapping[str, tuple[str, ...]]
    terms: list[_Term] = field(default_factory=list[_Term])
    _grew: set[int] = field(default_factory=set[int])  # runs of which there was a term
    _agreed: int = 0  # so many runs agree

    def fit(self, runs: Sequence[Taken]) -> None:
        """Agree with every run; `runs` may grow meanwhile. Raises BadSetting where that takes too many terms."""
        while self._agreed < len(runs):
            self._agreed = 0 if self._corrected(runs, self._agreed) else self._agreed + 1

    def _corrected(self, runs: Sequence[Taken], at: int) -> bool:
        """Whether a run has changed something, so that earlier ones may not agree any more."""
        taken = runs[at]
        if self.name not in taken:
            wrong = [term for term in self.terms if term.allows(taken)]
            for term in wrong:
                self._cut(term, taken)
            return bool(wrong)
        if not any(term.covers(taken) for term in self.terms):
            if len(self.terms) == _MOST_TERMS:
                allowed = "a choice that is asked for depending on some options of a few other choices"
                raise BadSetting(f"choice {self.name}", "no rule found that says when it is asked for", allowed)
            without = [run for run in runs if self.name not in run]
            grown = self._grown(taken, [] if at in self._grew else without)
            self.terms.append(grown if grown.covers(taken) else self._grown(taken, []))
            self._grew.add(at)
            return True
        return False

    def _asked(self, decided: Taken) -> bool:
        return self.name in self.run(decided)

    def _grown(self, taken: Taken, without: Sequence[Taken]) -> _Term:
        """The term of a run: a choice before it is free if the choice is asked for with all of its options.

        without: runs that do not ask for it. What is free takes the option that is usual there, lest the term hold for
        another reason than it says.
        """
        base, kept, seen = dict(taken), dict[str, set[str]](), set[str]()
        while left := [other for other in self._before(base) if other not in seen]:
            other = left[0]
            seen.add(other)
            mine = base.setdefault(other, self.options[other][0])
            good = [o for o in self.options[other] if o != mine and self._asked({**base, other: o})]
            if len(good) + 1 < len(self.options[other]):
                kept[other] = {mine, *good}
            elif without:
                usual = Counter(run.get(other) for run in without)
                base[other] = max(self.options[other], key=lambda option: usual[option])
        there = set(self._before(base))
        return _Term(base, {other: options for other, options in kept.items() if other in there})

    def _before(self, decided: Taken) -> list[str]:
        return list(itertools.takewhile(lambda other: other != self.name, self.run(decided)))

    def _cut(self, term: _Term, taken: Taken) -> None:
        """Take away the option that, on the way from the term's run to one without the choice, makes the difference.

        Where a choice makes it that the term's run does not ask for, the option that has led there.
        """
        own, at, last = self.run(term.base), dict(term.base), ("", "")
        for other, option in taken.items():
            if own.get(other, option) != option:
                last = other, option
            at[other] = option
            if not self._asked(at):
                term.kept.setdefault(last[0], set(self.options[last[0]])).discard(last[1])
                return
