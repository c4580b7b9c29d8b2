"""Kafka and Postgres for a machine that has neither: for the demo, and for tests as a last resort.

Both come from optional packages (`invoicing[embedded]`), which no container installs.
"""

from invoicing.runtime.errors import OperatorError


class EmbeddedNotInstalledError(OperatorError):
    """A package that brings an embedded service is missing; the message says what to install."""

    def __init__(self, package: str) -> None:
        super().__init__(
            f"The package {package} is missing. Install it with: pip install 'invoicing[embedded]'"
        )
