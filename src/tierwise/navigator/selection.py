"""A part of the map, by a rule, a bit mask or a drawn line."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tierwise.errors import BadSetting
from tierwise.navigator.snapshot import Mask, Snapshot

MOST_CORNERS = 2_000
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Polygon:
    """Corners (x, y) in values of two columns; log: whether the axis is logarithmic, its edges then straight there."""

    x: str
    y: str
    points: list[tuple[float, float]]
    log: tuple[bool, bool] = (False, False)


@dataclass(frozen=True)
class Selection:
    """One of them, or none: everything. mask: base64 of bits, little endian in a byte, row 0 first."""

    rule: str | None = None
    mask: str | None = None
    polygon: Polygon | None = None


def chosen(snapshot: Snapshot, selection: Selection) -> Mask:
    """(n,) the rows that are meant. Raises BadSetting, UnknownName."""
    given = [each for each in (selection.rule, selection.mask, selection.polygon) if each is not None]
    if len(given) > 1:
        raise BadSetting("selection", f"{len(given)} of them", "one of rule, mask, polygon; or none, for everything")
    if selection.rule is not None:
        return snapshot.where(selection.rule)
    if selection.mask is not None:
        return unpacked(selection.mask, len(snapshot))
    if selection.polygon is not None:
        return _inside(snapshot, selection.polygon)
    return np.ones(len(snapshot), dtype=np.bool_)


def packed(mask: Mask) -> str:
    """The text of a mask."""
    return base64.b64encode(np.packbits(mask, bitorder="little").tobytes()).decode()


def unpacked(text: str, n: int) -> Mask:
    """(n,) the inverse; rows that have come since the mask was made are not in it. Raises BadSetting."""
    try:
        bits = np.frombuffer(base64.b64decode(text, validate=True), dtype=np.uint8)
    except (binascii.Error, ValueError) as error:
        raise BadSetting("selection mask", text[:40], f"base64 of one bit a row ({error})") from error
    if len(bits) > (n + 7) // 8:
        raise BadSetting("selection mask", f"{len(bits):,} bytes", f"at most {(n + 7) // 8:,}, one bit for each row")
    mask = np.zeros(n, dtype=np.bool_)
    own = np.unpackbits(bits, bitorder="little")[:n].astype(np.bool_)
    mask[: len(own)] = own
    return mask


def _inside(snapshot: Snapshot, polygon: Polygon) -> Mask:
    """(n,) the rows within the line; what has no place there is outside."""
    if not 3 <= len(polygon.points) <= MOST_CORNERS:
        raise BadSetting("selection polygon", f"{len(polygon.points)} corners", f"3 to {MOST_CORNERS:,}")
    corners = np.array(polygon.points, dtype=np.float64)
    axes = [snapshot.column(polygon.x), snapshot.column(polygon.y)]
    for axis, logarithmic in enumerate(polygon.log):
        if logarithmic:
            with np.errstate(divide="ignore", invalid="ignore"):
                axes[axis], corners[:, axis] = np.log(axes[axis]), np.log(corners[:, axis])
    if not np.isfinite(corners).all():
        raise BadSetting("selection polygon", polygon.points[:3], "finite corners, above 0 on a logarithmic axis")
    low, high = corners.min(0), corners.max(0)
    near = np.flatnonzero(
        (axes[0] >= low[0]) & (axes[0] <= high[0]) & (axes[1] >= low[1]) & (axes[1] <= high[1])
    )  # no number fails all comparisons
    mask = np.zeros(len(snapshot), dtype=np.bool_)
    mask[near] = within(axes[0][near], axes[1][near], corners)
    return mask


def within(x: Floats, y: Floats, corners: Floats) -> Mask:
    """(n,) whether points are inside a closed line, by the even-odd rule; an edge looks only at the points beside it.

    Shimrat, "Algorithm 112: Position of Point Relative to Polygon" (1962).
    """
    order = np.argsort(y, kind="stable")
    x, y = x[order], y[order]
    odd = np.zeros(len(x), dtype=np.bool_)
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y1 == y2:
            continue
        first, last = np.searchsorted(y, (min(y1, y2), max(y1, y2)))  # of a corner the upper edge counts
        if first < last:
            part = slice(first, last)
            odd[part] ^= x[part] < x1 + (y[part] - y1) / (y2 - y1) * (x2 - x1)
    mask = np.zeros(len(x), dtype=np.bool_)
    mask[order] = odd
    return mask
