"""The stages of a batch, as an operator sees them: how long each takes, and where in a trace."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from time import perf_counter

from prometheus_client import Histogram

from invoicing.runtime import metrics, tracing


@contextmanager
def stage(name: str) -> Iterator[None]:
    """One stage of a batch. One that fails leaves no time: it would say nothing of the work."""
    began = perf_counter()
    with tracing.span(name):
        yield
    _seconds(name).observe(perf_counter() - began)


@cache
def _seconds(name: str) -> Histogram:
    """Looked up once: that costs more than all the rest."""
    return metrics.STAGE_SECONDS.labels(stage=name)
