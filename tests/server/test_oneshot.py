"""One-shot steering through the server: templates that are being drawn, a study from nothing to a trained network."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from tests.waiting import until
from tierwise.cli.reopen import reopen
from tierwise.metrics import kendall_tau
from tierwise.server.app import application
from tierwise.server.server import Server
from tierwise.server.templates import checked
from tierwise.spaces.template_presets import PRESETS, preset
from tierwise.spaces.template_shapes import as_dict, read_template
from tierwise.trial_folder import read_curve

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of a successor of httpx
    from fastapi.testclient import TestClient

API, TOKEN = "/api/v1/oneshot", "secret"


def client_of(folder: Path, **settings: Any) -> TestClient:
    server = Server(lambda path: reopen(path, None), folder, TOKEN, 1, **settings)
    return TestClient(application(server), base_url="http://127.0.0.1", headers={"Authorization": f"Bearer {TOKEN}"})


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with client_of(tmp_path) as found:
        yield found


def small(client: TestClient) -> dict[str, Any]:
    return client.get(f"{API}/presets/small", params={"width": 4}).json()


def test_every_operation_of_the_palette_can_be_put_into_a_template(client: TestClient) -> None:
    told = client.get(f"{API}/presets").json()
    assert set(told["presets"]) == set(PRESETS)
    names = [each["op"] for each in told["palette"]]
    assert len(names) == len(set(names)) >= 26  # as many as NAS-Navigator has
    for each in told["palette"]:
        op = {"op": each["op"], **{field["name"]: 4 for field in each["fields"] if field["needed"]}}
        usual = {f["name"]: f["default"] for f in each["fields"] if f["default"] is not None}
        read_template({"input": [1, 8, 8], "layers": [{"blocks": [{"ops": [{**usual, **op}]}]}]})
        for field in each["fields"]:
            if field["kind"] == "number":
                wrong = {**op, field["name"]: field["least"] - 1}
                answer = client.post(
                    f"{API}/check", json={"template": {"input": [1, 8, 8], "layers": [{"blocks": [{"ops": [wrong]}]}]}}
                )
                assert field["name"] in answer.json()["errors"][0]["message"]
    assert {each["name"]: each["shape"] for each in told["data"]}["mnist5k"] == [1, 14, 14]


def test_shapes_stand_on_links_and_an_error_says_what_would_fit(client: TestClient) -> None:
    template = small(client)
    told = client.post(f"{API}/check", json={"template": template}).json()
    assert [layer["entering"] for layer in told["layers"]] == [[1, 8, 8], [4, 8, 8], [4, 8, 8], [4, 4, 4], [8, 4, 4]]
    assert (told["size"], told["errors"]) == ("50625", [])
    assert told["params"][0] < told["params"][1]
    template["layers"][1]["blocks"][2]["ops"][0]["stride"] = 2
    told = client.post(f"{API}/check", json={"template": template}).json()
    assert told["size"] == ""
    assert [(e["layer"], e["block"], e["fits"]) for e in told["errors"]] == [(1, 2, "stride = 1 in op 1 (conv)")]


@pytest.mark.parametrize(
    "template",
    [{}, {"layers": []}, {"input": [1, 8, 8], "layers": [{"blocks": [{"ops": [{"op": "<script>alert(1)</script>"}]}]}]},
     {"input": [10**9], "layers": 3}, {"input": [1, 8, 8], "layers": [{"name": "../x", "blocks": []}]}],
)  # fmt: skip
def test_a_template_that_is_none_is_an_answer_and_no_failure(client: TestClient, template: dict[str, Any]) -> None:
    answer = client.post(f"{API}/check", json={"template": template})
    assert answer.status_code == 200
    assert answer.json()["errors"][0]["message"]


values = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**12), 10**12), st.floats(), st.text(max_size=8),
    st.sampled_from(["conv", "dense", "upsample", "transpose", "same", [], {}, [1, 8, 8], [10**6], 64, 0]),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 10**6), values, st.sampled_from(["set", "drop", "twice"])), min_size=1, max_size=4
    )
)
def test_whatever_is_drawn_gets_an_answer(edits: list[tuple[int, Any, str]]) -> None:
    """A template with some of its values put out, doubled or replaced, at any depth."""
    drawn = as_dict(preset("small", (1, 8, 8), 4))
    for place, value, how in edits:
        inner = list(_inside(drawn))
        holder, key = inner[place % len(inner)]
        if how == "set":
            holder[key] = value
        elif how == "drop":
            del holder[key]
        elif isinstance(holder, list):
            holder.append(holder[key])
    told = checked(drawn)
    assert bool(told.errors) == (told.size == "")
    for error in told.errors:
        assert 0 < len(error.message) < 2_000


def _inside(part: Any) -> Iterator[tuple[Any, Any]]:
    """Every key of every table, every place of every list."""
    pairs = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for key, value in list(pairs):
        yield part, key
        yield from _inside(value)


def test_candidates_are_shown_before_any_is_evaluated(client: TestClient) -> None:
    told = client.post(f"{API}/sample", json={"template": small(client), "count": 40}).json()
    masks = np.array(told["masks"])
    assert masks.shape == (len(told["x"]), 16)
    assert masks.reshape(-1, 4, 4).any(2).all()
    assert np.std(told["x"]) >= np.std(told["y"]) > 0


@pytest.mark.parametrize(
    ("change", "field"),
    [({"name": "../evil"}, "name"), ({"name": ""}, "name"), ({"name": "taken"}, "name"),
     ({"data": "/etc/passwd"}, "data"),
     ({"data": "other.npz"}, "data"), ({"optimiser": "lion"}, "optimiser"), ({"epochs": 0}, "epochs"),
     ({"template": {"kind": "template"}}, "template: input")],
)  # fmt: skip
def test_what_no_study_can_be_made_of_is_refused(tmp_path: Path, client: TestClient, change: Any, field: str) -> None:
    (tmp_path / "taken.db").write_bytes(b"")
    answer = client.post(f"{API}/create", json={"template": small(client), "name": "new", **change})
    assert answer.status_code == 422
    assert answer.json()["field"] == field
    assert [path.name for path in tmp_path.iterdir()] == ["taken.db"]


def test_a_server_that_only_shows_makes_nothing(tmp_path: Path) -> None:
    with client_of(tmp_path, read_only=True) as client:
        answer = client.post(f"{API}/create", json={"template": small(client), "name": "new"})
        assert (answer.status_code, list(tmp_path.iterdir())) == (403, [])
        assert client.get(f"{API}/state").status_code == 404


def test_from_a_template_to_a_trained_network(tmp_path: Path, client: TestClient) -> None:
    """Drawn, begun, trained with shared weights until a person stops it, searched, assembled, trained, taken home."""
    x, y = load_digits(return_X_y=True)
    np.savez(tmp_path / "some.npz", x=np.asarray(x)[:200], y=np.asarray(y)[:200])
    template = {**small(client), "input": [1, 8, 8]}
    plan = {"template": template, "name": "drawn", "data": "some.npz", "epochs": 400, "batch": 32, "trials": 8}
    assert client.post(f"{API}/create", json=plan).status_code == 201
    assert client.get("/api/v1/meta").json()["study"]["oneshot"]
    state = until(lambda: (s := client.get(f"{API}/state").json())["epoch"] >= 2 and s)
    assert state["state"] == "running"
    assert (state["data"], state["epochs"]) == ("some.npz", 400)
    client.post(f"{API}/training", json={"on": False})
    until(lambda: client.get("/api/v1/state").json()["finished"] >= 8)
    state = client.get(f"{API}/state").json()
    assert state["state"] == "done"
    assert 2 <= state["epoch"] < 400
    assert {"accuracy", "loss", "train_accuracy", "train_loss"} <= set(state["curve"][0])

    best = client.post(f"{API}/assemble", json={"choose": "best"}).json()
    trials = client.get("/api/v1/trials").json()
    assert (
        "small/" + "-".join(map(str, best["genes"]))
        == max(trials, key=lambda trial: (trial["metrics"]["accuracy"], -trial["id"]))["text"]
    )
    assert 0 < best["params"] < best["wide"][1]
    fittest = client.post(f"{API}/assemble", json={"choose": "fitness"}).json()
    assert [len(part.split("+")) for part in fittest["text"].split(" | ")] == [1, 1, 1, 1]
    assert client.post(f"{API}/assemble", json={"choose": "conv9 | conv1 | conv1 | conv1"}).status_code == 422

    given = {"choose": fittest["text"], "epochs": 2}
    key = client.post(f"{API}/train", json=given).json()["key"]
    done = until(lambda: [t for t in client.get(f"{API}/trainings").json() if t["state"] != "running"])[0]
    assert (done["key"], done["state"], done["text"], done["error"]) == (key, "done", fittest["text"], "")
    assert done["metrics"]["params"] == fittest["params"]
    assert len(done["curve"]) == 2
    source = client.get(f"{API}/trainings/{key}/network.py")
    assert b"class Network" in source.content
    assert client.get(f"{API}/trainings/{key}/log.txt").status_code == 422
    assert client.get(f"{API}/trainings/..%2F..%2Fx/network.py").status_code in (404, 422)
    assert client.post(f"{API}/train", json=given).json()["key"] == key  # it is trained already
    folder = next((tmp_path / "drawn.db.files").iterdir())
    assert len(read_curve(folder / "supernet")) == state["epoch"]

    assert state["agreement"] is None
    for _ in range(3):
        assert client.post(f"{API}/train", json={"epochs": 1, "baseline": "evaluated"}).status_code == 202
        until(lambda: all(t["state"] == "done" for t in client.get(f"{API}/trainings").json()))
    results = {trial["text"]: trial["metrics"]["accuracy"] for trial in trials}
    each = [t for t in client.get(f"{API}/trainings").json() if t["architecture"] in results]
    assert [t["what"] for t in each].count("evaluated") == 3
    assert [t["shared"] for t in each] == [results[t["architecture"]] for t in each]
    tau = kendall_tau([t["shared"] for t in each], [t["metrics"]["accuracy"] for t in each])
    expected = {"n": len(each), "tau": pytest.approx(tau)} if np.isfinite(tau) else None
    assert client.get(f"{API}/state").json()["agreement"] == expected
