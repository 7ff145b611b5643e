"""The shape of a predictor: scikit-learn's regressor over architecture batches, saved without pickle."""

from __future__ import annotations

import json
import zipfile
import zlib
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, Self, cast

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau
from sklearn.base import BaseEstimator

from tierwise.architecture import Architectures, Archs
from tierwise.errors import BadModel, BadSetting, NotFitted

FORMAT = "tierwise predictor 1"
Scores = NDArray[np.floating[Any]]


class Scorer(Protocol):
    """Whatever scores architectures: a Predictor, or any scikit-learn pipeline that starts with an encoding."""

    def fit(self, archs: Any, y: Any) -> Any: ...
    def predict(self, archs: Any) -> Any: ...


class Predictor(BaseEstimator):
    """Learns from a few labelled architectures; higher scores are better, only their order counts.

    A subclass gives ``fit``, ``predict`` and, to be saved, ``state`` and ``restore``.
    Tier predictors add ``predict_tier`` (0 = best) and ``predict_tier_proba``.
    gives_std: whether ``predict`` knows how sure it is.
    """

    gives_std = False

    @abstractmethod
    def fit(self, archs: Archs, y: Any) -> Self:
        """Learn from (n,) labels, higher better."""

    @abstractmethod
    def predict(self, archs: Archs, return_std: bool = False) -> Any:
        """(n,) scores; with `return_std` a pair of scores and their standard deviations."""

    def score(self, archs: Archs, y: Any) -> float:
        """Kendall's tau-b between predicted and true order."""
        return float(kendalltau(self.predict(archs), y).statistic)  # pyright: ignore[reportAttributeAccessIssue]

    def state(self) -> dict[str, NDArray[Any]]:
        """What fitting has learnt, as plain arrays."""
        raise BadSetting("save", type(self).__name__, "a predictor that says what it has learnt (state, restore)")

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """The inverse of ``state``."""
        raise BadSetting("load", type(self).__name__, "a predictor that says what it has learnt (state, restore)")

    def save(self, path: str | Path) -> None:
        """Write settings and learnt arrays as one npz file (no pickle inside), or nothing at all."""
        target = Path(path)
        head = {"format": FORMAT, "class": type(self).__name__, "settings": self.get_params(deep=False)}
        arrays = {"__head__": np.array(json.dumps(head)), **self.state()}
        part = target.with_name(target.name + ".part")
        with part.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **cast(dict[str, Any], arrays))
        part.replace(target)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """A fitted predictor of this class from ``save``. Raises BadModel."""
        head, arrays = read_saved(path)
        if head["class"] != cls.__name__:
            raise BadModel(path, f"holds a {head['class']}, not a {cls.__name__}")
        try:
            settings = {k: tuple(v) if isinstance(v, list) else v for k, v in head["settings"].items()}
            predictor = cls(**settings)
            predictor.restore(arrays)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise BadModel(path, f"damaged or written by another version: {error}") from error
        return predictor


def read_saved(path: str | Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Head and arrays of a saved predictor. Raises BadModel; never unpickles."""
    try:
        # opened here, because np.load forgets to close what turns out to be no npz file
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as saved:
            arrays = {name: saved[name] for name in saved.files}
        head = json.loads(str(arrays.pop("__head__")))
    except FileNotFoundError as error:
        raise BadModel(path, "there is no such file") from error
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise BadModel(path, "not a saved predictor of tierwise (damaged or another kind of file)") from error
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise BadModel(path, f'not a saved predictor of this version ("{FORMAT}")')
    return cast(dict[str, Any], head), arrays


def check_labels(archs: Archs, y: Any, least: int = 4) -> tuple[Architectures, NDArray[np.float64]]:
    """Batch and finite float labels of equal length. Raises BadSetting, naming the first rows at fault."""
    rows, labels = Architectures.of(archs), np.asarray(y, dtype=np.float64)
    if labels.shape != (len(rows),):
        raise BadSetting("labels", labels.shape, f"one number for each of the {len(rows)} architectures")
    broken = np.flatnonzero(~np.isfinite(labels))
    if len(broken):
        raise BadSetting("labels", f"not finite in rows {broken[:10].tolist()}", "finite numbers")
    if len(rows) < least:
        raise BadSetting("labels", f"{len(rows)} of them", f"at least {least} labelled architectures")
    return rows, labels


def check_fitted(predictor: object, attribute: str) -> None:
    """Raises NotFitted unless `predictor` has the fitted `attribute`."""
    if not hasattr(predictor, attribute):
        raise NotFitted(type(predictor).__name__)


def score_all(predictor: Scorer, archs: Architectures) -> Scores:
    """(n,) predicted scores, in chunks."""
    return np.concatenate([np.asarray(predictor.predict(part), dtype=np.float64) for part in archs.chunks()])


def score_and_std(predictor: Predictor, archs: Architectures) -> tuple[Scores, Scores]:
    """(n,) scores and their standard deviations, in chunks; zeros where the predictor does not know how sure it is."""
    if not predictor.gives_std:
        score = score_all(predictor, archs)
        return score, np.zeros_like(score)
    pairs = [predictor.predict(part, return_std=True) for part in archs.chunks()]
    return np.concatenate([p[0] for p in pairs]), np.concatenate([p[1] for p in pairs])


def top(
    predictor: Scorer, archs: Architectures, k: int, *, exclude: Architectures | None = None
) -> tuple[NDArray[np.int64], Scores]:
    """Rows and scores of the `k` best of `archs`, best first, without those in `exclude`; ties in row order."""
    scores = score_all(predictor, archs)
    if exclude is not None and len(exclude):
        scores = np.where(archs.isin(exclude), -np.inf, scores)
    best = np.argsort(-scores, kind="stable")[:k]
    best = best[np.isfinite(scores[best])]
    return best, scores[best]
