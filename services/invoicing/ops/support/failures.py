"""Failures that are no bugs: told in one sentence that says what to do."""

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

from invoicing.maintenance.rebuild.shadow import RebuildError
from invoicing.maintenance.recover.preconditions import RecoveryError
from invoicing.maintenance.redrive import RedriveError
from invoicing.maintenance.topics import UnfinishedTransactionError
from invoicing.runtime.kafka.topics import TopicsError
from invoicing.runtime.postgres import usable_dsn
from invoicing.runtime.retry import GaveUpError, describe
from invoicing.runtime.settings import WrongSettingError
from invoicing.store.errors import DatabaseBehindError, SchemaError
from invoicing.store.history import ReplayError
from invoicing.store.migrations import MigrationBlockedError
from invoicing.tools.embedded import EmbeddedNotInstalledError
from invoicing.tools.embedded.postgres import EmbeddedPostgresError


class UnreachableError(Exception):
    """Kafka or Postgres does not let us in. The message names the setting to look at."""


class ForbiddenError(Exception):
    """Kafka or Postgres refuses what was asked of it. The message says where rights are told."""


class DemoError(Exception):
    """The demo could not be played to its end. The message holds what the worker last said."""


class BenchError(Exception):
    """The benchmark cannot go on. The message says what a contender last said."""


KNOWN_FAILURES: Final = (
    WrongSettingError,
    TopicsError,
    SchemaError,
    DatabaseBehindError,
    MigrationBlockedError,
    GaveUpError,
    UnfinishedTransactionError,
    ReplayError,
    RebuildError,
    RedriveError,
    RecoveryError,
    UnreachableError,
    ForbiddenError,
    EmbeddedNotInstalledError,
    EmbeddedPostgresError,
    DemoError,
    BenchError,
)

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
    """Raises `UnreachableError` or `ForbiddenError` where a client of Kafka fails in the block."""
    try:
        yield
    except _FORBIDDEN_BY_KAFKA as error:
        raise _forbidden("Kafka", error) from error
    except (IllegalArgumentError, IllegalStateError):
        raise  # we have called a client wrongly
    except KafkaError as error:
        raise UnreachableError(
            f"Kafka cannot be reached: {' '.join(str(error).split())}."
            " INVOICING_KAFKA_BOOTSTRAP_SERVERS says where it is."
        ) from error


@contextmanager
def reaching_postgres() -> Iterator[None]:
    """Raises `UnreachableError` or `ForbiddenError` where Postgres does not let us in the block."""
    with usable_dsn():
        try:
            yield
        except asyncpg.InsufficientPrivilegeError as error:
            raise _forbidden("Postgres", error) from error
        except _POSTGRES_UNREACHABLE as error:
            raise UnreachableError(
                f"Postgres cannot be reached: {describe(error)}."
                " INVOICING_POSTGRES_DSN says where it is."
            ) from error


def _forbidden(who: str, error: Exception) -> ForbiddenError:
    return ForbiddenError(
        f"{who} refuses it: {describe(error)}. docs/security.md says who may do what."
    )
