"""A Postgres that is there already: `INVOICING_TEST_POSTGRES`, its DSN."""

import os

VARIABLE = "INVOICING_TEST_POSTGRES"


class GivenPostgres:
    kind = VARIABLE
    can_restart = False

    @staticmethod
    def refusal() -> str | None:
        return None if os.environ.get(VARIABLE) else f"{VARIABLE} is not set"

    def __init__(self) -> None:
        self.dsn = os.environ[VARIABLE]

    def close(self) -> None:
        """Not ours to stop."""
