"""What every encoding must do."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from tierwise.architecture import Architectures, concatenate
from tierwise.encoding import Encoding
from tierwise.space import Space
from tierwise.testing.suite import (
    expect,
    expect_bounded_row_cost,
    expect_equal,
    expect_no_global_draw,
    expect_rows,
    halved,
    run_checks,
)

ROUNDING = 1e-5  # float32 sums over batches of another size may differ in the last digits


class EncodingCase:
    """The encoding under test, and 60 architectures."""

    def __init__(self, encoding: Encoding, space: Space):
        self.encoding, self.space = encoding, space

    @property
    def some(self) -> Architectures:
        """New each time, so that an encoding which spoils its input is found by one check alone."""
        return self.space.sample(60, np.random.default_rng(0))

    def transform(self, archs: Architectures) -> NDArray[Any]:
        """The features that the encoding gives after a fit on `some`."""
        return self.fitted.transform(archs)

    @cached_property
    def fitted(self) -> Encoding:
        fresh = _copy(self.encoding)
        fresh.fit(self.some)
        return fresh

    @cached_property
    def features(self) -> NDArray[Any]:
        """Of `some`."""
        return self.transform(self.some)


def _copy(encoding: Encoding) -> Encoding:
    return cast(Encoding, clone(encoding))


def check_encoding(encoding: Encoding, space: Space, *, expected_failures: Collection[str] = ()) -> None:
    """Raises NotConforming unless `encoding` does on `space` all that its users rely on."""
    run_checks("check_encoding", CHECKS, EncodingCase(encoding, space), expected_failures)


def float32_one_row_each(case: EncodingCase) -> None:
    expect_equal("type of the features", case.features.dtype, np.dtype(np.float32))
    expect(case.features.ndim >= 2, f"shape of the features: expected (n, ...), seen {case.features.shape}")
    expect_equal("rows of features", len(case.features), len(case.some))


def features_are_finite(case: EncodingCase) -> None:
    broken = np.unique(np.nonzero(~np.isfinite(case.features))[0])
    expect(not len(broken), f"features: expected finite numbers, seen others in rows {broken[:10].tolist()}")


def fit_returns_self(case: EncodingCase) -> None:
    fresh = _copy(case.encoding)
    expect(fresh.fit(case.some) is fresh, "fit: expected the encoding itself, seen something else")


def equal_input_gives_equal_features(case: EncodingCase) -> None:
    expect_rows("features, a second time", case.transform(case.some), case.features)
    again = EncodingCase(case.encoding, case.space)
    expect_rows("features of another one with equal settings", again.features, case.features)


def rows_are_independent(case: EncodingCase) -> None:
    parts = [case.transform(case.some[k : k + 7]) for k in range(0, len(case.some), 7)]
    expect_rows("features in parts of 7", np.concatenate(parts), case.features, tolerance=ROUNDING)


def features_follow_the_rows(case: EncodingCase) -> None:
    order = np.random.default_rng(1).permutation(len(case.some))
    shuffled = case.transform(case.some[order])
    expect_rows("features of shuffled rows", shuffled, case.features[order], tolerance=ROUNDING)


def batches_of_any_size(case: EncodingCase) -> None:
    for n in (0, 1):
        features = case.transform(case.some[:n])
        expect_equal(f"shape for {n} architectures", features.shape, (n, *case.features.shape[1:]))
    twice = case.transform(concatenate([case.some, case.some]))
    expect_equal("rows for every architecture twice", len(twice), 2 * len(case.some))


def input_is_not_modified(case: EncodingCase) -> None:
    archs = case.some
    case.encoding.fit(archs)
    case.encoding.transform(archs)
    expect_rows("genes after fit and transform", archs.genes, case.some.genes)


def narrowing_keeps_the_features(case: EncodingCase) -> None:
    """A search narrows its space while predictors that were fitted before go on."""
    smaller, _ = halved(case.space)
    archs = smaller.sample(20, np.random.default_rng(2))
    whole = Architectures(case.space, archs.genes)
    expect_rows("features in a narrowed space", case.transform(archs), case.transform(whole))


def settings_survive_a_clone(case: EncodingCase) -> None:
    settings = case.encoding.get_params()
    expect_equal("get_params of a clone", _copy(case.encoding).get_params(), settings)
    fresh = type(case.encoding)(**settings)
    expect_equal("get_params after making one with them", fresh.get_params(), settings)
    expect_equal("get_params after fit", case.fitted.get_params(), settings)


def global_random_numbers_are_left_alone(case: EncodingCase) -> None:
    def work() -> None:
        case.encoding.fit(case.some)
        case.encoding.transform(case.some)

    expect_no_global_draw(work)


def rows_cost_no_python(case: EncodingCase) -> None:
    archs = Architectures(case.space, np.resize(case.some.genes, (10_000, case.some.shape[1])))
    expect_bounded_row_cost("transform", lambda n: lambda: case.transform(archs[:n]))


CHECKS = (
    float32_one_row_each,
    features_are_finite,
    fit_returns_self,
    equal_input_gives_equal_features,
    rows_are_independent,
    features_follow_the_rows,
    batches_of_any_size,
    input_is_not_modified,
    narrowing_keeps_the_features,
    settings_survive_a_clone,
    global_random_numbers_are_left_alone,
    rows_cost_no_python,
)
