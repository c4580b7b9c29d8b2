"""librdkafka's mock broker: Kafka's protocol inside this process."""

from types import TracebackType
from typing import Self

from invoicing.tools.embedded import EmbeddedNotInstalledError

START_TIMEOUT_SECONDS = 10


class EmbeddedKafka:
    """A broker that other processes on this machine can reach, too, for as long as the block runs.

    It speaks enough of the protocol for producers (idempotent ones as well), consumers and groups.
    What it cannot do:

    - It keeps nothing: with the block all records, topics and offsets are gone.
    - Every topic has `PARTITIONS` partitions and appears when it is first named; CreateTopics is
      not served.
    - No transactions: batches sent inside one come back with a broken CRC, and offsets sent with
      one are not kept.
    - A group has one aiokafka member; the first to join waits three seconds.
    """

    PARTITIONS = 4

    bootstrap: str

    def __enter__(self) -> Self:
        try:
            from confluent_kafka import Producer
        except ImportError as error:
            raise EmbeddedNotInstalledError("confluent-kafka") from error
        # The mock cluster ends with the client that it belongs to, so the client is kept. Level 0
        # silences the warning that librdkafka prints whenever its mock cluster is configured.
        self._owner = Producer({"test.mock.num.brokers": 1, "log_level": 0})
        brokers = self._owner.list_topics(timeout=START_TIMEOUT_SECONDS).brokers.values()
        self.bootstrap = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        del self._owner
