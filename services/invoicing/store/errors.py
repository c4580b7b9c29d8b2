"""What can go wrong in the store, and whose fault it is: the infrastructure's or a record's."""

from typing import Final

import asyncpg

from invoicing.runtime.errors import OperatorError

MIGRATE_FIRST: Final = "The database lacks tables of this release. Run `invoicing migrate` first."

# SQLSTATE classes about the values sent: https://www.postgresql.org/docs/current/errcodes-appendix.html
_DATA_ERROR_CLASSES: Final = ("22", "23", "54")
# Another writer has stored a reply or an event of ours: reloading shows which, and what to do.
_OVERTAKEN: Final = frozenset({"commands_pkey", "events_pkey"})


class DatabaseBehindError(OperatorError):
    """The database has lost data: after a restore, or a failover to a standby that lagged.

    To go on would give the same versions and numbers to other events. The message says what to do.
    """


class SchemaError(OperatorError):
    """The database is not migrated. The message says what to do."""


def is_infrastructure_error(error: BaseException) -> bool:
    """True for errors of the infrastructure; any other error is a command's own fault."""
    if isinstance(error, asyncpg.UniqueViolationError):
        return error.constraint_name in _OVERTAKEN
    if isinstance(error, asyncpg.PostgresError):
        return not (error.sqlstate or "").startswith(_DATA_ERROR_CLASSES)
    if isinstance(error, asyncpg.InterfaceError):
        # asyncpg's own DataError, a value that cannot be encoded, is a ValueError, too.
        return not isinstance(error, ValueError)
    # InternalClientError: the connection was cut in use, and asyncpg lost its protocol state.
    return isinstance(
        error, DatabaseBehindError | asyncpg.InternalClientError | OSError | TimeoutError
    )


def is_transient(error: BaseException) -> bool:
    """True for errors that a retry may cure. Lost data (`DatabaseBehindError`) never comes back."""
    return is_infrastructure_error(error) and not isinstance(error, DatabaseBehindError)


def is_fault_of_batch(error: BaseException) -> bool:
    """True for errors that other batches of the same transaction would not have by themselves."""
    return not is_transient(error) or isinstance(error, asyncpg.UniqueViolationError)


async def check_schema(database: asyncpg.Pool | asyncpg.Connection) -> None:
    """Raises `SchemaError` unless all tables exist that this release needs."""
    try:
        # The table of the latest migration that added one.
        table = await database.fetchval("SELECT to_regclass('invoice_entries')")
    except asyncpg.InvalidParameterValueError:  # the role that the pool sets does not exist
        table = None
    if table is None:
        raise SchemaError(MIGRATE_FIRST)
