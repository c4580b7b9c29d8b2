"""The worker's metrics, as Prometheus has them. Labels are bounded: no id is ever one.

The base unit comes last in a name: https://prometheus.io/docs/practices/naming/
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from time import perf_counter
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from invoicing.runtime import tracing

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30)

ANSWERS = Counter(
    "invoicing_answers_total", "Replies published, including those to repeats", ["outcome"]
)
EVENTS = Counter("invoicing_events_total", "Events published", ["type"])
FORWARDS = Counter(
    "invoicing_forwards_total", "Commands forwarded to the partition of their invoice"
)
DEAD_LETTERS = Counter("invoicing_dead_letters_total", "Records dead-lettered", ["reason"])
RECORDS = Counter("invoicing_records_total", "Records of the commands topic handled")
BATCH_RECORDS = Histogram(
    "invoicing_batch_records", "Records in a batch", buckets=(1, 3, 10, 30, 100, 300, 1000, 3000)
)
STAGE_SECONDS = Histogram(
    "invoicing_stage_seconds",
    "Time of a batch's stage: decode, load, decide, append or publish",
    ["stage"],
    buckets=_SECONDS,
)
RETRIES = Counter("invoicing_retries_total", "Attempts that failed because of an outage", ["cause"])
FENCED = Counter("invoicing_fenced_producers_total", "Times a lane was fenced by another owner")

LANES_OWNED = Gauge("invoicing_lanes_owned", "Lanes assigned to this worker by the group")
LANES_OPEN = Gauge("invoicing_lanes_open", "Lanes that this worker handles")
LAG_RECORDS = Gauge(
    "invoicing_lag_records", "Records of the commands topic not handled yet", ["partition"]
)
LAG_SECONDS = Gauge(
    "invoicing_lag_seconds",
    "Age of the oldest unanswered command, by its record's timestamp",
    ["partition"],
)
STALLED_SECONDS = Gauge(
    "invoicing_stalled_seconds",
    "Time that commands have waited without a finished batch",
    ["partition"],
)
OLDEST_UNANSWERED = Gauge(
    "invoicing_oldest_unanswered_command_seconds",
    "Age of the oldest unanswered command in all lanes of this worker",
)


@contextmanager
def timed(name: str) -> Iterator[None]:
    """Time one stage of a batch. A stage that fails is not counted: its time would mean nothing."""
    began = perf_counter()
    with tracing.span(name):
        yield
    _seconds(name).observe(perf_counter() - began)


@cache
def _seconds(name: str) -> Histogram:
    """Cached: the lookup costs more than the measurement."""
    return STAGE_SECONDS.labels(stage=name)
