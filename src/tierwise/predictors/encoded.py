"""What predictors on a plain feature matrix share: the columns of several encodings, and labels by their rank."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from tierwise import registry
from tierwise.architecture import Architectures, Archs
from tierwise.encoding import Encoding
from tierwise.errors import BadSetting
from tierwise.predictor import Predictor, check_fitted, check_labels

ENCODINGS = ("paths", "flops", "params")
_ROWS = 8_192  # encoded at a time: their features stay within a few dozen MB

Matrix = NDArray[np.floating[Any]]
Encodings = tuple[str | Encoding, ...]  # registered names, "name:ARGUMENT" such as "columns:PATH", or objects
Kind = TypeVar("Kind", bound=Predictor)


class EncodedPredictor(Predictor):
    """A regression on the columns of some encodings.

    A subclass has the settings ``encodings`` (see ``made``) and ``seed`` and gives ``_learn`` and ``_score``, and for
    a saved one ``_learnt`` and ``_relearn``. Encodings that need cost formulas are left out on a space without them,
    as long as another one is left.
    Fitted: ``encodings_`` (those in use).
    """

    encodings: Encodings
    seed: int

    def fit(self, archs: Archs, y: Any) -> Self:
        """Learn from (n,) labels, higher better, n at least 4. Raises BadSetting."""
        rows, labels = check_labels(archs, y)
        self.encodings_ = usable(self.encodings, rows)
        self._learn(encode(self.encodings_, rows), labels)
        return self

    def predict(self, archs: Archs, return_std: bool = False) -> Any:
        """(n,) scores; with `return_std` also (n,) standard deviations. Raises BadSetting where there are none."""
        check_fitted(self, "encodings_")
        if return_std and not self.gives_std:
            raise BadSetting("return_std", return_std, "False: this predictor gives no standard deviations")
        rows = Architectures.of(archs)
        if not len(rows):
            return (np.zeros(0), np.zeros(0)) if return_std else np.zeros(0)
        parts = [self._score(encode(self.encodings_, part)) for part in rows.chunks(_ROWS)]
        score, std = (np.concatenate(each) for each in zip(*parts, strict=True))
        return (score, std) if return_std else score

    def save(self, path: str | Path) -> None:
        """As every predictor does. Raises BadSetting for encodings that no text can stand for."""
        Predictor.save(with_texts(self, "encodings"), path)

    def state(self) -> dict[str, NDArray[Any]]:
        """What fitting has learnt, as plain arrays. Raises BadSetting for encodings that no text can stand for."""
        check_fitted(self, "encodings_")
        return {"encodings": np.array(texts(self.encodings_)), **self._learnt()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """The inverse of ``state``."""
        self._relearn(state)
        self.encodings_ = tuple(map(str, state["encodings"]))

    @abstractmethod
    def _learn(self, x: Matrix, y: NDArray[np.float64]) -> None:
        """Learn from features (n, d) and labels (n,)."""

    @abstractmethod
    def _score(self, x: Matrix) -> tuple[Matrix, Matrix]:
        """(n,) scores and standard deviations, zeros where there are none."""

    @abstractmethod
    def _learnt(self) -> dict[str, NDArray[Any]]:
        """The arrays of ``state``."""

    @abstractmethod
    def _relearn(self, state: Mapping[str, NDArray[Any]]) -> None:
        """The inverse of ``_learnt``."""


def made(encoding: str | Encoding) -> Encoding:
    """The encoding behind a registered name, or behind ``"name:ARGUMENT"``, which is made of that one argument
    (``"columns:PATH"``); an object is returned as it is. Raises UnknownName, BadSetting.
    """
    if not isinstance(encoding, str):
        return encoding
    name, colon, argument = encoding.partition(":")
    if not colon:
        return registry.make("encoding", name)
    try:
        return registry.find("encoding", name)(argument)
    except TypeError as error:
        raise BadSetting(f"encoding {name}", argument, f"{name!r} alone: it takes no argument") from error


def texts(encodings: Encodings) -> tuple[str, ...]:
    """The texts from which ``made`` makes equal encodings. Raises BadSetting where there is none."""
    found: list[str] = []
    for encoding in encodings:
        text = encoding if isinstance(encoding, str) else getattr(encoding, "text", None)
        if text is None:
            allowed = 'names, and "columns:PATH" for numbers in a file; write the numbers to a file to save this one'
            raise BadSetting("encodings of a saved predictor", type(encoding).__name__, allowed)
        found.append(text)
    return tuple(found)


def with_texts(predictor: Kind, *settings: str) -> Kind:
    """A copy that shares all that is learnt, and whose `settings` hold texts in place of encoding objects."""
    plain = copy.copy(predictor)
    for setting in settings:
        setattr(plain, setting, texts(getattr(predictor, setting)))
    return plain


def usable(encodings: Encodings, rows: Architectures) -> Encodings:
    """The encodings that the space of `rows` can give: without cost formulas, not the costs. Raises BadSetting."""
    if not encodings:
        raise BadSetting("encodings", encodings, "at least one encoding, by name or made")
    kept: list[str | Encoding] = []
    for place, encoding in enumerate(encodings, start=1):
        try:
            made(encoding).transform(rows[:1])
            kept.append(encoding)
        except BadSetting as error:
            last = place == len(encodings) and not kept
            if error.setting != "costs of the space" or last:
                raise
    return tuple(kept)


def encode(encodings: Encodings, rows: Architectures) -> NDArray[np.float32]:
    """(n, d) the columns of the encodings side by side."""
    parts = [made(encoding).transform(rows) for encoding in encodings]
    return np.concatenate([part.reshape(len(rows), int(np.prod(part.shape[1:]))) for part in parts], 1)


def normal_scores(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) labels as quantiles of a normal distribution: only their order counts, and no tail is long."""
    return norm.ppf((rankdata(y) - 0.5) / len(y))
