"""Traces: nothing until they are wanted, and nothing of an error but its kind."""

import subprocess
import sys

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from invoicing.runtime import tracing

START_WITHOUT_ENDPOINT = """
import sys
import invoicing.api.server, invoicing.worker.app
from invoicing.runtime.tracing import configure_traces
configure_traces(None, "worker")
heavy = ("opentelemetry.sdk", "opentelemetry.exporter")
print([name for name in sys.modules if name.startswith(heavy)])
"""


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("tests"))
    return exporter


def test_without_an_endpoint_neither_sdk_nor_exporter_is_loaded() -> None:
    printed = subprocess.run(
        [sys.executable, "-c", START_WITHOUT_ENDPOINT], capture_output=True, text=True, check=True
    ).stdout

    assert printed == "[]\n"


def test_an_error_is_told_by_its_kind_alone(exported: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="Ada"), tracing.span("load"):
        raise ValueError("Ada, Main Street 1")

    (span,) = exported.get_finished_spans()
    assert (span.status.description, span.events) == ("ValueError", ())
    assert "Ada" not in span.to_json()


def test_what_is_done_inside_a_span_can_name_it_to_others(
    exported: InMemorySpanExporter,
) -> None:
    outside = tracing.current_traceparent()

    with tracing.span("request"):
        inside = tracing.current_traceparent()

    (span,) = exported.get_finished_spans()
    assert outside is None
    assert inside is not None
    assert inside.startswith(f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-")
