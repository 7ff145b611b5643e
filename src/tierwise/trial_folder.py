"""The folder of one trial: its learning curve, its checkpoint, and its result until the driver has told it.

Whatever stands in it is whole or not there: files are written beside and renamed. Nothing in it is ever unpickled.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import zipfile
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from tierwise.errors import BadSetting, Superseded

CURVE, CHECKPOINT, RESULT, ATTEMPT = "curve.jsonl", "checkpoint.npz", "result.json", "attempt"


@contextlib.contextmanager
def _whole(path: Path) -> Generator[BinaryIO]:
    """A file to write; what stands at `path` is replaced at the end, or stays as it was."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _write(path: Path, content: bytes) -> None:
    """The file with this content, on disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _whole(path) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def claim(folder: Path, attempt: int) -> None:
    """This attempt writes from now on. Raises Superseded where a later one has begun."""
    latest = 0
    with contextlib.suppress(FileNotFoundError, ValueError):
        latest = int((folder / ATTEMPT).read_text())
    if latest > attempt:
        raise Superseded(f"attempt {attempt} of the trial in {folder} goes on no more: attempt {latest} has begun")
    if latest < attempt:
        _write(folder / ATTEMPT, str(attempt).encode())


def add_to_curve(folder: Path, step: int, metrics: Mapping[str, float]) -> None:
    """One line more."""
    line = json.dumps({"step": int(step), **{name: float(value) for name, value in metrics.items()}})
    with (folder / CURVE).open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def read_curve(folder: Path) -> list[dict[str, float]]:
    """The learning curve, a dict a step in the order of steps; of a step that was run twice the later one.

    Lines that are none, such as one cut off by a kill, are left out.
    """
    steps: dict[int, dict[str, float]] = {}
    with contextlib.suppress(FileNotFoundError):
        for line in (folder / CURVE).read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
                entry = {str(name): float(value) for name, value in json.loads(line).items()}
                steps[int(entry["step"])] = entry
    return [steps[step] for step in sorted(steps)]


def save_checkpoint(folder: Path, state: Mapping[str, NDArray[Any]]) -> None:
    """Arrays by name, instead of those saved before."""
    with _whole(folder / CHECKPOINT) as file:
        np.savez(file, **cast(Any, dict(state)))


def load_checkpoint(folder: Path) -> dict[str, NDArray[Any]] | None:
    """What was saved last, None if nothing was. Raises BadSetting for a damaged file."""
    path = folder / CHECKPOINT
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise BadSetting(
            f"checkpoint {path}", str(error), "a whole file; delete it to begin this trial anew"
        ) from error


def keep_result(folder: Path, result: Mapping[str, Any]) -> None:
    """A result for the driver, or for the next one should this one be dead by now; the checkpoint is done with."""
    _write(folder / RESULT, json.dumps(dict(result)).encode())
    (folder / CHECKPOINT).unlink(missing_ok=True)


def kept_result(folder: Path, expected: Mapping[str, Any]) -> dict[str, Any] | None:
    """The result that a worker kept, if it is of the very evaluation that is `expected`: all these keys are equal."""
    try:
        kept = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        finite = all(math.isfinite(number) for number in (*kept["metrics"].values(), kept["started"], kept["ended"]))
        alike = all(kept.get(key) == value for key, value in expected.items())
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return kept if finite and alike else None
