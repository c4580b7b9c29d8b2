"""Postgres for the tests."""

from typing import Protocol

from tests.support.stack.choice import Choice, Option, choose


class Postgres(Option, Protocol):
    """A running server; `dsn` has the right to create databases and roles."""

    can_restart: bool
    dsn: str


class RestartablePostgres(Postgres, Protocol):
    """A server of the tests' own, which comes back at the same address with the same data."""

    def stop(self) -> None: ...

    def kill(self) -> None:
        """End it without a warning; it recovers when it starts."""

    def start(self) -> None: ...


def choose_postgres() -> Choice[Postgres]:
    # Here and not above: a run that needs none of them is not to wait for their imports.
    from tests.support.stack.postgres.docker import DockerPostgres
    from tests.support.stack.postgres.given import GivenPostgres
    from tests.support.stack.postgres.wheel import WheelPostgres

    return choose([GivenPostgres, DockerPostgres, WheelPostgres])
