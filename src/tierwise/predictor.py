"""The shape of a predictor: scikit-learn's regressor over architecture batches, saved without pickle."""

from __future__ import annotations

import functools
import json
import warnings
import zipfile
import zlib
from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, cast

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau
from sklearn.base import BaseEstimator

from tierwise.architecture import Architectures, Archs
from tierwise.errors import BadArchitecture, BadModel, BadSetting, NotFitted
from tierwise.space import Space

FORMAT = "tierwise predictor 1"
Scores = NDArray[np.floating[Any]]


class Scorer(Protocol):
    """Whatever scores architectures: a Predictor, or any scikit-learn pipeline that starts with an encoding."""

    def fit(self, archs: Any, y: Any) -> Any: ...
    def predict(self, archs: Any) -> Any: ...


class RepeatedLabels(UserWarning):
    """An architecture came with several labels: their mean counts."""


class Predictor(BaseEstimator):
    """Learns from a few labelled architectures; higher scores are better, only their order counts.

    A subclass gives ``fit``, ``predict`` and, to be saved, ``state`` and ``restore``.
    Tier predictors add ``predict_tier`` (0 = best) and ``predict_tier_proba``.
    gives_std: whether ``predict`` knows how sure it is. any_space: whether it scores spaces it has no labels of.

    Every subclass raises BadArchitecture for genes that the space does not have and, once fitted, BadSetting for
    architectures of another space (a narrowed one is no other), unless it is for ``any_space``.
    """

    gives_std = False
    any_space: ClassVar[bool] = False
    learnt_space_: str  # of the last fit

    def __init_subclass__(cls, **given: Any) -> None:
        super().__init_subclass__(**given)
        for name in ("fit", "partial_fit", "predict", "predict_tier", "predict_tier_proba"):
            if name in vars(cls):
                setattr(cls, name, _guarded(vars(cls)[name], learns=name == "fit"))

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
        settings, space = self.get_params(deep=False), getattr(self, "learnt_space_", None)
        head = {"format": FORMAT, "class": type(self).__name__, "settings": settings, "space": space}
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
            if head.get("space") is not None:
                predictor.learnt_space_ = str(head["space"])
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
    """Each architecture once, and its finite label, the mean of repeated ones (said by a RepeatedLabels warning).

    Raises BadSetting, naming the first rows at fault.
    """
    rows, labels = Architectures.of(archs), np.asarray(y, dtype=np.float64)
    if labels.shape != (len(rows),):
        raise BadSetting("labels", labels.shape, f"one number for each of the {len(rows)} architectures")
    broken = np.flatnonzero(~np.isfinite(labels))
    if len(broken):
        raise BadSetting("labels", f"not finite in rows {broken[:10].tolist()}", "finite numbers")
    rows, labels = _once_each(rows, labels)
    if len(rows) < least:
        raise BadSetting("labels", f"{len(rows)} of them", f"at least {least} labelled architectures")
    return rows, labels


def _once_each(rows: Architectures, y: NDArray[np.float64]) -> tuple[Architectures, NDArray[np.float64]]:
    """Each architecture (equal genes) with the mean of its labels, in the order of first appearance."""
    _, first, which, times = np.unique(rows.keys(), return_index=True, return_inverse=True, return_counts=True)
    if len(first) == len(rows):
        return rows, y
    mean = np.bincount(which, y - y[first][which]) / times + y[first]  # exact where the labels agree
    differ = np.isin(which, which[y != y[first][which]])
    if differ.any():
        said = f"{int(differ.sum())} rows repeat {len(np.unique(which[differ]))} architectures with different labels"
        warnings.warn(f"{said}; the mean of each counts", RepeatedLabels, stacklevel=3)
    order = np.argsort(first)
    return rows[first[order]], mean[order]


def space_key(space: Space) -> str:
    """Name and checksum of the choices: equal for a space and what it is narrowed to."""
    return f"{space.name} {zlib.crc32(repr(space.choices).encode()):08x}"


def check_space(predictor: object, space: Space) -> None:
    """Raises BadSetting for a predictor that has learnt another space; one that does not say may be of any."""
    learnt = getattr(predictor, "learnt_space_", None)
    if getattr(predictor, "any_space", False) or learnt in (None, space_key(space)):
        return
    name = str(learnt).rpartition(" ")[0]
    which = f"{space.name} with other choices" if name == space.name else space.name
    raise BadSetting("space", which, f"{name}, which this {type(predictor).__name__} was fitted on")


def _guarded(method: Callable[..., Any], *, learns: bool) -> Callable[..., Any]:
    """The method, called with architectures that exist and, if it predicts, of the space of the labels."""

    @functools.wraps(method)
    def call(self: Predictor, archs: Archs, *arguments: Any, **settings: Any) -> Any:
        if self.any_space and not isinstance(archs, Architectures):
            return method(self, archs, *arguments, **settings)  # of several spaces, perhaps
        rows = Architectures.of(archs)
        most = np.array([len(choice.options) for choice in rows.space.choices])
        wrong = ((rows.genes < -1) | (rows.genes >= most)).any(1)
        if wrong.any():
            at = int(wrong.argmax())
            raise BadArchitecture(str(rows[at]), f"row {at} has an option that space {rows.space.name} does not have")
        if not learns:
            check_space(self, rows.space)
            return method(self, rows, *arguments, **settings)
        vars(self).pop("learnt_space_", None)  # until it has learnt, it may be asked about any
        result = method(self, rows, *arguments, **settings)
        self.learnt_space_ = space_key(rows.space)
        return result

    return call


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
