"""Known failures, each reported as one sentence that says what to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IllegalArgumentError,
    IllegalStateError,
    KafkaError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from invoicing.runtime.errors import OperatorError
from invoicing.runtime.postgres import usable_dsn
from invoicing.runtime.retry import describe


class UnreachableError(OperatorError):
    """Kafka or Postgres cannot be reached. The message names the setting to check."""


class ForbiddenError(OperatorError):
    """Kafka or Postgres denies permission. The message says where rights are documented."""


class DemoError(OperatorError):
    """The demo could not finish. The message holds the last lines of the worker's log."""


class BenchError(OperatorError):
    """The benchmark cannot go on. The message holds the last lines of a contender's log."""


_FORBIDDEN_BY_KAFKA: Final = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

_POSTGRES_UNREACHABLE: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)


@contextmanager
def reaching_kafka() -> Iterator[None]:
    """Turn errors of Kafka clients into `UnreachableError` or `ForbiddenError`."""
    try:
        yield
    except _FORBIDDEN_BY_KAFKA as error:
        raise _forbidden("Kafka", error) from error
    except (IllegalArgumentError, IllegalStateError):
        raise  # a bug of ours: the client was called wrongly
    except KafkaError as error:
        raise UnreachableError(
            f"Kafka cannot be reached: {' '.join(str(error).split())}."
            " Check INVOICING_KAFKA_BOOTSTRAP_SERVERS."
        ) from error


@contextmanager
def reaching_postgres() -> Iterator[None]:
    """Turn errors of connecting to Postgres into `UnreachableError` or `ForbiddenError`."""
    with usable_dsn():
        try:
            yield
        except asyncpg.InsufficientPrivilegeError as error:
            raise _forbidden("Postgres", error) from error
        except _POSTGRES_UNREACHABLE as error:
            raise UnreachableError(
                f"Postgres cannot be reached: {describe(error)}. Check INVOICING_POSTGRES_DSN."
            ) from error


def _forbidden(who: str, error: Exception) -> ForbiddenError:
    return ForbiddenError(
        f"{who} denies permission: {describe(error)}. docs/security.md lists the rights needed."
    )
