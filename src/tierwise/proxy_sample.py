"""What untrained networks are measured with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tierwise.errors import BadSetting
from tierwise.space import Shape


@dataclass(frozen=True, eq=False)
class Sample:
    """What networks are measured with: images and labels of one batch or more, and the seed of weights.

    digest: equal for equal samples.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    batch: int
    classes: int
    seed: int
    digest: str

    @classmethod
    def of(
        cls,
        *,
        images: NDArray[Any] | None = None,
        labels: NDArray[Any] | None = None,
        batch: int = 32,
        seed: int = 0,
        classes: int = 10,
        shape: Shape = (3, 32, 32),
        batches: int = 2,
    ) -> Sample:
        """See ``Proxy``. batches: how many there must be. Raises BadSetting."""
        for name, value, least in (("batch", batch, 2), ("seed", seed, 0), ("classes", classes, 2)):
            if value < least:
                raise BadSetting(name, value, f"{least} or more")
        rng = np.random.default_rng(seed)
        pixels = rng.normal(size=(2 * batch, *shape)) if images is None else np.asarray(images)
        drawn = rng.integers(classes, size=len(pixels)) if labels is None else np.asarray(labels)
        if pixels.ndim < 2 or pixels.dtype.kind not in "fiu" or not np.isfinite(pixels).all():
            raise BadSetting("images", f"{pixels.dtype} {pixels.shape}", "finite numbers (n, channels, height, width)")
        if len(pixels) < batches * batch:
            raise BadSetting("images", f"{len(pixels)}", f"{batches * batch} or more: {batches} batches of {batch}")
        if (
            drawn.shape != pixels.shape[:1]
            or drawn.dtype.kind not in "iu"
            or not ((drawn >= 0) & (drawn < classes)).all()
        ):
            raise BadSetting("labels", f"{drawn.dtype} {drawn.shape}", f"a whole number below {classes} for each image")
        arrays = pixels[: 2 * batch].astype(np.float32), drawn[: 2 * batch].astype(np.int64)
        given = hashlib.sha256(repr((batch, classes, seed, arrays[0].shape)).encode())
        for array in arrays:
            given.update(array.tobytes())
        return cls(*arrays, batch, classes, seed, given.hexdigest())
