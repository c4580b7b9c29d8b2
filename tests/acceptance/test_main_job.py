"""The main job, seen from outside: commands in on Kafka, events and replies out."""

import json

from tests.support.service.commands import (
    Sent,
    create_invoice,
    invoice_id,
    open_invoice,
    record_payment,
    void_invoice,
)
from tests.support.service.promises import assert_log_is_readable, assert_promises_kept
from tests.support.service.service import Service


async def test_an_invoice_is_created_opened_and_paid(service: Service) -> None:
    await service.ready_worker()
    subject = invoice_id()
    commands = [
        create_invoice(subject),
        record_payment(subject, "100.00"),
        record_payment(subject, "114.25"),
    ]

    answers = await service.ask(*commands)

    assert [answer["events"] for answer in answers] == [
        ["invoice.created", "invoice.opened"],
        ["invoice.payment_recorded"],
        ["invoice.payment_recorded", "invoice.paid"],
    ]
    await service.events.count(5)
    events = service.events_of(subject)
    assert [event["version"] for event in events] == [1, 2, 3, 4, 5]
    assert [event["data"]["amount_due"] for event in events] == [
        "0.00", "214.25", "114.25", "0.00", "0.00",
    ]  # fmt: skip
    assert events[0]["data"]["invoice_number"] is None
    assert events[1]["data"]["invoice_number"] is not None
    assert [event["causationid"] for event in events] == [
        commands[0].id, commands[0].id, commands[1].id, commands[2].id, commands[2].id,
    ]  # fmt: skip
    await assert_promises_kept(service, commands)


async def test_a_draft_is_numbered_when_it_is_opened(service: Service) -> None:
    await service.ready_worker()
    subject = invoice_id()

    answers = await service.ask(create_invoice(subject, state="draft"), open_invoice(subject))

    assert [answer["state"] for answer in answers] == ["draft", "open"]
    numbers = [event["data"]["invoice_number"] for event in service.events_of(subject)]
    assert numbers[0] is None
    assert numbers[1]


async def test_a_payment_too_large_shows_as_overpaid(service: Service) -> None:
    await service.ready_worker()
    subject = invoice_id()

    _, answer = await service.ask(create_invoice(subject), record_payment(subject, "300"))

    assert answer["events"] == ["invoice.payment_recorded", "invoice.paid", "invoice.overpaid"]
    await service.events.count(5)
    assert service.events_of(subject)[-1]["data"]["amount_overpaid"] == "85.75"


async def test_a_refusal_tells_what_would_be_accepted(service: Service) -> None:
    await service.ready_worker()
    subject = invoice_id()

    _, _, refused = await service.ask(
        create_invoice(subject), void_invoice(subject), void_invoice(subject)
    )

    assert refused["code"] == "illegal_transition"
    assert refused["state"] == "void"
    assert refused["version"] == 3
    assert refused["events"] == []
    assert "VoidInvoice" not in refused["available_commands"]
    assert "ArchiveInvoice" in refused["available_commands"]


async def test_an_invalid_command_is_told_where(service: Service) -> None:
    await service.ready_worker()
    item = {"description": "Pro plan", "unit_price": 100.0}

    (refused,) = await service.ask(create_invoice(invoice_id(), items=[item], memmo="typing error"))

    assert refused["code"] == "invalid_command"
    assert {error["field"] for error in refused["errors"]} == {"items.0.unit_price", "memmo"}
    assert refused["version"] is None
    assert refused["state"] is None


async def test_an_unknown_command_is_answered(service: Service) -> None:
    await service.ready_worker()

    (refused,) = await service.ask(Sent("MakeCoffee", invoice_id(), {}))

    assert refused["code"] == "unknown_command"
    assert refused["available_commands"] == ["CreateInvoice"]


async def test_an_old_expected_version_is_refused(service: Service) -> None:
    await service.ready_worker()
    subject = invoice_id()
    late = Sent("VoidInvoice", subject, {}, attributes={"expectedversion": 1})
    timely = Sent("VoidInvoice", subject, {}, attributes={"expectedversion": 2})

    _, refused, accepted = await service.ask(create_invoice(subject), late, timely)

    assert refused["code"] == "version_conflict"
    assert accepted["events"] == ["invoice.voided"]


async def test_the_same_commands_again_get_the_same_answers_and_no_event(service: Service) -> None:
    await service.ready_worker()
    subjects = [invoice_id() for _ in range(20)]
    commands = [
        command
        for subject in subjects
        for command in (
            create_invoice(subject),
            record_payment(subject),
            void_invoice(subject),
        )
    ]
    await service.ask(*commands)
    await service.events.count(80)
    first = {key: got[0] for key, got in service.answers_by_command().items()}

    await service.send(commands)
    await service.answers.count(120)

    for key, answers in service.answers_by_command().items():
        assert answers == [first[key], first[key]]
    assert len(await service.rows("SELECT FROM events")) == 80
    probe = create_invoice(invoice_id())
    await service.ask(probe)
    await service.events.count(82)
    assert len(service.events.documents) == 82


async def test_another_body_under_the_same_id_is_a_conflict(service: Service) -> None:
    await service.ready_worker()
    subject = invoice_id()
    first = create_invoice(subject)
    other = create_invoice(subject, memo="not the same")
    same_id = Sent(other.type, subject, other.data, id=first.id)

    await service.ask(first)
    await service.send([same_id, first])
    await service.answers.count(3)

    accepted, conflict, repeated = service.answers_by_command()[first.identity]
    assert conflict["data"]["code"] == "idempotency_conflict"
    assert conflict["id"] != accepted["id"]
    assert repeated == accepted


async def test_each_seller_counts_its_own_invoices(service: Service) -> None:
    await service.ready_worker()
    commands = [
        create_invoice(invoice_id(), seller_id=seller)
        for _ in range(30)
        for seller in ("north", "south")
    ]

    await service.ask(*commands)

    await assert_promises_kept(service, commands)


async def test_the_envelope_goes_through(service: Service) -> None:
    await service.ready_worker()
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    command = create_invoice(invoice_id())
    attributes = {"correlationid": "order-77", "traceparent": traceparent}
    traced = Sent(command.type, command.subject, command.data, attributes=attributes)

    await service.ask(traced)
    await service.events.count(2)

    (answer,) = service.answers_by_command()[traced.identity]
    for document in (*service.events.documents, answer):
        assert document["specversion"] == "1.0"
        assert document["source"] == "/invoicing"
        assert document["correlationid"] == "order-77"
        assert document["traceparent"] == traceparent
        assert document["causationid"] == traced.id
        assert document["subject"] == traced.subject
        assert document["dataschema"].startswith("urn:invoicing:schema:")
    keys = {record.key.decode() for record in (*service.events.records, *service.answers.records)}
    assert keys == {traced.subject}
    headers = dict(service.events.records[0].headers)
    assert headers["content-type"].startswith(b"application/cloudevents+json")


async def test_binary_mode_is_taken(service: Service) -> None:
    await service.ready_worker()
    command = create_invoice(invoice_id())
    headers = {
        "ce_specversion": "1.0",
        "ce_id": command.id,
        "ce_source": command.source,
        "ce_type": command.type,
        "ce_subject": command.subject,
        "content-type": "application/json",
    }

    await service.producer.send_and_wait(
        service.topics.commands,
        json.dumps(command.data).encode(),
        key=command.subject.encode(),
        headers=[(name, text.encode()) for name, text in headers.items()],
    )

    (answer,) = await service.answered([command])
    assert answer["events"] == ["invoice.created", "invoice.opened"]


async def test_the_log_is_structured_and_tells_no_customers_data(service: Service) -> None:
    worker = await service.ready_worker()
    subject = invoice_id()

    await service.ask(create_invoice(subject, email="private@example.org", memo="confidential"))

    assert_log_is_readable(worker.log)
    assert "private@example.org" not in worker.log
    assert "confidential" not in worker.log


async def test_health_tells_what_it_looked_at(service: Service) -> None:
    worker = await service.ready_worker()

    status, body = worker.get("/health/ready")

    assert status == 200
    checks = {"kafka": True, "postgres": True, "lanes": True}
    assert json.loads(body) == {"ok": True, "checks": checks}
    assert worker.get("/health/live")[0] == 200
    assert worker.get("/nothing/here")[0] == 404
