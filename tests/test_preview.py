"""A preview is what happens, conflicts are the fewest rows, an undo leaves nothing behind."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.evaluators import score
from tests.small_spaces import Flat, Grid, Unordered
from tierwise import Study
from tierwise.architecture import Architectures
from tierwise.errors import BadSetting, Conflict, Outdated, UnknownName
from tierwise.insight.effects import effects
from tierwise.steering import Steer, Steering

OPTIONS = "abcd"


class Costly:
    """An accuracy, and a cost that is known beforehand."""

    def __call__(self, arch: Any) -> dict[str, float]:
        return score(arch)

    def known(self, name: str, archs: Architectures) -> Any:
        return archs.genes.sum(1).astype(float) if name == "cost" else None


# ---- rows in words of our own: whether one gene row fulfils what a row says ---------------------------------------

PATHS = st.integers(0, 3)
RULES = {
    "count(a) >= 2": lambda genes: sum(gene == 0 for gene in genes) >= 2,
    "count(d) == 0": lambda genes: 3 not in genes,
    "cost < 7": lambda genes: sum(genes) < 7,
    'pick("layer/1") == "b" or cost >= 9': lambda genes: genes[1] == 1 or sum(genes) >= 9,
}

LAST = sorted(RULES)[-1]


def by_options(kind: str, place: int, options: list[str]) -> tuple[str, dict[str, Any], Any]:
    values = {OPTIONS.index(option) for option in options}
    what: dict[str, Any] = {"choice": f"layer/{place}"}
    what |= {"option": options[0]} if kind in ("pin", "ban") else {"options": options}
    values = {OPTIONS.index(options[0])} if kind in ("pin", "ban") else values
    return kind, what, lambda genes: genes[place] in values


HARD = st.one_of(
    st.builds(
        by_options,
        st.sampled_from(["narrow", "pin", "ban"]),
        PATHS,
        st.lists(st.sampled_from(OPTIONS), min_size=1, max_size=3, unique=True),
    ),
    st.builds(
        lambda kind, rule: (kind, {"rule": rule}, RULES[rule]),
        st.sampled_from(["narrow", "ban"]),
        st.sampled_from(sorted(RULES)),
    ),
)
SOFT = st.builds(
    by_options,
    st.sampled_from(["prefer", "avoid"]),
    PATHS,
    st.lists(st.sampled_from(OPTIONS), min_size=1, max_size=2, unique=True),
)


def keeps(row: tuple[str, Any, Any], genes: tuple[int, ...]) -> bool:
    """Whether a row leaves an architecture where it is allowed, or points to it."""
    kind, _, holds = row
    return holds(genes) != (kind in ("ban", "avoid"))


def every(limit: float) -> list[tuple[int, ...]]:
    return [genes for genes in itertools.product(range(4), repeat=4) if sum(genes) <= limit]


def new_study(limit: float, trials: int) -> Study:
    study = Study(None, Grid(), "random", Costly(), limits={"cost": limit})
    study.run(trials)
    return study


@settings(max_examples=40, deadline=None)
@given(
    said=st.lists(st.one_of(HARD, SOFT), max_size=4),
    row=st.one_of(HARD, HARD, SOFT),
    limit=st.sampled_from([4.0, 8.0, 12.0]),
)
@example(
    said=[("narrow", {"rule": "cost < 7"}, RULES["cost < 7"]), by_options("narrow", 1, ["a"])],
    row=("narrow", {"rule": LAST}, RULES[LAST]),
    limit=4.0,
)
def test_a_preview_is_what_a_look_at_every_architecture_says(said: list[Any], row: Any, limit: float):
    with new_study(limit, 30) as study:
        before: list[Any] = []
        for kind, what, holds in said:
            if any(all(keeps(r, genes) for r in [*before, (kind, what, holds)]) for genes in every(limit)):
                study.steer(kind, **what)
                before.append((kind, what, holds))
            else:
                with pytest.raises(Conflict):
                    study.steer(kind, **what)
        hard = [each for each in before if each[0] not in ("prefer", "avoid")]
        soft = [each for each in before if each not in hard]
        rng = np.random.default_rng(0)
        archs = study.space.enumerate()
        scores = rng.permutation(len(archs)).astype(float)
        seen = study.preview(row[0], scores=(archs, scores), k=20, **row[1])

        allowed = [genes for genes in every(limit) if all(keeps(r, genes) for r in hard)]
        assert seen.before == len(allowed)
        possible = any(all(keeps(r, genes) for r in [*before, row]) for genes in every(limit))
        assert (seen.conflict is None) == possible
        if not possible:
            check_conflict(before, row, limit, seen.conflict)
            return
        is_soft = row[0] in ("prefer", "avoid")
        after = [genes for genes in allowed if is_soft or keeps(row, genes)]
        assert seen.left == len(after)
        kept = [genes for genes in after if all(keeps(r, genes) for r in [*soft, row])] if is_soft else after
        assert seen.preferred == (len(kept) if is_soft else None)
        done = [trial.arch.genes for trial in study.trials()]
        assert (seen.evaluated, seen.evaluated_lost) == (30, sum(g in allowed and g not in kept for g in done))
        best = study.best()[0].arch.genes
        assert seen.best_lost == (best in allowed and best not in kept)
        top = [tuple(archs.genes[k].tolist()) for k in np.argsort(-scores)[:20]]
        assert (seen.top, seen.top_lost) == (20, sum(g in allowed and g not in kept for g in top))
        study.steer(row[0], **row[1])
        assert study.allowed(study.steering()).count == seen.left


def check_conflict(before: list[Any], row: Any, limit: float, conflict: Conflict | None) -> None:
    """Together with the new row its rows leave nothing, without any one of them they leave something."""
    assert conflict is not None
    needed = [before[said.id - 1] for said in conflict.rows]

    def leaves(rows: list[Any]) -> bool:
        return any(all(keeps(r, genes) for r in rows) for genes in every(limit))

    assert not leaves([*needed, row])
    for left_out in needed:
        assert leaves([*(each for each in needed if each is not left_out), row])
    for said in conflict.rows:
        assert f"row {said.id}: {said.kind}" in str(conflict)


def test_conflicts_are_named_as_they_were_typed_and_nothing_is_written():
    with new_study(8, 3) as study:
        study.steer("narrow", choice="layer/0", options=["a", "b"], who="anna")
        study.steer("narrow", choice="layer/3", options=["a", "d"])
        study.steer("ban", rule="count(b) >= 1", who="bob")
        rows = study.steers()
        with pytest.raises(Conflict) as caught:
            study.steer("pin", choice="layer/0", option="b")
        assert "row 3 of bob: ban --rule 'count(b) >= 1'" in str(caught.value)
        assert [row.id for row in caught.value.rows] == [3]
        with pytest.raises(Conflict, match="row 1 of anna: narrow layer/0 a b") as caught:
            study.steer("narrow", choice="layer/0", options=["c"])
        assert [row.id for row in caught.value.rows] == [1]
        with pytest.raises(Conflict, match="within the limits") as caught:
            study.steer("narrow", rule="cost > 8")
        assert caught.value.rows == []
        assert study.steers() == rows


def test_what_cannot_be_wanted_names_the_rows_that_are_in_the_way():
    with new_study(12, 3) as study:
        study.steer("ban", choice="layer/0", option="a")
        study.steer("ban", architecture="grid/1-1-1-1")
        for text, rows in (("grid/0-1-1-1", [1]), ("grid/1-1-1-1", [2]), (str(study.trials()[0].arch), None)):
            conflict = study.preview("evaluate", architecture=text).conflict
            assert conflict is not None
            assert rows is None or [row.id for row in conflict.rows] == rows
        with pytest.raises(UnknownName):
            study.preview("ban", choice="layer/9", option="a")


def test_banned_and_vetoed_networks_are_not_left_in_any_notation():
    space = Unordered()
    with Study(None, space, "random", score) as study:
        members = space.enumerate()
        seen = study.preview("ban", architecture=str(members[60]))
        assert (seen.before, seen.left) == (len(members), len(members) - 1)
        arch = study.ask(1)[0].arch
        assert study.preview("veto", trial=1).left == len(members) - 1
        study.steer("veto", trial=1)
        study.steer("ban", architecture=str(members[60]))
        gone = 1 if space.canonical(members[[60]])[0] == space.canonical(Architectures.of([arch], space))[0] else 2
        assert study.allowed(study.steering()).count == len(members) - gone


def test_a_space_too_large_to_be_swept_is_counted_exactly_without_rules_and_about_with_them():
    with Study(None, Flat(), "random", score) as study:
        whole = 2**40 * 3**40
        assert study.preview("ban", choice="layer/1", option="deep").left == whole // 3 * 2
        about = study.preview("narrow", rule='pick("layer/0") == "wide"').left
        assert abs(about / whole - 0.5) < 0.02


# ---- evidence -----------------------------------------------------------------------------------------------------


def test_evidence_is_the_effect_of_what_a_row_names():
    with Study(None, "nasbench201", "random", score) as study:
        study.run(150)
        done = study.history().done
        genes = done.archs.genes
        table = effects(done.archs, done.y)
        option = study.preview("ban", choice="cell/0-2", option="none").evidence
        assert option is not None
        assert (option.n, option.effect) == (table.count[1, 0], table.effect[1, 0])
        assert (option.low, option.high) == (table.low[1, 0], table.high[1, 0])
        for kind, what, has in (
            (
                "narrow",
                {"choice": "cell/1-2", "options": ["none", "nor_conv_3x3"]},
                np.isin(genes[:, 2], [0, 3]),
            ),
            ("ban", {"rule": "count(none) >= 2"}, (genes == 0).sum(1) >= 2),
        ):
            found = study.preview(kind, **what).evidence
            assert found is not None
            assert found.effect is not None
            assert found.n == has.sum()
            assert found.effect == pytest.approx(done.y[has].mean() - done.y[~has].mean())
            assert found.low is not None
            assert found.high is not None
            assert found.low < found.effect < found.high
            assert found.thin == (min(has.sum(), (~has).sum()) < 20 or found.low < 0 < found.high)
        assert study.preview("ban", architecture="nasbench201/3-3-3-3-3-3").evidence is None
        nobody = study.preview("ban", rule="count(none) >= 6").evidence
        assert nobody is not None
        assert (nobody.n, nobody.effect, nobody.thin) == ((genes == 0).all(1).sum(), None, True)


# ---- undo and redo ------------------------------------------------------------------------------------------------


def rows_of(said: list[Any]) -> list[Steer]:
    return [Steer(k, 0.0, "", 0, kind, what) for k, (kind, what, _) in enumerate(said, start=1)]


@settings(max_examples=60, deadline=None)
@given(said=st.lists(st.one_of(HARD, SOFT), max_size=4), row=st.one_of(HARD, SOFT))
def test_undo_takes_back_what_was_said_last_and_redo_says_it_again(said: list[Any], row: Any):
    with Study(None, Grid(), "random", Costly(), limits={"cost": 12}) as study:
        for each in [*said, row]:
            try:
                study.steer(each[0], **each[1])
            except Conflict:
                continue
        rows = study.steers()
        meant = [Steering.of(study.space, rows[:k], study.rule_columns) for k in range(len(rows) + 1)]
        for k in reversed(range(len(rows))):
            study.undo("anna")
            assert study.steering() == meant[k]
        with pytest.raises(BadSetting, match="one steering row"):
            study.undo()
        for k in range(len(rows)):
            study.redo("anna")
            assert same(study.steering(), meant[k + 1])
        with pytest.raises(BadSetting, match="right after an undo"):
            study.redo()


def same(one: Steering, other: Steering) -> bool:
    """But for the numbers of the rows."""
    parts = [(row.kind, row.what, part) for row, part in one.parts]
    return (one.left, one.preferred, one.share, parts) == (
        other.left,
        other.preferred,
        other.share,
        [(row.kind, row.what, part) for row, part in other.parts],
    )


def test_a_redo_ends_where_something_else_was_said():
    with Study(None, Grid(), "random", score) as study:
        study.steer("ban", choice="layer/0", option="a")
        study.steer("pause")
        study.undo()
        study.undo()
        assert study.redo() == 5
        study.steer("note", text="this one stays", row=5)
        with pytest.raises(BadSetting, match="right after an undo"):
            study.redo()
        study.undo()
        assert [row.kind for row in study.steers()] == ["ban", "pause", "retract", "retract", "ban", "note", "retract"]
        row = study.redo()
        assert study.steers()[row - 1].kind == "note"


def test_who_has_not_seen_the_latest_is_told_what_it_is(tmp_path: Path):
    with Study(tmp_path / "a.db", Grid(), "random", score) as one, Study(tmp_path / "a.db", Grid(), "random") as other:
        assert one.steer("ban", choice="layer/0", option="a", base=0, who="anna") == 1
        for write in (
            lambda: other.steer("ban", choice="layer/0", option="b", base=0),
            lambda: other.undo(base=0),
            lambda: other.redo(base=0),
        ):
            with pytest.raises(Outdated, match="row 1 of anna: ban choice layer/0, option a") as caught:
                write()
            assert [row.id for row in caught.value.rows] == [1]
        assert other.steer("ban", choice="layer/0", option="b", base=1) == 2
        assert one.undo("anna", base=2) == 3
