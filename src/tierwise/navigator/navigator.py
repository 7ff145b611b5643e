"""A study to look at and to steer: every number that a page shows, without a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tierwise.architecture import Architecture, Architectures
from tierwise.errors import BadSetting, UnknownName
from tierwise.navigator.batch import Batch, batch_of
from tierwise.navigator.components import Effects, Of, effects_of
from tierwise.navigator.curve import Curve, curve_of
from tierwise.navigator.facts import SelectionFacts
from tierwise.navigator.facts import facts_of as selection_facts
from tierwise.navigator.log import PreviewFacts, SteeringFacts, log, next_steps, preview_facts, regret_facts
from tierwise.navigator.obstacles import obstacles
from tierwise.navigator.selection import Selection, chosen
from tierwise.navigator.table import TablePage, page
from tierwise.navigator.tiers import TierFacts, tier_facts
from tierwise.navigator.trials import state_of
from tierwise.navigator.watching import Watching
from tierwise.preview import TOP
from tierwise.space import Space
from tierwise.steer_row import FIELDS, OPTIONAL


class Navigator(Watching):
    """What there is to see of a study, and to say about it; safe to be used from several threads.

    study: open. benchmark: what it is run on, where there is one. truth: whether columns of the table that the search
    has not seen are shown. total: evaluations aimed at, where somebody has said.

    >>> from tierwise import Study, make
    >>> study = Study(None, make("space", "nasbench201"), "random", lambda arch: float(sum(arch.genes)))
    >>> study.run(12)
    Reasons(stop='12 evaluations are done')
    >>> Navigator(study).state().finished
    12
    """

    def curve(self) -> Curve:
        """How the best result has risen."""
        return curve_of(self)

    def batch(self) -> Batch:
        """What waits for its evaluation, and what runs."""
        return batch_of(self)

    # ---- steering ----------------------------------------------------------------------------------------

    def steering(self) -> SteeringFacts:
        """The log of what people have said, and what is left of the space."""
        with self.lock:
            steers, steering = self.study.steers(), self.study.steering()
            left, count = self._log.left(steers, self.study), self._log.now(steering, len(steers), self.study)
            preferred = None if steering.preferred is None else str(steering.preferred.count())
            rows = log(steers, self.study.rows, self.study.objective, left)
            size = str(self.study.space.size)
            said = len(rows), rows, str(count), size, preferred, *next_steps(steers), float(steering.audit)
            return SteeringFacts(*said, regret_facts(self.study.ban_regret()))

    def steer(self, kind: str, who: str, base: int | None, what: Mapping[str, Any]) -> SteeringFacts:
        """Write a steering row. base: the rows that `who` has seen. Raises BadSetting, Conflict, Outdated ..."""
        with self.lock:
            self.study.steer(kind, who=who, base=base, **self._fields(kind, what))
            return self.steering()

    def preview(self, kind: str, what: Mapping[str, Any]) -> PreviewFacts:
        """What a steering row would do. Raises BadSetting, UnknownName, BadArchitecture."""
        snapshot = self.snapshot()
        score = snapshot.column("predicted")
        top = np.argsort(-np.nan_to_num(score, nan=-np.inf), kind="stable")[:TOP]
        top = top[np.isfinite(score[top])]
        with self.lock:
            scores = snapshot.archs[top], score[top]
            return preview_facts(self.study.preview(kind, scores=scores, k=TOP, **self._fields(kind, what)))

    def _fields(self, kind: str, what: Mapping[str, Any]) -> dict[str, Any]:
        """Fields of a row that came from elsewhere: none but those that there are. Raises BadSetting, UnknownName."""
        if kind not in FIELDS:
            raise UnknownName("kind of steering", kind, FIELDS)
        known = {*(name for names in FIELDS[kind] for name in names), *OPTIONAL.get(kind, ()), "reason"}
        for name in what:
            if name not in known:
                raise BadSetting(f"steering {kind}", name, f"{', '.join(sorted(known))}")
        fields = dict(what)
        if isinstance(text := fields.get("architecture"), str):
            fields["architecture"] = whole_text(text, self.study.space)
        return fields

    def undo(self, who: str, base: int | None = None) -> SteeringFacts:
        """Take the latest row in force back. Raises BadSetting, Outdated."""
        with self.lock:
            self.study.undo(who, base=base)
            return self.steering()

    def redo(self, who: str, base: int | None = None) -> SteeringFacts:
        """Say again what the latest undo took back. Raises BadSetting, Conflict, Outdated."""
        with self.lock:
            self.study.redo(who, base=base)
            return self.steering()

    # ---- parts of the map --------------------------------------------------------------------------------

    def select(self, selection: Selection) -> SelectionFacts:
        """What there is to say of a part of the map. Raises BadSetting, UnknownName."""
        snapshot = self.snapshot()
        return selection_facts(snapshot, chosen(snapshot, selection))

    def tiers(self, selection: Selection, edges: list[float] | None = None) -> TierFacts:
        """What its tiers are made of; edges: least predicted score of each but the last. Raises BadSetting."""
        snapshot, scores = self.snapshot(), self.predictions.scores
        return tier_facts(snapshot, chosen(snapshot, selection), None if scores is None else scores.edges, edges)

    def effects(self, selection: Selection, of: Of = "result") -> Effects:
        """How good each option is in it, by results or predictions. Raises BadSetting."""
        snapshot = self.snapshot()
        with self.lock:
            steering, steers = self.study.steering(), self.study.steers()
        return effects_of(snapshot, chosen(snapshot, selection), of, steering, steers)

    def table(self, selection: Selection, evaluated: bool, columns: Sequence[str], **order: Any) -> TablePage:
        """A page of its rows; evaluated: only those with a result. Raises BadSetting, UnknownName."""
        snapshot = self.snapshot()
        mask = chosen(snapshot, selection)
        if evaluated:
            mask = mask & np.isfinite(snapshot.values["result"])
        return page(snapshot, mask, columns, **order)

    # ---- one architecture --------------------------------------------------------------------------------

    def arch(self, row: int | None = None, text: str | None = None) -> Architecture:
        """By its row on the map, or by its text. Raises BadSetting, BadArchitecture."""
        if (row is None) == (text is None):
            raise BadSetting("architecture", (row, text), "a row of the map, or a text")
        if text is not None:
            return self.study.space.parse(whole_text(text, self.study.space))
        assert row is not None
        if not 0 <= row < len(self.population):
            raise BadSetting("row", row, f"0 to {len(self.population) - 1}")
        return self.population.archs[row]

    def trial_of(self, one: Architectures) -> int | None:
        """The trial that evaluates one network (a batch of one) in full, None where none does."""
        with self.lock:
            return self.record.trial_of(int(self.study.space.canonical(one)[0]))

    def obstacles(self, one: Architectures) -> list[str]:
        """Why one architecture (a batch of one) can not be proposed now; nothing where it can."""
        trial = self.trial_of(one)
        with self.lock:
            state = "" if trial is None else state_of(self.record.rows[trial - 1])
            taken = "" if trial is None else f"{'evaluated' if state == 'done' else state}: trial {trial}"
            return obstacles(self.study, one, taken, self.study.steering(), self.study.steers())

    def percentile(self, score: float | None) -> float | None:
        """Which share of the map a prediction is above, in percent."""
        if score is None or self.predictions.scores is None:
            return None
        return 100 * float((self.predictions.scores.score <= score).mean())


def whole_text(text: str, space: Space) -> str:
    """Genes alone, as tables show them, with the name of the space."""
    alone = text.count("-") == len(space.choices) - 1 and text.replace("-", "").replace("_", "").isdecimal()
    return f"{space.name}/{text}" if alone else text
