"""What of the libraries' lines reaches the log."""

import json
import logging
import subprocess
import sys

from invoicing.runtime.logs import KafkaNoiseFilter


class Clock:
    """Seconds that the test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def line(name: str, number: int, exc_info: bool = False) -> logging.LogRecord:
    error = LookupError("unexpected")
    information = (LookupError, error, None) if exc_info else None
    return logging.LogRecord(
        name,
        logging.ERROR,
        __file__,
        1,
        "Unable connect to node with id %s",
        (number,),
        information,
    )


def test_one_line_of_the_client_passes_a_second_and_counts_those_that_did_not() -> None:
    clock = Clock()
    noise = KafkaNoiseFilter(clock)
    passed = []

    for number in range(1_000):
        clock.now += 0.01
        record = line("aiokafka.client", number)
        if noise.filter(record):
            passed.append(record.getMessage())

    assert 9 <= len(passed) <= 10
    assert passed[0] == "Unable connect to node with id 0"
    assert passed[1].endswith("lines before it left out)")


def test_an_unexpected_error_of_the_client_always_passes() -> None:
    noise = KafkaNoiseFilter(Clock())

    assert noise.filter(line("aiokafka.client", 1))
    assert not noise.filter(line("aiokafka.consumer.fetcher", 2))
    assert noise.filter(line("aiokafka.consumer.fetcher", 3, exc_info=True))


def test_lines_of_ours_always_pass() -> None:
    noise = KafkaNoiseFilter(Clock())

    assert all(noise.filter(line("invoicing.worker.lane", number)) for number in range(3))


PROGRAM = """
import logging
from invoicing.runtime.logs import configure_logs
configure_logs("json")
for number in range(50):
    logging.getLogger("aiokafka.conn").error("Unable connect to node with id %s", number)
"""


def test_the_process_logs_through_it() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60
    )

    lines = [json.loads(text) for text in ended.stderr.splitlines()]
    assert 1 <= len(lines) <= 2
    assert lines[0]["event"] == "Unable connect to node with id 0"
