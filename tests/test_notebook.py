"""The notebook's widget without a notebook: messages in, answers and traits out."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("anywidget", reason="anywidget is not installed: pip install 'tierwise[notebook]'")

from tierwise import Architectures, Study, make, notebook
from tierwise.errors import BadArchitecture, BadSetting, MissingExtra
from tierwise.navigator import Navigator
from tierwise.navigator.selection import Selection
from tierwise.notebook import Explorer

PATIENCE = 20  # seconds, on a busy machine
RESULTS = 6  # too few to be learnt from


@pytest.fixture(scope="module", autouse=True)
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is inside the frame is of no matter here, and need not be built."""
    folder = tmp_path_factory.mktemp("built")
    for name, text in (("widget.js", "widget"), ("frame.js", "script"), ("frame.css", "style")):
        (folder / name).write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(notebook, "BUILT", folder)
        yield


class View:
    """Stands for a view of the widget: what it says, and what it hears."""

    def __init__(self, explorer: Explorer):
        self.explorer, self.heard, self.changed = explorer, list[tuple[Any, Any]](), threading.Condition()
        explorer.send = self._hear

    def _hear(self, content: Any, buffers: Any = None) -> None:
        with self.changed:
            self.heard.append((json.loads(json.dumps(content)), buffers or []))
            self.changed.notify_all()

    def say(self, kind: str, **message: Any) -> None:
        """As a message arrives from a front end."""
        self.explorer._handle_custom_msg({"kind": kind, **message}, [])

    def wait(self, kind: str, wanted: Any = lambda content: True) -> tuple[Any, Any]:
        """The first message of this kind that is wanted; it is heard once."""

        def found() -> int | None:
            matches = (k for k, (content, _) in enumerate(self.heard) if content["kind"] == kind and wanted(content))
            return next(matches, None)

        with self.changed:
            assert self.changed.wait_for(lambda: found() is not None, PATIENCE), f"no {kind} in {self.heard}"
            return self.heard.pop(found())

    def ask(self, target: str, body: Any = None, number: list[int] = [0]) -> tuple[int, Any]:  # noqa: B006  a counter
        """Status and content of a call, JSON where it is."""
        number[0] += 1
        method, text = ("GET", None) if body is None else ("POST", json.dumps(body))
        self.say("ask", id=f"call {number[0]}", method=method, target=target, body=text)
        content, (answer,) = self.wait("answer", lambda content: content["id"] == f"call {number[0]}")
        answer = gzip.decompress(answer) if content["gzip"] else answer
        return content["status"], json.loads(answer) if "json" in content["headers"]["content-type"] else answer


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    path = tmp_path_factory.mktemp("notebook") / "cells.db"
    with Study(path, make("space", "nasbench201"), "random", lambda arch: float(sum(arch.genes))) as study:
        study.run(RESULTS)
        yield study


@pytest.fixture(scope="module")
def view(study: Study) -> Iterator[View]:
    explorer = Explorer(study)
    yield View(explorer)
    explorer.close()


def as_sent(value: Any) -> Any:
    """A dataclass as JSON has it."""
    return json.loads(json.dumps(asdict(value)))


def test_answers_are_those_of_the_navigator(view: View, study: Study) -> None:
    own = Navigator(study)
    rule = {"rule": "count(none) == 0 and params < 500000"}
    assert view.ask("meta")[1]["columns"] == as_sent(own.meta(""))["columns"]
    assert view.ask("state") == (200, as_sent(own.state()) | {"error": None})
    assert view.ask("select", rule) == (200, as_sent(own.select(Selection(**rule))))
    assert view.ask("steering/preview", {"kind": "ban", "choice": "cell/0-1", "option": "none"})[1] == as_sent(
        own.preview("ban", {"choice": "cell/0-1", "option": "none"})
    )
    own.close()


def test_columns_come_as_bytes(view: View, study: Study) -> None:
    _, sent = view.ask("columns/params.bin")
    params = study.rule_columns()["params"](study.space.enumerate())
    assert np.array_equal(np.frombuffer(sent, dtype="<f4"), params.astype(np.float32))


def test_what_is_wrong_is_said(view: View) -> None:
    status, problem = view.ask("archs?row=99999")
    assert (status, problem["field"]) == (422, "row")
    assert view.ask("../../etc/passwd")[0] == 404
    view.say("nonsense")


def test_a_person_steers_unless_somebody_was_faster(view: View, study: Study) -> None:
    ban = {"base": 0, "who": "anna", "edit": {"kind": "ban", "choice": "cell/0-1", "option": "none"}}
    status, steering = view.ask("steering", ban)
    assert (status, steering["left"]) == (201, str(4 * 5**5))
    study.refresh()
    assert [(row.kind, row.who) for row in study.steers()] == [("ban", "anna")]
    assert view.ask("steering", ban)[0] == 409


def test_rows_selected_on_the_map_are_architectures(view: View, study: Study) -> None:
    rows, everything = [0, 9, 15_624], study.space.enumerate()
    heard: list[Architectures] = []
    view.explorer.observe(lambda change: heard.append(change["new"]), "selected")
    bits = np.zeros(len(everything), dtype=np.uint8)
    bits[rows] = 1
    view.say("select", mask=base64.b64encode(np.packbits(bits, bitorder="little")).decode())
    assert np.array_equal(view.explorer.selected.genes, everything.genes[rows])
    view.say("select", mask=None)
    assert [len(each) for each in heard] == [3, 0]


def test_python_shows_trials_and_architectures(view: View, study: Study) -> None:
    best = study.best(2)
    view.explorer.show(best)
    places = [int(study.space.index(Architectures.of([trial.arch], study.space))[0]) for trial in best]
    first = view.explorer.get_state("_shown")["_shown"]
    assert first["rows"] == places
    bits = np.unpackbits(np.frombuffer(base64.b64decode(first["mask"]), dtype=np.uint8), bitorder="little")
    assert np.flatnonzero(bits).tolist() == sorted(places)
    assert list(view.explorer.selected) == [trial.arch for trial in best]
    view.explorer.show(best[0].arch)
    view.explorer.show(best[0].arch)
    assert view.explorer._shown["times"] == first["times"] + 2, "the same once more is a change"
    with pytest.raises(BadArchitecture, match="not of space nasbench201"):
        view.explorer.show(make("space", "darts").sample(1, np.random.default_rng(0)))


def test_an_open_view_hears_of_results_and_a_closed_one_does_not(view: View, study: Study) -> None:
    view.say("open", view="first")
    content, code = view.wait("code")
    assert (content["view"], code) == ("first", [b"script", b"style"])
    study.run(RESULTS + 1)
    events, _ = view.wait("events", lambda content: any(kind == "trials" for kind, _ in content["events"]))
    (trials,) = (json.loads(data) for kind, data in events["events"] if kind == "trials")
    assert trials[-1]["text"] == str(study.trials()[-1].arch)
    view.say("close", view="first")
    threading.Event().wait(3 * notebook.LOOK)  # a look that was under way
    before = len(view.heard)
    study.run(RESULTS + 2)
    threading.Event().wait(3 * notebook.LOOK)
    assert len(view.heard) == before


def test_a_study_in_memory_is_shown_too() -> None:
    study = Study(None, make("space", "nasbench201"), "random", lambda arch: float(sum(arch.genes)))
    study.run(3)
    explorer = Explorer(study, view="map", height=300)
    view = View(explorer)
    assert view.ask("state")[1]["finished"] == 3
    study.run(5)
    view.say("open", view="first")
    view.wait("events", lambda content: any('"finished":5' in data for _, data in content["events"]))
    assert (explorer.view, explorer.height) == ("map", 300)
    explorer.close()
    assert study.finished == 5, "it stays open"


def test_settings_that_can_not_be_are_refused(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadSetting, match="all, map, architecture, compare"):
        Explorer(study, view="cell")
    with pytest.raises(BadSetting, match="height"):
        Explorer(study, height=0)
    monkeypatch.setattr(notebook, "BUILT", tmp_path)
    with pytest.raises(notebook.NotBuilt, match="make page"):
        Explorer(study)


def test_a_missing_package_is_named_with_its_extra() -> None:
    code = "import sys; sys.modules['anywidget'] = None; import tierwise.notebook"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert str(MissingExtra("tierwise.notebook", "anywidget", "notebook")) in done.stderr
