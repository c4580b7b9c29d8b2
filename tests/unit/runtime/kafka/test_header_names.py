"""Header names that are not UTF-8 do not keep a batch from being read."""

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from invoicing.runtime.kafka import header_names

NAMED = b"wxyz"
NOT_UTF8 = b"\xff\xfe\x80z"


def batch(name: bytes) -> bytes:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 10_000)
    for offset in range(3):
        headers = [("before", None), (NAMED.decode(), b"value")] if offset == 1 else []
        builder.append(offset, 1_000, b"key", b"%d" % offset, headers)
    # The checksum is another matter: nobody asks for it here.
    return bytes(builder.build()).replace(NAMED, name)


def read(data: bytes) -> list[tuple[bytes, list[tuple[str, bytes | None]]]]:
    records = header_names._Records(data)
    read = []
    while records.has_next():
        read += [(record.value, record.headers) for record in records.next_batch()]
    return read


def test_a_name_that_is_no_utf8_is_escaped_and_everything_else_is_as_it_was() -> None:
    headers = [("before", None), ("\\xff\\xfe\\x80z", b"value")]

    data = batch(NAMED) + batch(NOT_UTF8) + batch(NAMED)

    right = [(b"0", []), (b"1", [("before", None), ("wxyz", b"value")]), (b"2", [])]
    assert read(data) == [*right, (b"0", []), (b"1", headers), (b"2", []), *right]


def test_aiokafka_alone_cannot_read_it() -> None:
    with pytest.raises(UnicodeDecodeError):
        list(MemoryRecords(batch(NOT_UTF8)).next_batch())


def test_a_batchs_attributes_are_those_of_aiokafka() -> None:
    ours, theirs = header_names._Records(batch(NAMED)), MemoryRecords(batch(NAMED))
    assert ours.size_in_bytes() == theirs.size_in_bytes()
    our_batch, their_batch = ours.next_batch(), theirs.next_batch()
    for name in ("base_offset", "next_offset", "producer_id", "is_control_batch", "magic"):
        assert getattr(our_batch, name) == getattr(their_batch, name)
    assert our_batch.validate_crc()
    assert not ours.has_next()
    assert ours.next_batch() is None
