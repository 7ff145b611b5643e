"""The choices of a program and when each is asked for, found by running it.

Each option of each choice is tried once, from the first run that asked for it. When a choice is asked for is learnt
from all runs and some more (`Presence`), until random decisions are foretold rightly.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from tierwise.architecture import Genes
from tierwise.errors import BadSetting
from tierwise.space import Choice
from tierwise.spaces.conditions import Conditions
from tierwise.spaces.picking import Run, same_options
from tierwise.spaces.presence import Presence

_CHECKED = 400  # random decisions that must be foretold rightly, one round
_REPEATED = 30  # of them that are run even if they are known, because chance may show
_ROUNDS = 10
_CHANGED = 0.15  # of the options of an earlier run, in a quarter of the random decisions


@dataclass
class Trace:
    """Runs of a program. run: from decisions, choice -> option, to what was asked and taken.

    Raises BadSetting, naming the choice, for a program whose choices cannot be learnt.
    """

    run: Callable[[Mapping[str, str]], Run]
    runs: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    _options: dict[str, tuple[str, ...]] = field(default_factory=dict[str, "tuple[str, ...]"])
    _order: list[str] = field(default_factory=list[str])
    _next: dict[int, str] = field(default_factory=dict[int, str])  # place in the tree of answers -> what is asked there
    _places: dict[tuple[int, str], int] = field(default_factory=dict[tuple[int, str], int])
    _presence: dict[str, Presence] = field(default_factory=dict[str, Presence])

    @property
    def choices(self) -> list[Choice]:
        """Every choice that was seen, in the order in which the program asks."""
        return [Choice(name, self._options[name]) for name in self._order]

    def conditions(self, seed: int = 0) -> Conditions:
        """When each choice is asked for."""
        rng = np.random.default_rng(seed)
        self._explore({})
        if not self._options:
            raise BadSetting("choices", "none", "code that picks: pick(name, options) where it builds the network")
        wrong: list[str] = []
        for _ in range(_ROUNDS):
            learnt = self._learnt()
            wrong = self._mistakes(learnt, self._random(rng))
            if not wrong:
                return learnt
        allowed = "choices that are asked for depending on some options of a few other choices"
        raise BadSetting(f"choice {', '.join(wrong)}", "no rule found that says when it is asked for", allowed)

    def _learnt(self) -> Conditions:
        """Conditions that agree with every run."""
        agreed = -1
        while agreed < len(self.runs):  # what one choice asks about may be news of another one
            agreed = len(self.runs)
            always = set(self._order).intersection(*self.runs)
            for name in self._order:
                if name not in always:
                    presence = self._presence.setdefault(name, Presence(name, self._taken, self._options))
                    presence.fit(self.runs)
        terms = {
            name: [{other: frozenset(kept) for other, kept in term.kept.items()} for term in presence.terms]
            for name, presence in self._presence.items()
        }
        return Conditions(self.choices, terms)

    def _taken(self, decided: Mapping[str, str]) -> dict[str, str]:
        """What is taken, from memory where an earlier run has shown it."""
        place, taken = 0, dict[str, str]()
        while name := self._next.get(place):
            taken[name] = decided.get(name, self._options[name][0])
            place = self._places.get((place, taken[name]), -1)
        if place < 0:
            self._explore(decided)
            return self._taken(decided)
        return taken

    def _explore(self, decided: Mapping[str, str]) -> list[str]:
        """Run, and try every option of what is new; what this very run was the first to ask for."""
        first = self._note(decided)
        new = [(name, self.runs[-1]) for name in first]
        while new:
            name, seen = new.pop(0)
            for option in self._options[name]:
                if option != seen[name]:
                    new += [(other, self.runs[-1]) for other in self._note({**seen, name: option})]
        return first

    def _note(self, decided: Mapping[str, str]) -> list[str]:
        """One run; the names of choices that no run has asked for before."""
        run = self.run(decided)
        self._check(run)
        before, new = "", list[str]()
        for name, options in run.asked.items():
            if name not in self._options:
                new.append(name)
                self._options[name] = options
                self._order.insert(self._order.index(before) + 1 if before else 0, name)
            before = name
        self.runs.append(run.taken)
        return new

    def _check(self, run: Run) -> None:
        """Raises BadSetting where the same answers as in an earlier run have led to another question."""
        place = 0
        for name, options in [*run.asked.items(), ("", ())]:
            if name and self._options.get(name, options) != options:
                raise BadSetting(f"choice {name}", list(options), same_options(self._options[name]))
            known = self._next.setdefault(place, name)
            if known != name:
                given = f"after the same answers the code picks now {known or 'no more'}, now {name or 'no more'}"
                allowed = "choices that follow from the options of other choices alone, not from chance, time or order"
                raise BadSetting(f"choice {name or known}", given, allowed)
            place = self._places.setdefault((place, run.taken.get(name, "")), len(self._places) + 1)

    def _mistakes(self, learnt: Conditions, genes: Genes) -> list[str]:
        """The choices of which the conditions say wrong in some of these decisions."""
        choices, wrong = self.choices, set[str]()
        known = {frozenset(run.items()) for run in self.runs}
        for k, (row, asked) in enumerate(zip(genes.tolist(), learnt.asked(genes).tolist(), strict=True)):
            decided = {choice.path: choice.options[gene] for choice, gene in zip(choices, row, strict=True)}
            foretold = {choice.path for choice, there in zip(choices, asked, strict=True) if there}
            if k >= _REPEATED and frozenset((name, decided[name]) for name in foretold) in known:
                continue  # the very run, so it is right
            new = self._explore(decided)
            wrong |= set(new) or foretold ^ self.runs[-1].keys()
        return sorted(wrong)

    def _random(self, rng: np.random.Generator) -> Genes:
        """(m, choices) random decisions, a quarter near runs that asked for some choice or did not; or all, if few."""
        choices = self.choices
        counts = [len(choice.options) for choice in choices]
        if math.prod(counts) <= _CHECKED:
            every = np.array(list(itertools.product(*map(range, counts))), dtype=np.int16)
            return np.resize(every, (max(len(every), _REPEATED), len(choices)))
        genes = rng.integers(0, counts, size=(_CHECKED, len(choices)), dtype=np.int16)
        for at, row in enumerate(genes[::4]):
            some = self._order[int(rng.integers(len(choices)))]
            like = [run for run in self.runs if (some in run) == bool(at % 2)] or self.runs
            run, kept = like[int(rng.integers(len(like)))], rng.random(len(choices)) >= _CHANGED
            for k, choice in enumerate(choices):
                if kept[k] and choice.path in run:
                    row[k] = choice.options.index(run[choice.path])
        return genes
