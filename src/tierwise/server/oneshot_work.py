"""Files and processes of a one-shot study: shared weights, and trainings in full. A training is a command that a
person could type; the server only starts it, and whatever it does is in files.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tierwise.errors import BadSetting, StudyError
from tierwise.store import Store
from tierwise.study import Study, open_study
from tierwise.trial_folder import read_curve

SHARED, STOP = "supernet", "stop"  # as in `supernets.oneshot`, which needs torch
TRAINED, ABOUT, METRICS = "trained", "about.json", "metrics.json"
FILES = ("network.py", "weights.safetensors", "model.pt2", "model.onnx", "curve.csv", METRICS)
AT_ONCE = 2  # trainings
PATIENCE = 90.0  # seconds until a new study is there
_LOOK = 0.1


class Processes:
    """Trainings that this server has started; they outlive it."""

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()

    def start(self, key: str, arguments: Sequence[str], log: Path) -> None:
        """Run the command in a process of its own, unless it runs already. log: what it says."""
        with self._lock:
            if self.runs(key):
                return
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("wb") as out:
                self._running[key] = subprocess.Popen(
                    [sys.executable, "-m", "tierwise.cli.main", *arguments],
                    stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
                )  # fmt: skip

    def runs(self, key: str) -> bool:
        """Whether it runs."""
        process = self._running.get(key)
        return process is not None and process.poll() is None

    def count(self, prefix: str) -> int:
        """How many of this kind run."""
        return sum(self.runs(key) for key in self._running if key.startswith(prefix))


def wait_for_study(path: Path, runs: Callable[[], bool], log: Path) -> None:
    """Until the driver has written the study. runs: whether it still does. Raises BadSetting with the end of what it
    said, where it has not.
    """
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            if path.exists():
                open_study(path)
                return
        except StudyError:
            pass  # not yet written
        if not runs():
            break
        time.sleep(_LOOK)
    said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.exists() else []
    raise BadSetting("study", path.name, f"settings that a search can begin with: {' '.join(said[-3:])[-500:]}")


def hold(path: Path) -> None:
    """The search waits, from its first proposal on: written while the driver still trains."""
    store = Store(path, create=True)  # to write to: it is there already
    try:
        store.steer("page", lambda _: ("pause", {}), lambda _: None)
    finally:
        store.close()


def pairs(option: str, given: Mapping[str, Any]) -> list[str]:
    """``--option NAME=VALUE`` for each."""
    return [part for name, value in given.items() for part in (option, f"{name}={value}")]


def stop_training(study: Study) -> None:
    """The training of the shared weights ends with the epoch at hand."""
    folder = shared_folder(study)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STOP).touch()


def shared_folder(study: Study) -> Path:
    """Where the shared weights of a study are. Raises BadSetting for one in memory."""
    if study.folder is None:
        raise BadSetting("study", "in memory", "one in a file")
    return study.folder / SHARED


def trains(folder: Path) -> bool:
    """Whether some process trains the shared weights now: it holds the lock in their folder."""
    try:
        with (folder / "lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True


def training_key(architecture: str, epochs: int, seed: int) -> str:
    """The same training has the same folder."""
    return hashlib.sha256(json.dumps([architecture, epochs, seed]).encode()).hexdigest()[:12]


def begin_training(study: Study, processes: Processes, architecture: str, what: str, epochs: int, seed: int) -> str:
    """Train a network in full; the key of its training. Raises BadSetting where too many run."""
    key = training_key(architecture, epochs, seed)
    folder = shared_folder(study).parent / TRAINED / key
    if processes.runs(f"train/{key}") or (folder / METRICS).exists():
        return key
    if processes.count("train/") >= AT_ONCE:
        raise BadSetting("trainings", AT_ONCE, "a new one when one of those that run has ended")
    folder.mkdir(parents=True, exist_ok=True)
    about = {"architecture": architecture, "what": what, "epochs": epochs, "seed": seed}
    part = folder / f"{ABOUT}.part"
    part.write_text(json.dumps(about), encoding="utf-8")
    part.replace(folder / ABOUT)
    arguments = ["train", str(study.path), "--architecture", architecture, "--training", f"epochs={epochs}"]
    processes.start(f"train/{key}", [*arguments, "--seed", str(seed), "--out", str(folder)], folder / "log.txt")
    return key


def trainings(study: Study, processes: Processes) -> list[dict[str, Any]]:
    """Every training of a study: what, how far, its curve, its metrics and files."""
    found: list[dict[str, Any]] = []
    for about in sorted((shared_folder(study).parent / TRAINED).glob(f"*/{ABOUT}")):
        folder = about.parent
        try:
            facts = json.loads(about.read_text(encoding="utf-8"))
            known = {name: facts[name] for name in ("architecture", "what", "epochs", "seed")}
            done = json.loads((folder / METRICS).read_text(encoding="utf-8")) if (folder / METRICS).exists() else None
        except (OSError, ValueError, KeyError, TypeError):
            continue  # a folder that somebody has made
        runs = processes.runs(f"train/{folder.name}")
        state = "done" if done is not None else "running" if runs else "stopped"
        files = [name for name in FILES if (folder / name).exists()]
        metrics = {name: v for name, v in (done or {}).items() if isinstance(v, int | float)}
        said = "" if state != "stopped" else _last_line(folder / "log.txt")
        found.append(
            {"key": folder.name, **known, "state": state, "curve": read_curve(folder), "metrics": metrics,
             "files": files, "error": said}
        )  # fmt: skip
    return found


def _last_line(log: Path) -> str:
    try:
        return log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1][-300:]
    except (OSError, IndexError):
        return ""


def file_of(study: Study, key: str, name: str) -> Path:
    """A file of a training. Raises BadSetting for anything else."""
    if name not in FILES or not (key.isalnum() and len(key) == 12):
        raise BadSetting("file", name[:60], f"of a training: {', '.join(FILES)}")
    path = shared_folder(study).parent / TRAINED / key / name
    if not path.is_file():
        raise BadSetting("file", name, "one that the training has written")
    return path
