"""Which errors are the infrastructure's, and which a record's own."""

import asyncpg
import pytest

from invoicing.store.errors import is_infrastructure_error


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.DeadlockDetectedError("two waited for each other"),
        asyncpg.SerializationError("somebody else was faster"),
        asyncpg.DiskFullError("no space left on device"),
        asyncpg.ConnectionDoesNotExistError("closed in the middle of operation"),
        asyncpg.InternalClientError("another operation is in progress"),
        ConnectionResetError(),
        TimeoutError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_comes_of_a_cut_or_crowded_connection_is_an_outage(error: Exception) -> None:
    assert is_infrastructure_error(error)


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.NumericValueOutOfRangeError("overflow"),
        asyncpg.StringDataRightTruncationError("too long"),
        ZeroDivisionError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_comes_of_a_value_is_the_records_own_fault(error: Exception) -> None:
    assert not is_infrastructure_error(error)
