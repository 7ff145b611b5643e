"""What the server answers, is what the navigator says."""

from __future__ import annotations

import dataclasses
import json
import runpy
import sqlite3
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.server.conftest import API, Served, opened, serving
from tests.waiting import until
from tierwise.navigator import Navigator
from tierwise.navigator.selection import Selection


def plain(value: Any) -> Any:
    """As JSON has it."""
    return json.loads(json.dumps(dataclasses.asdict(value)))


def test_numbers_are_those_of_python(served: Served):
    with served.study() as (study, _):
        navigator = Navigator(study)
        part = {"rule": "count(none) == 0"}
        assert served.get("/trials") == [plain(each) for each in navigator.trials()]
        assert served.post("/select", part) == plain(navigator.select(Selection(**part)))
        assert served.post("/effects", {"selection": part}) == plain(navigator.effects(Selection(**part)))
        assert served.get("/curve") == plain(navigator.curve())
        assert served.get("/steering") == plain(navigator.steering())
        assert served.get("/batch") == plain(navigator.batch())
        meta = served.get("/meta")
        assert meta["columns"] == [plain(each) for each in navigator.columns.described.values()]
        for column in meta["columns"]:
            sent = served.client.get(f"{API}/columns/{column['name']}.bin", params={"hash": column["hash"]})
            values = np.frombuffer(sent.content, dtype=column["dtype"])
            own = navigator.columns.values[column["name"]]
            assert np.array_equal(values, own.astype(column["dtype"]), equal_nan=True)
        genes = served.client.get(f"{API}/genes.bin", params={"hash": meta["population"]["genes"]}).content
        assert np.frombuffer(genes, dtype="<i2").tolist() == navigator.population.archs.genes.ravel().tolist()
        navigator.close()


def test_columns_are_kept_by_their_hash(steady: Served):
    column = next(each for each in steady.get("/meta")["columns"] if each["name"] == "params")
    ask = steady.client.get
    first = ask(f"{API}/columns/params.bin", params={"hash": column["hash"]})
    assert "immutable" in first.headers["cache-control"]
    assert first.headers["etag"] == f'"{column["hash"]}"'
    assert ask(f"{API}/columns/params.bin", params={"hash": "other"}).headers["cache-control"] == "no-cache"
    again = ask(f"{API}/columns/params.bin", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    bare = ask(f"{API}/columns/result.bin", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in bare.headers
    assert len(bare.content) == 4 * 15_625
    assert ask(f"{API}/columns/nothing.bin").status_code == 404


def test_one_architecture(steady: Served):
    trial = steady.get("/trials")[2]
    by_row, by_text = steady.get("/archs", row=trial["row"]), steady.get("/archs", text=trial["text"].split("/")[1])
    assert by_row == by_text
    assert by_row["trial"] == 3
    assert by_row["values"]["result"] == pytest.approx(trial["metrics"]["accuracy"])
    assert len(steady.get("/archs/neighbours", row=trial["row"])["rows"]) == 24
    for wrong in (
        {},
        {"row": 99_999},
        {"text": "nonsense"},
        {"text": "nasbench201/9-9-9-9-9-9"},
        {"row": 1, "text": "x"},
    ):
        answer = steady.client.get(f"{API}/archs", params=wrong)
        assert answer.status_code == 422
        assert set(answer.json()) == {"error", "field"}


def test_a_person_has_a_say(served: Served):
    edit = {"kind": "ban", "choice": "cell/0-1", "option": "none", "reason": "dead"}
    preview = served.post("/steering/preview", edit)
    assert (preview["before"], preview["left"], preview["conflict"]) == ("15625", "12500", None)
    assert served.get("/steering")["rev"] == 0
    written = served.post("/steering", {"base": 0, "who": "anna", "edit": edit}, 201)
    assert (written["rev"], written["left"], written["undo"]) == (1, "12500", 1)
    with served.study() as (study, _):
        assert study.steering().space.size == 12_500
        assert study.steers()[0].who == "anna"
    late = served.post("/steering", {"base": 0, "who": "bert", "edit": {"kind": "pause"}}, 409)
    assert late["rev"] == 1
    assert late["steering"]["rows"][0]["text"] == written["rows"][0]["text"]
    pin = {"kind": "pin", "choice": "cell/0-1", "option": "none"}
    refused = served.post("/steering", {"base": 1, "who": "bert", "edit": pin}, 422)
    assert refused["conflict"]["rows"] == [1]
    assert served.post("/steering/preview", pin)["conflict"]["rows"] == [1]
    assert served.post("/steering/undo", {"base": 1, "who": "bert"}, 201)["left"] == "15625"
    assert served.post("/steering/redo", {"base": 2, "who": "bert"}, 201)["left"] == "12500"
    assert served.post("/steering/redo", {"base": 3}, 422)["field"] == "redo"
    for wrong in ({"kind": "ban"}, {"kind": "nonsense"}, {"kind": "ban", "who": "x"}, {"kind": "review", "wait": "x"}):
        served.post("/steering", {"base": 3, "edit": wrong}, 422)
    served.post("/steering", {"base": 3, "who": "x" * 81, "edit": {"kind": "pause"}}, 422)
    served.post("/steering", {"edit": {"kind": "pause"}}, 422)
    assert served.get("/steering")["rev"] == 3


def test_a_study_that_is_only_shown_is_not_steered(searched: Path, tmp_path: Path):
    with serving(searched, tmp_path, read_only=True) as served:
        assert served.get("/meta")["read_only"]
        refused = served.post("/steering", {"base": 0, "edit": {"kind": "pause"}}, 403)
        assert "--read-only" in refused["error"]
        served.post("/steering/undo", {"base": 0}, 403)
        served.post("/run/start", None, 403)
        assert not served.get("/state")["can_start"]


def test_without_a_study(tmp_path: Path, searched: Path):
    with serving(None, tmp_path) as served:
        meta = served.get("/meta")
        assert (meta["study"], meta["population"], meta["columns"]) == (None, None, [])
        for path in ("/state", "/trials", "/batch", "/archs?row=1"):
            answer = served.client.get(API + path)
            assert answer.status_code == 404
            assert "no study is open" in answer.json()["error"]
        with served.events() as wait:
            until(lambda: served.server.events.open == 1)
            served.server.open(searched)
            assert wait("study") == {"name": "made-up.db"}
        assert served.get("/meta")["study"]["name"] == "made-up.db"


def test_what_happens_elsewhere_is_told(served: Served):
    with served.events() as wait, served.study() as (driver, _):
        assert wait("state")["finished"] == 8
        began = time.monotonic()
        driver.run(9)
        assert [trial["id"] for trial in wait("trials")] == [9]
        assert time.monotonic() - began < 30
        driver.steer("pause", who="anna")
        assert wait("steering")["rows"][0]["who"] == "anna"
        assert wait("state")["paused"]


def test_a_page_that_comes_again_hears_what_it_has_missed(served: Served):
    with served.events() as wait:
        wait("state")
    mark = served.server.navigator.mark()
    with served.study() as (driver, _):
        driver.run(11)
    until(lambda: served.get("/state")["finished"] == 11)
    with served.events(mark) as wait:
        assert [trial["id"] for trial in wait("trials")] == [9, 10, 11]
    answer = served.client.stream("GET", f"{API}/events", params={"last_event_id": mark})
    with answer as stream:
        lines = stream.iter_lines()
        assert next(line for line in lines if line.startswith("data: ")).count('"id":') == 3


def test_a_hostile_study_is_shown_as_text(tmp_path: Path):
    path = tmp_path / "made-up.db"
    with opened(path) as (study, _):
        study.run(6)
    evil = '<script>alert("x")</script>'
    with sqlite3.connect(path) as file:
        file.execute("UPDATE trial SET why = ? WHERE id = 1", (json.dumps({evil: evil, "deep": [[[evil]]]}),))
        file.execute("UPDATE trial SET metrics = ? WHERE id = 2", (json.dumps({"accuracy": 1e300, evil: -1e308}),))
        file.execute("UPDATE trial SET state = 'failed', error = ?, metrics = '{}' WHERE id = 3", (evil * 1_000,))
    file.close()
    with serving(path, tmp_path) as served:
        answer = served.client.get(f"{API}/trials")
        assert answer.headers["content-type"] == "application/json"
        assert evil in answer.json()[0]["reason"]
        assert answer.json()[1]["metrics"]["accuracy"] == 1e300
        assert served.get("/state")["best"]["value"] == 1e300
        for path_ in ("/curve", "/batch", "/steering", "/meta"):
            served.get(path_)
        served.post("/effects", {"selection": {}})
        drawn = served.get("/archs", row=answer.json()[1]["row"])["svg"]
        assert "<script" not in drawn
        table = served.client.post(f"{API}/export", json={"what": "csv"})
        assert table.headers["content-disposition"].startswith("attachment")


def test_the_network_of_any_row_is_taken_home(served: Served, tmp_path: Path):
    text = served.get("/archs", row=17)["text"]
    code = served.client.get(f"{API}/export", params={"what": "network", "row": 17})
    assert code.headers["content-disposition"].endswith('.py"')
    (tmp_path / "network.py").write_text(code.text)
    runpy.run_path(str(tmp_path / "network.py"))
    assert text in code.text
    assert "import tierwise" not in code.text
    assert served.client.get(f"{API}/export", params={"what": "dot", "row": 17}).text.startswith("digraph")


def test_a_file_that_breaks_while_it_is_shown_says_so(served: Served):
    with sqlite3.connect(served.path) as file:
        file.execute("UPDATE trial SET why = 'nonsense' WHERE id = 1")
        file.execute("INSERT INTO steer VALUES (1, 1.0, 'x', 0, 'ban', '{\"choice\": 3}')")
    file.close()
    until(lambda: bool(served.get("/state")["error"]))
    assert "damaged" in served.get("/state")["error"]
    assert served.get("/state")["finished"] == 8


rules = st.one_of(st.text(max_size=60), st.sampled_from(["params > 1", "tier == 1", "not sd < 0", "count(none) < 2"]))


@settings(max_examples=15, deadline=None)
@given(rules, st.none() | st.text(max_size=20), st.none() | st.integers(-5, 20_000))
def test_no_request_breaks_the_server(steady: Served, rule: str, mask: str | None, number: int | None):
    asked: dict[str, Any] = {"rule": rule} if mask is None else {"mask": mask}
    for path, body in (
        ("/select", asked),
        ("/tiers", {"selection": asked, "edges": [number] * 4}),
        ("/rows", {"selection": asked, "columns": [rule], "offset": number}),
        ("/compare", {"rows": [number, 3]}),
        ("/steering/preview", {"kind": "narrow", "rule": rule}),
    ):
        answer = steady.client.post(API + path, json=body)
        assert answer.status_code in (200, 422), answer.text
        if answer.status_code == 422:
            assert answer.json()["error"]
