"""The embedded mock broker: groups and idempotent producers, but no transactions."""

from importlib.util import find_spec

from invoicing.tools.embedded.kafka import EmbeddedKafka


class MockKafka:
    kind = "embedded mock broker"
    real = False
    can_restart = False

    @staticmethod
    def refusal() -> str | None:
        return None if find_spec("confluent_kafka") else "confluent-kafka is not installed"

    def __init__(self) -> None:
        self._broker = EmbeddedKafka().__enter__()
        self.bootstrap = self._broker.bootstrap

    def close(self) -> None:
        self._broker.__exit__(None, None, None)
