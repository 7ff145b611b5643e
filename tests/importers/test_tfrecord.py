"""Record framing and wire format, against the writers of the package ``tfrecord`` and of protobuf."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.importers.nasbench101_files import framed, message_class, write
from tierwise.errors import BadTable
from tierwise.importers import tfrecord

RECORDS = [b"first", b"", b"a" * 300, bytes(range(256)), b"last"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "some.tfrecord", RECORDS)


def contents(path: Path, offset: int = 0, number: int = 0) -> list[bytes]:
    return [
        batch.buffer[start:end]
        for batch in tfrecord.batches(path, offset, number)
        for start, end in zip(batch.start, batch.end, strict=True)
    ]


def test_a_file_of_the_package_tfrecord_is_read(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package warns of what it would like to have installed
        from tfrecord import example_pb2
        from tfrecord.writer import TFRecordWriter
    path = tmp_path / "theirs.tfrecord"
    writer = TFRecordWriter(str(path))
    for k in range(50):
        writer.write({"number": (k, "int"), "text": (b"x" * k, "byte")})
    writer.close()
    records = contents(path)
    assert len(records) == 50
    for k, data in enumerate(records):
        features = example_pb2.Example.FromString(data).features.feature
        assert features["number"].int64_list.value == [k]
        assert features["text"].bytes_list.value == [b"x" * k]


@pytest.mark.parametrize("batch", [12, 16, 40, 333, 1 << 20])
def test_records_do_not_depend_on_the_size_of_a_batch(file: Path, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tfrecord, "BATCH", batch)
    assert contents(file) == RECORDS


def test_reading_goes_on_from_the_offset_after_a_batch(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tfrecord, "BATCH", 60)
    offsets = [(batch.following, len(batch.start)) for batch in tfrecord.batches(file, 0, 0)]
    assert len(offsets) > 2
    number = 0
    for offset, count in offsets:
        number += count
        assert contents(file, offset, number) == RECORDS[number:]


def test_an_empty_file_has_no_records(tmp_path: Path) -> None:
    assert contents(write(tmp_path / "empty.tfrecord", [])) == []


@pytest.mark.parametrize("batch", [30, 1 << 20])
def test_every_truncation_names_the_record_it_ends_in(file: Path, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tfrecord, "BATCH", batch)
    whole = file.read_bytes()
    ends = np.cumsum([0, *(len(framed(record)) for record in RECORDS)])
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        number = int(np.searchsorted(ends, length, side="right")) - 1
        if length in ends:
            assert contents(file) == RECORDS[:number]
            continue
        with pytest.raises(BadTable, match=f"record {number} at byte {ends[number]:,}.*truncated") as caught:
            contents(file)
        assert caught.value.rows == [number]


@pytest.mark.parametrize("batch", [30, 1 << 20])
def test_every_flipped_bit_names_the_record_it_is_in(file: Path, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tfrecord, "BATCH", batch)
    whole = file.read_bytes()
    ends = np.cumsum([0, *(len(framed(record)) for record in RECORDS)])
    for bit in range(0, len(whole) * 8, 11):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << (bit % 8)
        file.write_bytes(damaged)
        number = int(np.searchsorted(ends, bit // 8, side="right")) - 1
        with pytest.raises(BadTable, match=f"record {number} at byte {ends[number]:,}") as caught:
            contents(file)
        assert caught.value.rows == [number]


@pytest.mark.parametrize("claim", [10_000, 1 << 40, (1 << 64) - 1])
def test_a_false_length_costs_no_memory(tmp_path: Path, claim: int) -> None:
    record = framed(b"x" * 50)
    damaged = tmp_path / "damaged.tfrecord"
    damaged.write_bytes(record + struct.pack("<Q", claim) + record[8:])
    with pytest.raises(BadTable, match="the length of record 1 at byte 66 has a wrong checksum"):
        contents(damaged)
    honest = framed(struct.pack("<Q", claim))[12:20]  # the claim with the right checksum, as a forger would have it
    forged = struct.pack("<Q", claim) + framed(honest)[-4:] + b"x" * 100
    damaged.write_bytes(record + forged)
    with pytest.raises(BadTable, match="record 1 at byte 66"):
        contents(damaged)


def test_a_record_longer_than_any_of_a_benchmark_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.tfrecord"
    path.write_bytes(framed(b"x" * (tfrecord.LARGEST_RECORD + 1)))
    with pytest.raises(BadTable, match="record 0 at byte 0 claims 16,777,217 bytes"):
        contents(path)


@settings(max_examples=50, deadline=None)
@given(
    st.integers(-(2**31), 2**31 - 1),
    st.lists(st.tuples(st.floats(allow_nan=False), st.text(max_size=200)), max_size=4),
)
def test_fields_are_those_that_protobuf_wrote(params: int, evaluations: list[tuple[float, str]]) -> None:
    metrics = message_class()(trainable_parameters=params)
    for epoch, checkpoint in evaluations:
        metrics.evaluation_data.add(current_epoch=epoch, checkpoint_path=checkpoint)
    message = metrics.SerializeToString()
    found = list(tfrecord.fields(message, 0, len(message)))
    assert [number for number, *_ in found] == [1] * len(evaluations) + [2]
    for (_, kind, at, end), (epoch, checkpoint) in zip(found[:-1], evaluations, strict=True):
        assert kind == tfrecord.BYTES
        inner = {number: message[first:last] for number, _, first, last in tfrecord.fields(message, at, end)}
        assert struct.unpack("<d", inner[1])[0] == epoch
        assert inner[6].decode() == checkpoint
    assert tfrecord.varint(message, found[-1][2])[0] == params % 2**64


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_fields_or_a_value_error(message: bytes) -> None:
    try:
        found = list(tfrecord.fields(message, 0, len(message)))
    except ValueError:
        return
    assert all(0 < at <= end <= len(message) for _, _, at, end in found)
