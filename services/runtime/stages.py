"""The stages of a batch, as an operator sees them: how long each takes, and where in a trace."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from runtime import metrics, tracing


@contextmanager
def stage(name: str) -> Iterator[None]:
    """One stage of a batch. One that fails leaves no time: it would say nothing of the work."""
    began = perf_counter()
    with tracing.span(name):
        yield
    metrics.STAGE_SECONDS.labels(stage=name).observe(perf_counter() - began)
