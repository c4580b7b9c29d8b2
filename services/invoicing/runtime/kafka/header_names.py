"""Lets aiokafka's consumers read header names that are not UTF-8, on which they raise.

Kafka calls a header's name a string, but no broker checks it, and clients other than Java's send
any bytes.
"""

import struct
from collections.abc import Iterator
from typing import Any, Final

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

# A batch begins with its base offset (8 bytes) and the length of what follows (4 bytes).
LENGTH_AT: Final = struct.calcsize(">q")
LENGTH_ENDS_AT: Final = struct.calcsize(">qi")


def accept_any() -> None:
    """From now on, consumers read every header name; bytes that are not UTF-8 become `\\xff`."""
    fetcher.MemoryRecords = _Records


class _Records:
    """The batches of one fetch response."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._batches = MemoryRecords(data)
        self._position = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batches, name)

    def next_batch(self) -> Any:
        batch = self._batches.next_batch()
        if batch is None:
            return None
        (length,) = struct.unpack_from(">i", self._data, self._position + LENGTH_AT)
        begin, self._position = self._position, self._position + LENGTH_ENDS_AT + length
        return _Batch(batch, self._data[begin : self._position])


class _Batch:
    """A batch, read by aiokafka's C extension, or by its slower Python twin if that fails."""

    def __init__(self, batch: Any, data: memoryview) -> None:
        self._batch = batch
        self._data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        try:
            return iter([*self._batch])
        except UnicodeDecodeError:
            return iter(_LenientBatch(self._data))


class _LenientBatch(_DefaultRecordBatchPy):  # type: ignore[misc]
    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer: bytearray = _LenientBytes(self._buffer)


class _LenientBytes(bytearray):
    """Bytes whose `decode`, and that of their slices, cannot fail."""

    def __getitem__(self, index: Any) -> Any:
        part = super().__getitem__(index)
        return _LenientBytes(part) if isinstance(part, bytearray) else part

    def decode(self, encoding: str = "utf-8", _errors: str = "strict") -> str:
        return super().decode(encoding, "backslashreplace")
