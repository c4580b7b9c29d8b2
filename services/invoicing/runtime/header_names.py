"""Header names that are no text, on which aiokafka raises: its consumers read past them.

Kafka calls a header's name a string, but no broker looks at it, and clients that are not Java's
send any bytes.
"""

import struct
from collections.abc import Iterator
from typing import Any, Final

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

LENGTH_AT: Final = struct.calcsize(">q")
LENGTH_ENDS_AT: Final = struct.calcsize(">qi")


def accept_any() -> None:
    """From now on, consumers read every header name; what is no UTF-8 in it is escaped: `\\xff`."""
    fetcher.MemoryRecords = _Records


class _Records:
    """The batches of one answer to a fetch."""

    def __init__(self, told: bytes) -> None:
        self._told = memoryview(told)
        self._batches = MemoryRecords(told)
        self._place = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batches, name)

    def next_batch(self) -> Any:
        batch = self._batches.next_batch()
        if batch is None:
            return None
        (length,) = struct.unpack_from(">i", self._told, self._place + LENGTH_AT)
        begin, self._place = self._place, self._place + LENGTH_ENDS_AT + length
        return _Batch(batch, self._told[begin : self._place])


class _Batch:
    """A batch, read by aiokafka's extension, or where it cannot, by its slower twin."""

    def __init__(self, batch: Any, told: memoryview) -> None:
        self._batch = batch
        self._told = told

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        try:
            return iter([*self._batch])
        except UnicodeDecodeError:
            return iter(_Lenient(self._told))


class _Lenient(_DefaultRecordBatchPy):  # type: ignore[misc]
    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer: bytearray = _Bytes(self._buffer)


class _Bytes(bytearray):
    """Decodes in any case, and so do its parts."""

    def __getitem__(self, place: Any) -> Any:
        part = super().__getitem__(place)
        return _Bytes(part) if isinstance(part, bytearray) else part

    def decode(self, encoding: str = "utf-8", _errors: str = "strict") -> str:
        return super().decode(encoding, "backslashreplace")
