"""A Kafka that is there already: `INVOICING_TEST_KAFKA`, its bootstrap servers."""

import os

from tests.support.stack.kafka.ready import wait_until_ready

VARIABLE = "INVOICING_TEST_KAFKA"


class GivenKafka:
    kind = VARIABLE
    real = True
    can_restart = False

    @staticmethod
    def refusal() -> str | None:
        return None if os.environ.get(VARIABLE) else f"{VARIABLE} is not set"

    def __init__(self) -> None:
        self.bootstrap = os.environ[VARIABLE]
        wait_until_ready(self.bootstrap)

    def close(self) -> None:
        """Not ours to stop."""
