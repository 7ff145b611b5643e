"""Scores of any predictor in the unit of the results."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
KNOTS = 21
RISE = 1e-9  # of the range: what lies higher stays higher, also where results are equal


@dataclass(frozen=True)
class Scale:
    """A rising map of scores onto results: quantiles of the labels' scores onto those of the labels, straight between
    them, and beyond them as steep as the outer quarter. scores, results: (k,) knots.
    """

    scores: Floats
    results: Floats

    @classmethod
    def of(cls, scores: Floats, y: Floats) -> Scale:
        """From the scores of the labels and the labels. Of equal ones scores are kept as they are.

        Scores that differ by rounding alone are equal: between them a map would rise without bound.
        """
        if np.ptp(scores) <= np.finfo(np.float64).eps * max(1.0, np.abs(scores).max()) or not np.ptp(y):
            return cls(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
        at, apart = np.linspace(0, 1, min(KNOTS, len(y))), RISE * np.ptp(scores)
        knots, results = np.quantile(scores, at), np.quantile(y, at)
        knots, first = np.unique(knots[0] + np.round((knots - knots[0]) / apart) * apart, return_index=True)
        rise = RISE * np.ptp(y) * (knots - knots[0]) / np.ptp(knots)
        return cls(knots, results[first] + rise)

    def __call__(self, scores: Floats) -> Floats:
        """(n,) results that such scores stand for."""
        knots, results, outer = self.scores, self.results, max(1, len(self.scores) // 4)
        found = np.interp(scores, knots, results)
        for end, inner, outside in ((0, outer, scores < knots[0]), (-1, -1 - outer, scores > knots[-1])):
            slope = (results[end] - results[inner]) / (knots[end] - knots[inner])
            found = np.where(outside, results[end] + slope * (scores - knots[end]), found)
        return found

    def spread(self, scores: Floats, std: Floats) -> Floats:
        """(n,) standard deviations: half the way from one below the score to one above it."""
        return (self(scores + std) - self(scores - std)) / 2
