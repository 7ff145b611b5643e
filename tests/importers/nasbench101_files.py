"""NAS-Bench-101 files written by protobuf and an own framing, from real cells and real validation accuracies."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google_crc32c import value as crc32c

from tests.conftest import DATA

EPOCHS = (4, 12, 36, 108)
NAMES = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")


@cache
def nb101() -> Mapping[str, Any]:
    """The space and its 30,001 labelled cells; the test is skipped where they are not at hand."""
    path = DATA / "nb101.npz"
    if not path.is_file():
        pytest.skip(f"no {path.name} in {DATA}: set TIERWISE_DATA to the folder that holds it")
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


@cache
def message_class() -> Any:
    """``ModelMetrics`` by a descriptor made here, so that google's own code writes the bytes."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="metrics_of_the_tests.proto", package="t", syntax="proto2")
    kinds = descriptor_pb2.FieldDescriptorProto
    whole, one = file.message_type.add(name="ModelMetrics"), file.message_type.add(name="EvaluationData")
    whole.field.add(
        name="evaluation_data",
        number=1,
        type=kinds.TYPE_MESSAGE,
        label=kinds.LABEL_REPEATED,
        type_name=".t.EvaluationData",
    )
    whole.field.add(name="trainable_parameters", number=2, type=kinds.TYPE_INT32, label=kinds.LABEL_OPTIONAL)
    whole.field.add(name="total_time", number=3, type=kinds.TYPE_DOUBLE, label=kinds.LABEL_OPTIONAL)
    names = ("current_epoch", "training_time", "train_accuracy", "validation_accuracy", "test_accuracy")
    for number, name in enumerate(names, start=1):
        one.field.add(name=name, number=number, type=kinds.TYPE_DOUBLE, label=kinds.LABEL_OPTIONAL)
    one.field.add(name="checkpoint_path", number=6, type=kinds.TYPE_STRING, label=kinds.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.ModelMetrics"))


@dataclass(frozen=True)
class Training:
    """One record before it is written. half, final: seconds, train, validation and test as fractions."""

    row: int
    digest: str
    epochs: int
    adjacency: str
    operations: str
    params: int
    half: tuple[float, float, float, float]
    final: tuple[float, float, float, float]
    checkpoint: str | None = None

    def message(self) -> bytes:
        metrics = message_class()(trainable_parameters=self.params, total_time=self.final[0] * 1.25)
        steps = ((0.0, (0.0, 0.1, 0.1, 0.1)), (self.epochs / 2, self.half), (float(self.epochs), self.final))
        for epoch, (seconds, train, validation, test) in steps:
            metrics.evaluation_data.add(
                current_epoch=epoch,
                training_time=seconds,
                train_accuracy=train,
                validation_accuracy=validation,
                test_accuracy=test,
                **({} if self.checkpoint is None else {"checkpoint_path": self.checkpoint}),
            )
        return metrics.SerializeToString()

    def record(self) -> bytes:
        metrics = base64.b64encode(self.message()).decode()
        return json.dumps([self.digest, self.epochs, self.adjacency, self.operations, metrics]).encode()


def digest_of(adjacency: np.ndarray, ops: list[int]) -> str:
    """The module hash by its published definition, one string after the other."""
    labels = [-1, *ops, -2]
    n = len(labels)
    into, out = adjacency.sum(0).tolist(), adjacency.sum(1).tolist()
    md5 = lambda text: hashlib.md5(text.encode()).hexdigest()  # noqa: E731
    hashes = [md5(str((out[k], into[k], labels[k]))) for k in range(n)]
    for _ in range(n):
        around = [
            ([hashes[w] for w in range(n) if adjacency[w, k]], [hashes[w] for w in range(n) if adjacency[k, w]])
            for k in range(n)
        ]
        hashes = [
            md5("".join(sorted(before)) + "|" + "".join(sorted(after)) + "|" + hashes[k])
            for k, (before, after) in enumerate(around)
        ]
    return md5(str(sorted(hashes)))


def cell(row: int) -> tuple[np.ndarray, list[int]]:
    space = nb101()
    bits, n, label = int(space["bits"][row]), int(space["v"][row]), int(space["lab"][row])
    adjacency = np.zeros((n, n), np.uint8)
    for y in range(n):
        for x in range(y):
            adjacency[x, y] = (bits >> (x + y * (y - 1) // 2)) & 1
    return adjacency, list(itertools.product(range(3), repeat=n - 2))[label]


def trainings(rows: Iterable[int], epochs: tuple[int, ...] = (108,), repeats: int = 3) -> Iterator[Training]:
    """Real validation accuracies of labelled cells (rows count the labelled ones). The real sample lacks the repeats 1
    and 2 and the other figures: they are made of it by fixed rules.
    """
    real = nb101()
    for k in rows:
        row = int(real["labelled_space_index"][k])
        adjacency, ops = cell(row)
        digest, seconds108 = digest_of(adjacency, ops), float(real["labelled_train_time108"][k])
        text = "".join(map(str, adjacency.ravel().tolist()))
        operations = ",".join(["input", *(NAMES[op] for op in ops), "output"])
        for length in epochs:
            best = float(real[f"labelled_val{length}"][k])
            for repeat in range(repeats):
                accuracy = max(0.0, best - 0.004 * repeat)
                seconds = seconds108 * length / 108 + repeat
                final = (seconds, min(1.0, accuracy + 0.03), accuracy, max(0.0, accuracy - 0.006))
                half = (seconds / 2, accuracy * 0.9, accuracy * 0.85, accuracy * 0.84)
                yield Training(row, digest, length, text, operations, int(real["params"][row]), half, final)


def framed(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + _masked(length) + data + _masked(data)


def _masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def write(path: Path, records: Iterable[bytes]) -> Path:
    """A file of these records, in this order."""
    with path.open("wb") as file:
        file.writelines(framed(record) for record in records)
    return path
