"""The metrics of NAS-Bench-101's records: base64 texts of ``ModelMetrics`` messages.

The fields are those of ``model_metrics.proto`` in the authors' public code (Apache-2.0). A message that is read by the
general rules of the wire format tells where its values lie; all messages with the same bytes around them are read at
those places at once.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tierwise.importers.tfrecord import BYTES, FIXED64, VARINT, fields, slices, starts_with

# (field of EvaluationData, our name): seconds so far, and fractions of images
METRICS = ((2, "training_seconds"), (3, "train_accuracy"), (4, "validation_accuracy"), (5, "test_accuracy"))
FIGURES = 2 * len(METRICS)  # half-way, then final
MOST_LAYOUTS = 64  # then one by one: a hostile file could have another layout in each record


@dataclass(frozen=True)
class Runs:
    """Trainings, one a record. key: (n,) first 64 bits of the module hash. epochs: (n,). cell: (n,) codes of graphs
    (``genes`` decodes them). figures: (n, 8) METRICS half-way, then METRICS at the end. params: (n,).
    """

    key: NDArray[np.uint64]
    epochs: NDArray[np.int64]
    cell: NDArray[np.int64]
    figures: NDArray[np.float64]
    params: NDArray[np.int64]


def read_texts(
    buffer: bytes, start: NDArray[np.int64], end: NDArray[np.int64], runs: Runs, rows: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Fills in figures and params from base64 texts; (n,) where that went well."""
    done = np.zeros(len(rows), np.bool_)
    padding = starts_with(buffer, end - 1, end, b"=").astype(np.int64)
    padding += starts_with(buffer, end - 2, end, b"==")
    length = end - start
    for kind in np.unique(length[length > 3] * 4 + padding[length > 3]).tolist():
        width, pad = divmod(kind, 4)
        some = np.flatnonzero((length == width) & (padding == pad))
        text = slices(buffer, start[some], width)
        text[:, width - pad :] = ord("A")  # so that all texts are one text
        try:
            raw = binascii.a2b_base64(text.tobytes(), strict_mode=True)
        except binascii.Error:
            continue
        if width % 4 == 0:
            matrix = np.frombuffer(raw, np.uint8).reshape(len(some), -1)[:, : width // 4 * 3 - pad]
            done[some] = read_messages(np.ascontiguousarray(matrix), runs, rows[some])
    return done


@dataclass(frozen=True)
class Layout:
    """Where the values of a message lie. mask, value: the bytes that every message of this layout has."""

    mask: NDArray[np.uint8]
    value: NDArray[np.uint8]
    figures: list[int]
    params: slice


def read_messages(matrix: NDArray[np.uint8], runs: Runs, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Fills in figures and params of `rows` from (n, bytes) messages; (n,) where that went well."""
    done = np.zeros(len(matrix), np.bool_)
    todo, layouts = np.arange(len(matrix)), 0
    while len(todo):
        try:
            one = layout(matrix[todo[0]].tobytes())
        except ValueError:
            todo = todo[1:]
            continue
        layouts += 1
        among = todo if layouts <= MOST_LAYOUTS else todo[:1]
        same = among[((matrix[among] & one.mask) == one.value).all(1)]
        figures = np.stack([matrix[same, at : at + 8].copy().view("<f8").ravel() for at in one.figures], axis=1)
        digits = matrix[same, one.params].astype(np.int64) & 0x7F
        params = digits @ (1 << (7 * np.arange(digits.shape[1])))
        runs.figures[rows[same]], runs.params[rows[same]] = figures, params
        fractions = np.delete(figures, [0, len(METRICS)], axis=1)
        good = (figures >= 0).all(1) & np.isfinite(figures).all(1) & (fractions <= 1).all(1)
        good &= (params > 0) & (params < 1 << 31)
        done[same[good]] = True
        todo = np.setdiff1d(todo, same, assume_unique=True)
    return done


def layout(message: bytes) -> Layout:
    """The layout of one message, read by the general rules of the wire format. Raises ValueError."""
    mask = np.full(len(message), 0xFF, np.uint8)
    evaluations: list[dict[int, int]] = []
    params = slice(0, 0)
    for number, kind, at, end in fields(message, 0, len(message)):
        if (number, kind) == (1, BYTES):
            inner = list(fields(message, at, end))
            evaluations.append({field: place for field, wire, place, _ in inner if wire == FIXED64})
            for _, wire, first, last in inner:
                mask[first:last] = 0x80 if wire == VARINT else 0
        else:
            mask[at:end] = 0x80 if kind == VARINT else 0
        if (number, kind) == (2, VARINT):
            params = slice(at, min(end, at + 8))
    try:
        figures = [evaluations[step][field] for step in (1, 2) for field, _ in METRICS]
    except (IndexError, KeyError) as error:
        raise ValueError("its metrics lack the evaluation half-way or at the end") from error
    if params.start == params.stop:
        raise ValueError("its metrics lack the number of parameters")
    return Layout(mask, np.frombuffer(message, np.uint8) & mask, figures, params)
