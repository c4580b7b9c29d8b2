"""A command's trace, from its producer or the HTTP request to its reply."""

import secrets
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from invoicing.tools.scratch.databases import Databases
from tests.support.service.commands import Sent, create_invoice, invoice_id
from tests.support.service.http import running_api
from tests.support.service.service import Service, running_service
from tests.support.service.traces import Traces, receiving
from tests.support.stack.kafka import Kafka
from tests.support.stack.topics import fresh_topics
from tests.support.stack.wait import eventually

STAGES = {"decode", "load", "decide", "append", "publish"}
CANARY = "Kanarienvogel"
PARTITIONS = 2


@pytest.fixture(scope="module")
def traces() -> Iterator[Traces]:
    with receiving() as received:
        yield received


@pytest.fixture(scope="module")
async def traced(
    kafka: Kafka, databases: Databases, traces: Traces, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    """A service with one worker that tells its traces soon."""
    directory = tmp_path_factory.mktemp("traced")
    async with (
        fresh_topics(kafka, PARTITIONS) as topics,
        databases.fresh() as dsn,
        running_service(kafka.bootstrap, dsn, topics, directory, transactions=kafka.real) as made,
    ):
        await made.ready_worker(**telling(traces))
        yield made


def telling(traces: Traces) -> dict[str, str]:
    return {"INVOICING_TRACES_ENDPOINT": traces.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "100"}


def new_trace() -> tuple[str, str, str]:
    """A trace that is recorded, a span of it, and both as a traceparent."""
    trace_id, span_id = secrets.token_hex(16), secrets.token_hex(8)
    return trace_id, span_id, f"00-{trace_id}-{span_id}-01"


def traced_command(**data: object) -> tuple[str, str, Sent]:
    """A trace, a span of it, and a command that its producer sent in there."""
    trace_id, span_id, traceparent = new_trace()
    command = create_invoice(invoice_id(), **data)
    command.attributes["traceparent"] = traceparent
    return trace_id, span_id, command


async def test_a_command_is_a_span_in_its_producers_trace_linked_to_its_batch(
    traced: Service, traces: Traces
) -> None:
    trace_id, span_id, command = traced_command()

    await traced.ask(command)

    (handled,) = await eventually(lambda: traces.of(trace_id))
    assert (handled.name, handled.parent_span_id.hex()) == ("CreateInvoice", span_id)
    assert attributes(handled) == {"invoicing.outcome": "accepted"}
    (batch_link,) = handled.links
    spans = await eventually(
        lambda: traces.of(batch_link.trace_id.hex()), until=lambda spans: len(spans) == 6
    )
    (batch,) = [span for span in spans if span.span_id == batch_link.span_id]
    assert batch.name == "handle batch"
    assert [link.span_id for link in batch.links] == [handled.span_id]
    inside = {span.name for span in spans if span.parent_span_id == batch.span_id}
    assert inside == STAGES


async def test_events_and_answers_carry_their_commands_trace(traced: Service) -> None:
    _, _, command = traced_command()

    await traced.ask(command)

    events = await eventually(
        lambda: traced.events_of(command.subject), until=lambda events: len(events) == 2
    )
    (answer,) = traced.answers_by_command()[command.identity]
    told = {document["traceparent"] for document in [*events, answer]}
    assert told == {command.attributes["traceparent"]}


async def test_a_producer_that_does_not_record_has_no_spans(
    traced: Service, traces: Traces
) -> None:
    trace_id, _, command = traced_command()
    unrecorded = command.attributes["traceparent"].removesuffix("01") + "00"
    command.attributes["traceparent"] = unrecorded
    recorded_id, _, recorded = traced_command()

    await traced.ask(command)
    await traced.ask(recorded)

    await eventually(lambda: traces.of(recorded_id))
    assert traces.of(trace_id) == []


@pytest.fixture(scope="module")
async def http(traced: Service, traces: Traces) -> AsyncIterator[httpx.AsyncClient]:
    async with running_api(traced, **telling(traces)) as api, api.connect() as client:
        yield client


async def test_a_request_and_the_command_that_it_leads_to_are_one_trace(
    http: httpx.AsyncClient, traces: Traces
) -> None:
    trace_id, span_id, traceparent = new_trace()
    data = create_invoice(invoice_id()).data

    response = await http.post("/v1/invoices", json=data, headers={"traceparent": traceparent})

    assert response.status_code == 201, response.text
    spans = await spans_by_name(traces, trace_id)
    request = spans["POST /v1/invoices"]
    assert request.parent_span_id.hex() == span_id
    assert attributes(request)["http.response.status_code"] == 201
    for inside in ("send command", "await answer", "CreateInvoice"):
        assert spans[inside].parent_span_id == request.span_id


async def test_a_command_that_is_handed_over_as_it_is_belongs_to_its_requests_trace(
    http: httpx.AsyncClient, traced: Service, traces: Traces
) -> None:
    trace_id, _, traceparent = new_trace()
    command = create_invoice(invoice_id())

    response = await http.post(
        "/v1/commands",
        content=command.value,
        headers={"traceparent": traceparent, "content-type": "application/cloudevents+json"},
    )

    assert response.status_code == 200, response.text
    spans = await spans_by_name(traces, trace_id)
    assert spans["CreateInvoice"].parent_span_id == spans["POST /v1/commands"].span_id
    events = await eventually(lambda: traced.events_of(command.subject))
    assert {event["traceparent"].split("-")[1] for event in events} == {trace_id}


async def spans_by_name(traces: Traces, trace_id: str) -> dict[str, Span]:
    """The spans of a request and of its command, as soon as all are there."""
    return await eventually(
        lambda: {span.name: span for span in traces.of(trace_id)},
        until=lambda spans: len(spans) == 4,
        seconds=30,
    )


async def test_no_customers_data_is_in_any_span(traced: Service, traces: Traces) -> None:
    _, _, accepted = traced_command(memo=CANARY, email=f"{CANARY}@example.org")
    _, _, refused = traced_command(currency=CANARY)
    _, _, unknown = traced_command(memo=CANARY)
    strange = Sent(CANARY, unknown.subject, unknown.data, attributes=unknown.attributes)

    await traced.ask(accepted, refused, strange)

    await eventually(lambda: traces.named("unknown command"))
    names = {span.name for span in traces.spans}
    assert {"CreateInvoice", "unknown command", "handle batch"} <= names
    assert CANARY not in str(traces.spans)


def attributes(span: Span) -> dict[str, object]:
    return {
        each.key: getattr(each.value, str(each.value.WhichOneof("value")))
        for each in span.attributes
    }
