"""What a person sees of a search and says about it: trials, state, curve, batch, log, previews."""

from __future__ import annotations

import csv
import io
import json
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.navigator.conftest import Start, foretell, made_up
from tierwise import Study, make
from tierwise.command_line import going_on
from tierwise.errors import BadSetting, Conflict, Outdated, UnknownName
from tierwise.metrics import random_search
from tierwise.navigator import Navigator, export
from tierwise.navigator.record import Record
from tierwise.navigator.selection import Selection

SPACE = make("space", "nasbench201")


def test_trials_and_state(start: Start):
    navigator = start(20)
    study = navigator.study
    study.ask(2)
    study.tell(21, error="out of memory")
    assert navigator.refresh().trials == (21, 22)
    trials = navigator.trials()
    assert [t.state for t in trials] == ["done"] * 20 + ["failed", "proposed"]
    assert [t.told for t in trials] == [*range(1, 22), None]
    assert trials[20].error == "out of memory"
    assert trials[0].reason == "strategy random"
    values = [t.metrics["accuracy"] for t in trials[:20]]
    best, state = int(np.argmax(values)), navigator.state()
    assert (state.finished, state.failed, state.proposed, state.running) == (21, 1, 1, 0)
    assert state.best is not None
    assert (state.best.trial, state.best.value, state.best.after) == (best + 1, max(values), 21 - best - 1)
    gain = None if best == 0 else max(values) - max(values[:best])
    assert state.best.gain == pytest.approx(gain)
    assert (state.total, state.seconds_left, state.error) == (None, None, None)


def test_a_record_kept_up_to_date_equals_one_read_at_once(start: Start):
    navigator = start(0)
    study = navigator.study
    rng = np.random.default_rng(0)
    for step in range(30):
        trials = study.ask(int(rng.integers(1, 4)))
        for trial in rng.permutation(np.array([t.id for t in trials])):
            if rng.random() < 0.7:
                study.tell(int(trial), float(rng.random()), error="failed" if rng.random() < 0.2 else None)
        if step % 3 == 0:
            navigator.refresh()
    navigator.refresh()
    fresh = Record(study.space, study.objective, navigator.population)
    fresh.update(study.rows)
    kept = navigator.record
    assert kept.done.tolist() == fresh.done.tolist()
    assert kept.y.tolist() == fresh.y.tolist()
    assert +kept.counts == +fresh.counts
    assert kept.best == fresh.best
    assert kept.places.tolist() == fresh.places.tolist()


def test_what_was_missed_can_be_told(start: Start):
    navigator = start(10)
    mark = navigator.mark()
    navigator.study.run(13)
    navigator.study.steer("pause")
    navigator.refresh()
    missed = navigator.since(mark)
    assert missed.trials == (11, 12, 13)
    assert missed.steering
    assert navigator.since(navigator.mark()).trials == ()
    assert not navigator.since(navigator.mark()).steering
    assert len(navigator.since("nonsense").trials) == 13


def test_the_curve_stands_beside_a_random_search():
    data = make("benchmark", "nasbench201")
    study = Study(None, data.space, "random", data)
    study.run(25)
    navigator = Navigator(study, data, total=40)
    curve = navigator.curve()
    values = [t.metrics["accuracy"] for t in study.trials()]
    for at, best in zip(curve.finished, curve.best, strict=True):
        assert best == max(values[:at])
    assert curve.finished[-1] == 25
    assert curve.random is not None
    mean, (low, high) = random_search(data.expected("accuracy"), 40)
    assert curve.random.finished == list(range(1, 41))
    assert curve.random.mean == pytest.approx(mean.tolist())
    assert (curve.random.low[9], curve.random.high[9]) == pytest.approx((low[9], high[9]))
    navigator.close()


def test_there_is_no_random_search_without_a_table(start: Start):
    curve = start(5).curve()
    assert curve.random is None
    assert curve.training == []


def test_the_batch_waits_for_a_person(start: Start):
    navigator = start(15)
    foretell(navigator)
    navigator.steer("review", "anna", 0, {"wait": 60})
    navigator.study.ask(3)
    navigator.steer("approve", "anna", 1, {"trial": 17})
    navigator.refresh()
    foretell(navigator)
    batch = navigator.batch()
    assert batch.wait == 60
    assert [(p.trial, p.state) for p in batch.proposals] == [(16, "proposed"), (17, "approved"), (18, "proposed")]
    evaluated = {t.id: t for t in navigator.trials() if t.state == "done"}
    for card in batch.proposals:
        arch = navigator.population.archs[card.row]
        assert card.predicted == pytest.approx(made_up(arch))
        assert card.sd == 0.5
        assert card.due == pytest.approx(time.time() + 60, abs=30)
        assert card.svg.startswith("<svg")
        far = {
            k: sum(a != b for a, b in zip(arch.genes, navigator.population.archs[t.row].genes, strict=True))
            for k, t in evaluated.items()
        }
        nearest = [k for k, d in far.items() if d == min(far.values())]
        value = max(evaluated[k].metrics["accuracy"] for k in nearest)
        assert card.nearest is not None
        assert (card.nearest.distance, card.nearest.value) == (min(far.values()), value)
    navigator.steer("veto", "anna", 2, {"trial": 16, "reason": "too large"})
    assert "vetoed by row 3" in " ".join(
        navigator.obstacles(navigator.population.archs[[navigator.trials([16])[0].row]])
    )


def test_the_log_says_what_a_row_has_come_to(start: Start):
    navigator = start(10)
    values = [t.metrics["accuracy"] for t in navigator.trials()]
    navigator.steer("ban", "anna", 0, {"choice": "cell/0-1", "option": "none"})
    navigator.study.run(14)
    navigator.refresh()
    values += [t.metrics["accuracy"] for t in navigator.trials()[10:]]
    said = navigator.undo("bert", 1)
    first, second = said.rows
    assert (first.text, first.state, first.by, first.left) == ("ban cell/0-1 none", "taken back", 2, "12500")
    assert (first.after, first.best_before, first.best_since) == (10, max(values[:10]), max(values[10:]))
    assert (second.kind, second.who, second.left, said.left) == ("retract", "bert", "15625", "15625")
    assert (said.rev, said.undo, said.redo) == (2, None, 1)
    assert navigator.redo("bert", 2).left == "12500"
    assert navigator.steering().audit == 0


def test_who_was_not_up_to_date_is_told_so(start: Start):
    navigator = start(0)
    navigator.steer("pause", "anna", 0, {})
    with pytest.raises(Outdated):
        navigator.steer("stop", "bert", 0, {})
    with pytest.raises(Outdated):
        navigator.undo("bert", 0)
    assert navigator.steering().rev == 1


@pytest.mark.parametrize("wrong", [{"who": "x"}, {"base": 1}, {"scores": 1}, {"kind": "stop"}, {"k": 1}])
def test_fields_that_a_row_has_not_are_refused(start: Start, wrong: dict[str, object]):
    navigator = start(0)
    for act in (lambda: navigator.steer("ban", "", 0, wrong), lambda: navigator.preview("ban", wrong)):
        with pytest.raises(BadSetting, match="steering ban"):
            act()
    with pytest.raises(UnknownName):
        navigator.steer("nonsense", "", 0, {})


options = st.sampled_from(SPACE.choices).flatmap(
    lambda choice: st.tuples(st.just(choice.path), st.sampled_from(choice.options))
)
bans = st.lists(options, max_size=4)


@settings(max_examples=12, deadline=None)
@given(bans, options)
def test_a_preview_counts_what_brute_force_counts(start_once: Navigator, before: list, new: tuple):
    navigator, genes = start_once, start_once.population.archs.genes
    places = {choice.path: k for k, choice in enumerate(SPACE.choices)}
    rows = 0

    def allowed(said: list) -> np.ndarray:
        mask = np.ones(len(genes), dtype=bool)
        for path, option in said:
            gene = places[path]
            mask &= genes[:, gene] != SPACE.choices[gene].options.index(option)
        return mask

    try:
        for path, option in before:
            navigator.steer("ban", "", None, {"choice": path, "option": option})
            rows += 1
        found = navigator.preview("ban", {"choice": new[0], "option": new[1]})
        old, left = allowed(before), allowed([*before, new])
        assert (found.before, found.left) == (str(old.sum()), str(left.sum()))
        score = navigator.columns.values["predicted"]
        top = np.argsort(-score, kind="stable")[:100]
        assert found.top_lost == (old & ~left)[top].sum()
        done = navigator.record.places[navigator.record.done]
        assert found.evaluated_lost == (old & ~left)[done].sum()
        best = navigator.record.best
        assert best is not None
        assert found.best_lost == bool((old & ~left)[best.row])
    except Conflict:
        assert not allowed(before).any()
    finally:
        for _ in range(rows):
            navigator.undo("", None)


@pytest.fixture(scope="module")
def start_once() -> Navigator:
    study = Study(None, SPACE, "random", made_up)
    study.run(40)
    navigator = Navigator(study)
    foretell(navigator)
    return navigator


def test_why_an_architecture_can_not_be_proposed(start: Start):
    navigator = start(3, limits={"params": 1e6})
    navigator.steer("ban", "", 0, {"rule": "count(none) >= 1"})
    navigator.steer("narrow", "", 1, {"choice": "cell/2-3", "options": ["nor_conv_3x3"]})
    navigator.steer("ban", "", 2, {"architecture": "2-1-1-1-1-3"})

    def why(text: str) -> list[str]:
        return navigator.obstacles(type(navigator.population.archs).of([navigator.arch(text=text)], SPACE))

    assert why("3-1-1-1-1-3") == []
    assert why("0-1-1-1-1-1") == ["banned by row 1", "narrowed away by row 2"]
    assert why("2-1-1-1-1-3") == ["banned by row 3"]
    assert why("3-3-3-3-3-3") == ["limit params"]
    trial = navigator.trials()[0]
    assert why(trial.text)[0] == "evaluated: trial 1"


def test_tables_and_drawings_can_be_taken_home(start: Start):
    navigator = start(12)
    foretell(navigator)
    rows = list(csv.DictReader(io.StringIO(export.table(navigator, "csv", Selection(rule="tier == 1")).decode())))
    assert len(rows) == navigator.select(Selection(rule="tier == 1")).count
    scores = [float(row["predicted"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert {row["tier"] for row in rows} == {"1"}
    arch = navigator.arch(row=int(rows[0]["row"]))
    assert rows[0]["architecture"] == str(arch)
    assert scores[0] == pytest.approx(made_up(arch))
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(io.BytesIO(export.table(navigator, "parquet", Selection(rule="tier == 1"))))
    assert table.column("row").to_pylist() == [int(row["row"]) for row in rows]
    navigator.steer("pause", "anna", 0, {})
    assert json.loads(export.log(navigator))["rows"][0]["who"] == "anna"
    assert export.drawn(navigator, export.chosen_arch(navigator, 5), "svg").startswith(b"<svg")
    assert b"pause" in export.script(navigator)


def test_the_line_that_goes_on_opens_the_same_study(tmp_path: Path):
    from tierwise.cli.reopen import benchmark_options, open_benchmark

    options = benchmark_options(dataset="cifar100")
    data = open_benchmark("nasbench201", options, None)
    notes = {"benchmark": {"name": "nasbench201", **options}}
    strategy = make("strategy", "evolution", population=11)
    given = {"limits": {"params": 1e6, "latency": (0.01, 0.0123456789)}, "seed": 7, "notes": notes}
    with Study(tmp_path / "a b.db", data.space, strategy, data, **given) as study:
        words = going_on(study, data, 3)
        assert going_on(study, None, 30) == []
    from typer.testing import CliRunner

    from tierwise.cli.main import app

    done = CliRunner().invoke(app, [*words[1:], "--no-report"])
    assert done.exit_code == 0, done.output
    with Study(tmp_path / "a b.db", data.space, strategy, data, **given) as study:
        assert study.finished == 3
