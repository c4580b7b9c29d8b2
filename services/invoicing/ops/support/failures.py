"""Known failures, each reported as one sentence that says what to do."""

from invoicing.runtime.errors import OperatorError
from invoicing.runtime.retry import describe


class UnreachableError(OperatorError):
    """Kafka or Postgres cannot be reached. The message names the setting to check."""


class ForbiddenError(OperatorError):
    """Kafka or Postgres denies permission. The message says where rights are documented."""


class DemoError(OperatorError):
    """The demo could not finish. The message holds the last lines of the worker's log."""


class BenchError(OperatorError):
    """The benchmark cannot go on. The message holds the last lines of a contender's log."""


def forbidden(who: str, error: Exception) -> ForbiddenError:
    """The error to raise when Kafka or Postgres denies permission."""
    return ForbiddenError(
        f"{who} denies permission: {describe(error)}. docs/security.md lists the rights needed."
    )
