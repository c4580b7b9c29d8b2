"""Traces, by OpenTelemetry over OTLP. Until an endpoint is set, no SDK is loaded, nothing done.

What a span holds is bounded and never a customer's: kinds, codes, counts, and positions in
Kafka. Of an error it holds the type alone, since the message may quote what it failed on.

OpenTelemetry's own variables (OTEL_TRACES_SAMPLER, OTEL_EXPORTER_OTLP_HEADERS, ...) hold as well:
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer

Kind = Literal["INTERNAL", "SERVER", "PRODUCER", "CONSUMER"]
Attributes = Mapping[str, str | int]

# A receiver that is away must not hold up the process's end.
EXPORT_SECONDS_MAX: Final = 2.0

_NO_SPAN: Final[AbstractContextManager[None]] = nullcontext()
_tracer: "Tracer | None" = None


def configure_traces(endpoint: str | None, role: str) -> None:
    """Send this process's spans to `endpoint` (OTLP over HTTP); None: nowhere. `role` names it."""
    if endpoint is None:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = OTLPSpanExporter(endpoint, timeout=EXPORT_SECONDS_MAX)
    service = {"service.namespace": "invoicing", "service.name": f"invoicing-{role}"}
    # What is left when the process ends is sent then.
    provider = TracerProvider(resource=Resource.create(service))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    global _tracer
    _tracer = provider.get_tracer("invoicing")


def is_on() -> bool:
    """Whether spans go anywhere."""
    return _tracer is not None


def span(
    name: str,
    kind: Kind = "INTERNAL",
    parent: str | None = None,
    attributes: Attributes | None = None,
) -> "AbstractContextManager[Span | None]":
    """A span around a block, inside the current one, or inside the `parent` (a traceparent)."""
    if _tracer is None:
        return _NO_SPAN
    return _span(_tracer, name, kind, parent, attributes or {})


@contextmanager
def _span(
    tracer: "Tracer", name: str, kind: Kind, parent: str | None, attributes: Attributes
) -> "Iterator[Span]":
    from opentelemetry.trace import SpanKind, StatusCode

    with tracer.start_as_current_span(
        name,
        _context(parent) if parent else None,
        SpanKind[kind],
        attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except BaseException as error:
            current.set_status(StatusCode.ERROR, type(error).__name__)
            raise


def record(name: str, kind: Kind, *, parent: str, began_ns: int, attributes: Attributes) -> None:
    """Note in the `parent`'s trace what began then and ends now as a part of the current span.

    Each is linked to the other, since a batch is part of many traces.
    """
    if _tracer is None:
        return
    from opentelemetry.trace import Link, SpanKind, get_current_span

    whole = get_current_span()
    links = [Link(whole.get_span_context())]
    part = _tracer.start_span(name, _context(parent), SpanKind[kind], attributes, links, began_ns)
    whole.add_link(part.get_span_context())
    part.end()


def current_traceparent() -> str | None:
    """The current span as W3C Trace Context writes it: https://www.w3.org/TR/trace-context/"""
    if _tracer is None:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")


def _context(traceparent: str) -> "Context":
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({"traceparent": traceparent})
