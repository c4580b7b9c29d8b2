"""The stages of a batch: a histogram of how long each takes, and a span in the batch's trace."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from time import perf_counter

from prometheus_client import Histogram

from invoicing.runtime import metrics, tracing


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
    return metrics.STAGE_SECONDS.labels(stage=name)
