"""Kafka for the tests."""

from typing import Protocol

from tests.support.stack.choice import Choice, Option, choose


class Kafka(Option, Protocol):
    """A running broker. `real` is Apache Kafka, with transactions; anything else is a mock."""

    real: bool
    can_restart: bool
    bootstrap: str


class RestartableKafka(Kafka, Protocol):
    """A broker of the tests' own, which comes back at the same address with the same data."""

    def stop(self) -> None: ...

    def kill(self) -> None:
        """End it without a warning."""

    def start(self) -> None: ...

    def freeze(self) -> None:
        """Let it stand still, with all its connections."""

    def thaw(self) -> None: ...


def choose_kafka() -> Choice[Kafka]:
    # Here and not above: a run that needs none of them is not to wait for their imports.
    from tests.support.stack.kafka.docker import DockerKafka
    from tests.support.stack.kafka.given import GivenKafka
    from tests.support.stack.kafka.maven import MavenKafka
    from tests.support.stack.kafka.mock import MockKafka

    return choose([GivenKafka, DockerKafka, MavenKafka, MockKafka])
