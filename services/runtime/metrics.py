"""What an operator watches, as Prometheus metrics. Labels are bounded: no id is ever one."""

from time import perf_counter

from prometheus_client import Counter, Gauge, Histogram

ANSWERS = Counter("invoicing_answers_total", "Answers published, a repeat's too", ["outcome"])
EVENTS = Counter("invoicing_events_total", "Events published", ["type"])
FORWARDS = Counter("invoicing_forwards_total", "Commands forwarded to their home partition")
DEAD_LETTERS = Counter("invoicing_dead_letters_total", "Records set aside", ["reason"])
RECORDS = Counter("invoicing_records_total", "Records of the commands topic handled")
BATCH_RECORDS = Histogram(
    "invoicing_batch_records", "Records in a batch", buckets=(1, 3, 10, 30, 100, 300, 1000, 3000)
)
BATCH_SECONDS = Histogram(
    "invoicing_batch_seconds",
    "Time of a batch's step: handle (load, decide, append) or publish",
    ["step"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30),
)
RETRIES = Counter("invoicing_retries_total", "Tries that an outage made fail", ["cause"])
FENCED = Counter("invoicing_fenced_total", "Times a lane was shut out by another owner")
LANES_OPEN = Gauge("invoicing_lanes_open", "Lanes that this worker is handling")
DEPENDENCY_UP = Gauge("invoicing_dependency_up", "1 while it answers, else 0", ["dependency"])


def observe_batch(step: str, began: float) -> None:
    """Note how long a batch's step took, since `began` by `perf_counter`."""
    BATCH_SECONDS.labels(step=step).observe(perf_counter() - began)
