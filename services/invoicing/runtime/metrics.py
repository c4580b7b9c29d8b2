"""What an operator watches, as Prometheus metrics. Labels are bounded: no id is ever one.

The base unit comes last in a name: https://prometheus.io/docs/practices/naming/
"""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30)

ANSWERS = Counter("invoicing_answers_total", "Answers published, a repeat's too", ["outcome"])
EVENTS = Counter("invoicing_events_total", "Events published", ["type"])
FORWARDS = Counter("invoicing_forwards_total", "Commands forwarded to their home partition")
DEAD_LETTERS = Counter("invoicing_dead_letters_total", "Records set aside", ["reason"])
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
RETRIES = Counter("invoicing_retries_total", "Tries that an outage made fail", ["cause"])
FENCED = Counter("invoicing_fenced_producers_total", "Times a lane was shut out by another owner")

LANES_OWNED = Gauge("invoicing_lanes_owned", "Lanes that the group has given to this worker")
LANES_OPEN = Gauge("invoicing_lanes_open", "Lanes that this worker is handling")
LAG_RECORDS = Gauge(
    "invoicing_lag_records", "Records of the commands topic not handled yet", ["partition"]
)
LAG_SECONDS = Gauge(
    "invoicing_lag_seconds",
    "Age of the oldest command not answered yet, by its record's timestamp",
    ["partition"],
)
STALLED_SECONDS = Gauge(
    "invoicing_stalled_seconds",
    "How long commands have been waiting without any batch getting done",
    ["partition"],
)
OLDEST_UNANSWERED = Gauge(
    "invoicing_oldest_unanswered_command_seconds",
    "Age of the oldest command not answered yet, of all lanes of this worker",
)

DEPENDENCY_UP = Gauge("invoicing_dependency_up", "1 while it answers, else 0", ["dependency"])
POOL_CONNECTIONS = Gauge(
    "invoicing_postgres_pool_connections", "Open connections to Postgres", ["role"]
)
POOL_IDLE = Gauge(
    "invoicing_postgres_pool_idle_connections", "Open connections that nobody uses", ["role"]
)
POOL_WAITING = Gauge(
    "invoicing_postgres_pool_waiting_requests", "Those who wait for a connection", ["role"]
)
