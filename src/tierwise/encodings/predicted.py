"""The scores of a fitted predictor as a feature: what an earlier study, data set or space has taught."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tierwise.architecture import Archs
from tierwise.encoding import Encoding, batch
from tierwise.encodings.columns import whole_space
from tierwise.predictor import Scorer, score_all
from tierwise.space import Space

_SAMPLE = 1_000


class Predicted(Encoding):
    """The scores of a predictor that is already fitted, (n, 1), so that another one can learn from few labels.

    Their mean and standard deviation over 1,000 architectures, sampled from the space of the batch, become 0 and 1.
    The predictor is used as it is: neither ``fit`` nor a clone of this encoding fits it anew. One column among many
    counts little: with a few dozen labels a forest that reads it, on NAS-Bench-201 from one data set to another, ranks
    better than without it, but worse than the earlier predictor alone. `auto` starts from the scores themselves.

    predictor: fitted, on any labels of the same space, or on another space if it can score this one.
    Raises NotFitted, and what the predictor raises for a space that it cannot score.

    >>> from tierwise.predictors.forest import Forest
    >>> from tierwise.spaces.nasbench201 import NASBench201
    >>> archs = NASBench201().at(range(40))
    >>> earlier = Forest(trees=5).fit(archs, (archs.genes == 3).sum(1))
    >>> Predicted(earlier).transform(archs).shape
    (40, 1)
    is_score: its column is higher for what is better, by a study that has ended, not a mere feature.
    """

    is_score = True

    def __init__(self, predictor: Scorer):
        self.predictor = predictor
        self._scale: tuple[Space, float, float] | None = None

    def transform(self, archs: Archs) -> NDArray[np.float32]:
        """(n, 1)"""
        rows = batch(archs)
        mean, spread = self._measured(rows.space)
        scores = np.zeros(0) if not len(rows) else score_all(self.predictor, rows)
        return ((scores - mean) / spread).astype(np.float32)[:, None]

    def _measured(self, space: Space) -> tuple[float, float]:
        """Mean and standard deviation of the scores over a sample of the space."""
        if self._scale is None or self._scale[0] != space:
            sample = whole_space(space).sample(_SAMPLE, np.random.default_rng(0))
            scores = score_all(self.predictor, sample)
            self._scale = space, float(scores.mean()), float(scores.std()) or 1.0
        return self._scale[1:]

    def feature_names(self, space: Space) -> list[str]:
        """What the one column of ``transform`` is."""
        return [f"score of an earlier {type(self.predictor).__name__}"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The predictor; its own settings are not among them, however `deep`, because it is fitted already."""
        del deep
        return {"predictor": self.predictor}

    def __sklearn_clone__(self) -> Self:
        return type(self)(self.predictor)
