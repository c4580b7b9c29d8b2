"""Traces, by OpenTelemetry over OTLP. Without an endpoint, no SDK is loaded and nothing recorded.

Attributes are bounded and never a customer's data: types, codes, counts, and positions in Kafka. Of
an error, only the type is recorded, since its message may quote the data it failed on.

OpenTelemetry's own variables (OTEL_TRACES_SAMPLER, OTEL_EXPORTER_OTLP_HEADERS, ...) apply, too:
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

# A collector that is down must not delay the end of the process.
EXPORT_SECONDS_MAX: Final = 2.0

_NO_SPAN: Final[AbstractContextManager[None]] = nullcontext()
_tracer: "Tracer | None" = None


def configure_traces(endpoint: str | None, role: str) -> None:
    """Send spans to `endpoint` (OTLP over HTTP), if any. `role` names this process in them."""
    if endpoint is None:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = OTLPSpanExporter(endpoint, timeout=EXPORT_SECONDS_MAX)
    service = {"service.namespace": "invoicing", "service.name": f"invoicing-{role}"}
    # Spans that are left when the process ends are sent then.
    provider = TracerProvider(resource=Resource.create(service))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    global _tracer
    _tracer = provider.get_tracer("invoicing")


def is_on() -> bool:
    """Whether spans are recorded."""
    return _tracer is not None


def span(
    name: str,
    kind: Kind = "INTERNAL",
    parent: str | None = None,
    attributes: Attributes | None = None,
) -> "AbstractContextManager[Span | None]":
    """A span around a block: a child of `parent` (a traceparent), or of the current span."""
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
    """Record a span in the trace of `parent` for a part of the current span that ends now.

    The two are linked, since a batch belongs to many traces.
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
