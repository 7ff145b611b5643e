"""What each tracker has written is read back with its own library."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.evaluators import unlucky
from tierwise import Study, make
from tierwise.errors import MissingExtra, UnknownName
from tierwise.history import Trial

TRIALS = 7  # with those of `unlucky`, number 6 fails inline


def steady(arch: Any, job: Any) -> dict[str, float]:
    if job.trial == 6:
        raise ValueError("no such kernel size")
    return {"accuracy": sum(arch.genes) + job.trial / 10, "seconds": 2.0}


def searched(path: Path, tracker: Any) -> list[Trial]:
    with Study(path / "my study.db", make("space", "nasbench201"), "random", steady) as study:
        study.run(TRIALS, trackers=[tracker])
        return study.trials()


def test_tensorboard(tmp_path: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trials = searched(tmp_path, make("tracker", "tensorboard", target=str(tmp_path / "events")))
    events = EventAccumulator(str(tmp_path / "events"))
    events.Reload()
    seen = [(event.step, event.value) for event in events.Scalars("accuracy")]
    assert seen == [(t.id, pytest.approx(t.metrics["accuracy"])) for t in trials if t.state == "done"]
    best = [event.value for event in events.Scalars("best accuracy")]
    assert len(best) == TRIALS
    assert best == sorted(best)
    texts = [event.tensor_proto.string_val[0].decode() for event in events.Tensors("architecture/text_summary")]
    assert texts[0] == trials[0].arch.gene_text
    assert "no such kernel size" in texts[5]


@pytest.mark.filterwarnings("ignore")  # of what MLflow itself is made of
def test_mlflow(tmp_path: Path):
    import mlflow

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    trials = searched(tmp_path, make("tracker", "mlflow", target=uri))
    client = mlflow.MlflowClient(uri)
    experiment = client.get_experiment_by_name(str(tmp_path / "my study.db"))
    assert experiment is not None
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert len(runs) == TRIALS
    for trial in trials:
        run = runs[f"trial {trial.id}"]
        assert run.data.metrics == pytest.approx(dict(trial.metrics))
        assert run.data.params["cell/0-1"] == make("space", "nasbench201").choices[0].options[trial.arch.genes[0]]
        assert run.info.status == ("FINISHED" if trial.state == "done" else "FAILED")
    assert "no such kernel size" in runs["trial 6"].data.tags["error"]


def log_records(path: Path) -> Iterator[bytes]:
    """The records of a W&B file, which is a LevelDB log behind a header of 7 bytes: blocks of 32 KiB, in them pieces
    of (checksum, length, kind): 1 whole, 2 first, 3 middle, 4 last.
    """
    raw, at, record = path.read_bytes(), 7, b""
    while at + 7 <= len(raw):
        if 2**15 - at % 2**15 < 7:
            at += 2**15 - at % 2**15
            continue
        length, kind = struct.unpack("<HB", raw[at + 4 : at + 7])
        record += raw[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            yield record
            record = b""


def test_wandb_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from wandb.proto.wandb_internal_pb2 import Record

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    trials = searched(tmp_path, make("tracker", "wandb", target=str(tmp_path)))
    rows: list[dict[str, Any]] = []
    for file in sorted(tmp_path.glob("wandb/offline-run-*/run-*.wandb")):
        for data in log_records(file):
            record = Record.FromString(data)
            if record.WhichOneof("record_type") == "history":
                pairs = [(item.key or "/".join(item.nested_key), item.value_json) for item in record.history.item]
                rows.append({name: json.loads(value) for name, value in pairs})
    assert [row["_step"] for row in rows] == [t.id for t in trials]
    for row, trial in zip(rows, trials, strict=True):
        assert row.get("accuracy") == trial.metrics.get("accuracy")
        assert row["failed"] == (trial.state == "failed")
        assert "choice/cell/0-1" in row


class Failing:
    """A server that is down from the third trial on."""

    def __init__(self) -> None:
        self.heard: list[int] = []

    def on_tell(self, study: Study, trial: Trial) -> None:
        if trial.id == 3:
            raise ConnectionError("no route to host")
        self.heard.append(trial.id)

    def close(self) -> None:
        self.heard.append(-1)


def test_a_tracker_in_trouble_ends_no_search(tmp_path: Path):
    failing = Failing()
    with Study(None, make("space", "nasbench201"), "random", steady) as study:
        with pytest.warns(UserWarning, match="Failing hears no more of this run: ConnectionError: no route to host"):
            study.run(TRIALS, trackers=[failing], batch=1)
        assert study.finished == TRIALS
    assert failing.heard == [1, 2]


def test_trackers_by_name(monkeypatch: pytest.MonkeyPatch):
    import sys

    with (
        Study(None, make("space", "nasbench201"), "random", unlucky) as study,
        pytest.raises(UnknownName, match="tracker"),
    ):
        study.run(1, trackers=["tensorbord"])
    for name, module in (("mlflow", "mlflow"), ("wandb", "wandb"), ("tensorboard", "torch.utils.tensorboard")):
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(MissingExtra, match=rf"tierwise\[{name}\]"):
            make("tracker", name)
