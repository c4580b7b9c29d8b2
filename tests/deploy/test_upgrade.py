"""A database that the last release has filled: migrated, rebuilt, verified, restated, and kept."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from invoicing.store.migrations import migrate
from tests.deploy.test_migrations import LAST_RELEASE, assert_is_of_last_release
from tests.support.service.command_line import command_line, json_lines
from tests.support.service.commands import Sent, invoice_id
from tests.support.service.service import Service

pytestmark = pytest.mark.real_kafka

LAST_SCHEMA = "0005"


def sent(subject: str, command: str, **data: Any) -> Sent:
    return Sent(command, subject, data)


def created(subject: str, amount: str = "100.00", **more: Any) -> Sent:
    fixed = {"customer_id": "cus_1", "currency": "USD", "due_date": "2026-12-20"}
    return sent(subject, "CreateInvoice", **fixed, items=[{"amount": amount}], **more)


def paid(subject: str, payment_id: str, amount: str, **more: Any) -> Sent:
    return sent(subject, "RecordPayment", payment_id=payment_id, amount=amount, **more)


def refunded(subject: str, amount: str) -> Sent:
    return sent(subject, "RefundPayment", payment_id="pay_1", refund_id="ref_1", amount=amount)


def credited(subject: str, amount: str) -> Sent:
    return sent(subject, "IssueCreditNote", credit_note_id="cn_1", amount=amount)


def caught_money(s: str) -> list[Sent]:
    in_flight = paid(s, "pay_1", "100.00", settled=False)
    return [
        created(s),
        in_flight,
        sent(s, "ReverseInvoice"),
        sent(s, "SettlePayment", payment_id="pay_1"),
    ]


def credited_beyond_what_was_paid(s: str) -> list[Sent]:
    return [
        created(s), paid(s, "pay_1", "30.00"), sent(s, "WriteOffInvoice"),
        refunded(s, "30.00"), credited(s, "100.00"),
    ]  # fmt: skip


def bad_debt_that_is_paid(s: str) -> list[Sent]:
    return [
        created(s), sent(s, "WriteOffInvoice"), paid(s, "pay_1", "30.00"),
        refunded(s, "30.00"), paid(s, "pay_2", "30.00"),
    ]  # fmt: skip


def void_and_due(s: str) -> list[Sent]:
    return [created(s), sent(s, "VoidInvoice")]


def void_with_a_credit_note(s: str) -> list[Sent]:
    return [created(s, "120.00"), credited(s, "20.00"), sent(s, "VoidInvoice")]


def cancelled_and_due(s: str) -> list[Sent]:
    return [created(s, state="draft"), sent(s, "CancelInvoice")]


def draft_below_zero(s: str) -> list[Sent]:
    return [created(s, "-40.00", state="draft")]


def as_it_should_be(s: str) -> list[Sent]:
    return [created(s), paid(s, "pay_1", "130.00"), refunded(s, "50.00")]


def credited_in_part(s: str) -> list[Sent]:
    return [created(s), credited(s, "20.00")]


def a_cent_on_its_way(s: str) -> list[Sent]:
    return [created(s), paid(s, "pay_1", "0.01", settled=False)]


RESTATED = {
    credited_beyond_what_was_paid: ("paid", "0.00", "0.00", "0.00"),
    bad_debt_that_is_paid: ("uncollectible", "0.00", "70.00", "0.00"),
    void_and_due: ("void", "0.00", "0.00", "0.00"),
    void_with_a_credit_note: ("void", "0.00", "0.00", "0.00"),
    cancelled_and_due: ("cancelled", "0.00", "0.00", "0.00"),
    draft_below_zero: ("draft", "0.00", "0.00", "0.00"),
}
"""The state, and what is due, written off and overpaid afterwards."""
STATUSES = {
    credited_in_part: ("partially_paid", "upcoming"),
    a_cent_on_its_way: ("received", "upcoming"),
}
"""The stored status of invoices whose amounts are right, as the last release has it and rebuilt."""
UNCHANGED = (caught_money, as_it_should_be, *STATUSES)


@pytest.fixture
async def old_service(service: Service, empty_database: str) -> Service:
    """A service on the schema of the last release."""
    await asyncio.to_thread(migrate, empty_database, LAST_SCHEMA)
    return replace(service, dsn=empty_database)


async def fill(service: Service, lives: dict[str, Sequence[Sent]]) -> None:
    """Let a worker of the last release do all the work."""
    old = await service.ready_worker(PYTHONPATH=str(LAST_RELEASE))
    assert_is_of_last_release(service)
    answers = await service.ask(*(command for life in lives.values() for command in life))
    assert {answer.get("code") for answer in answers} == {None}
    old.process.terminate()
    assert await old.ended(seconds=60) == 0


async def statuses(service: Service) -> dict[str, str]:
    """What the lists filter by."""
    rows = await service.rows("SELECT id, standing FROM invoices")
    return {row["id"]: row["standing"] for row in rows}


async def found_to_differ(service: Service) -> set[str]:
    """The invoices whose stored state `invoicing verify` finds to be another than their events'."""
    _, said = await service.verified()
    found = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    return {line["invoice_id"] for line in found if line.get("finding") == "state_differs"}


def amounts(fields: dict[str, str]) -> tuple[str, ...]:
    names = ("state", "amount_due", "amount_written_off", "amount_overpaid")
    return tuple(fields[name] for name in names)


async def test_a_database_of_the_last_release_is_upgraded_and_restated(
    old_service: Service,
) -> None:
    service, invoicing = old_service, command_line(old_service)
    subjects = {make: invoice_id() for make in (*RESTATED, *UNCHANGED)}
    await fill(service, {subject: make(subject) for make, subject in subjects.items()})
    published = await states(service)

    await asyncio.to_thread(migrate, service.dsn)
    await service.ready_worker()
    assert await found_to_differ(service) == {subjects[make] for make in STATUSES}
    before = await statuses(service)
    assert (await invoicing("rebuild")).returncode == 0
    await service.verify()
    assert await states(service) == published
    rebuilt = await statuses(service)
    for make, expected in STATUSES.items():
        assert (before[subjects[make]], rebuilt[subjects[make]]) == expected

    listed = json_lines(await invoicing("restate", "--dry-run", "--json"))
    assert {line["invoice_id"] for line in listed} == {subjects[make] for make in RESTATED}
    assert all(amounts(line["before"]) == published[line["invoice_id"]] for line in listed)
    assert await states(service) == published

    done = await invoicing("restate")
    assert done.returncode == 0, done.stdout + done.stderr
    restated = await states(service)
    assert {make: restated[subjects[make]] for make in RESTATED} == RESTATED
    assert all(restated[subjects[make]] == published[subjects[make]] for make in UNCHANGED)
    assert json_lines(await invoicing("restate", "--json")) == []
    await service.verify()
    assert await published_before(service) == published

    await assert_the_last_release_refuses(service)


async def states(service: Service) -> dict[str, tuple[str, ...]]:
    """The amounts of each invoice as it is now."""
    rows = await service.rows("SELECT id, snapshot FROM invoices")
    return {row["id"]: amounts(json.loads(row["snapshot"])) for row in rows}


async def published_before(service: Service) -> dict[str, tuple[str, ...]]:
    """The amounts of each invoice after its last event but a restatement."""
    rows = await service.rows(
        "SELECT DISTINCT ON (invoice_id) invoice_id, data FROM events"
        " WHERE type <> 'invoice.restated' ORDER BY invoice_id, version DESC"
    )
    return {row["invoice_id"]: amounts(json.loads(row["data"])["data"]) for row in rows}


async def assert_the_last_release_refuses(service: Service) -> None:
    old = service.start_worker(PYTHONPATH=str(LAST_RELEASE))
    assert await old.ended(seconds=60) == 1
    assert "worker_gave_up" in old.log
    assert "the database has events of a newer release" in old.log


async def test_a_worker_of_the_last_release_stops_once_there_is_an_event_that_it_does_not_know(
    old_service: Service,
) -> None:
    service = old_service
    await asyncio.to_thread(migrate, service.dsn)
    old = await service.ready_worker(
        PYTHONPATH=str(LAST_RELEASE), INVOICING_RETRY_LIMIT_SECONDS="2"
    )
    await service.ready_worker()
    # Of so many invoices, some are in a lane of the new worker, and some in one of the old one.
    subjects = [invoice_id() for _ in range(20)]
    written_off = [[created(s), sent(s, "WriteOffInvoice")] for s in subjects]
    await service.ask(*(command for both in written_off for command in both))
    answers = await service.ask(*(sent(s, "ReinstateInvoice") for s in subjects))
    assert {answer.get("code") for answer in answers} == {None, "unknown_command"}

    answers = await service.ask(*(created(invoice_id()) for _ in range(20)))

    assert {answer.get("code") for answer in answers} == {None}
    assert await old.ended(seconds=60) == 1
    assert "the database has events of a newer release" in old.log
    await assert_the_last_release_refuses(service)
    await service.verify()
