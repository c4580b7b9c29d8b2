"""Postgres' snapshot: checked where it suffices by itself, and written to the spill by digests."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import asyncpg

from invoicing.domain.invoice import Invoice
from invoicing.maintenance import database
from invoicing.maintenance.database import AnswerRows, InvoiceRows
from invoicing.maintenance.verify.answered import check_claim
from invoicing.maintenance.verify.findings import Finding, FindingKind, Progress, Report
from invoicing.maintenance.verify.history import check_history
from invoicing.maintenance.verify.kafka_side import Row, digest
from invoicing.maintenance.verify.numbers import GivenNumber
from invoicing.maintenance.verify.spill import Spill


@dataclass(slots=True)
class Tables:
    """How much the tables held; `numbers_counted` by seller and kind, as number_series counts."""

    events: int = 0
    answers: int = 0
    invoices: int = 0
    numbers_counted: dict[tuple[str, str], int] = field(default_factory=dict)


async def spill_database(
    connection: asyncpg.Connection,
    topic_commands: str,
    spill: Spill,
    report: Report,
    progress: Progress,
) -> Tables:
    """Read all tables as the connection's snapshot shows them."""
    tables = Tables()
    about = await database.rows_about(connection, "events")
    async for invoice in database.invoices(connection):
        _take_invoice(invoice, spill, report)
        tables.invoices += 1
        tables.events += len(invoice.events)
        progress("events", tables.events, about)
    for id_, found in await connection.fetch(database.INVOICES_WITHOUT_EVENTS):
        report(Finding(FindingKind.STATE_WITHOUT_EVENTS, id_, "no events", found))
    await _check_feed(connection, report)
    about = await database.rows_about(connection, "commands")
    async for answer in database.answers(connection):
        _take_answer(answer, topic_commands, spill, report)
        tables.answers += 1
        progress("commands", tables.answers, about)
    tables.numbers_counted = {
        (seller_id, kind): counted
        for seller_id, kind, counted in await connection.fetch(database.NUMBERS_COUNTED)
    }
    return tables


async def _check_feed(connection: asyncpg.Connection, report: Report) -> None:
    for id_, version in await connection.fetch(database.FEED_DISORDERED):
        before = f"version {version - 1} before version {version}"
        report(Finding(FindingKind.FEED_DISORDERED, id_, before, "the other way round"))
    if hidden := await connection.fetchval(database.FEED_HIDDEN):
        said = "transactions that this cluster has begun"
        report(Finding(FindingKind.FEED_HIDDEN, None, said, f"{hidden} events of later ones"))


def _take_invoice(rows: InvoiceRows, spill: Spill, report: Report) -> None:
    checked = check_history(rows.id, rows.events, rows.current)
    for finding in checked.findings:
        report(finding)
    spill.add(
        "stored_events",
        (
            (
                event.invoice_id, event.version, digest(event.document.encode()),
                *event.command_key, event.recorded_at.timestamp(),
            )
            for event in rows.events
        ),
    )  # fmt: skip
    if checked.invoice is not None:
        spill.add("numbers", _numbers(checked.invoice))


def _numbers(invoice: Invoice) -> Iterator[Row]:
    given = [("invoice", invoice.invoice_number)] if invoice.invoice_number else []
    given += [("credit_note", note.credit_note_number) for note in invoice.credit_notes]
    for kind, text in given:
        number = GivenNumber(text, invoice.invoice_id)
        yield (invoice.seller_id, kind, *number.parts, text, invoice.invoice_id)


def _take_answer(rows: AnswerRows, topic_commands: str, spill: Spill, report: Report) -> None:
    answer = rows.answer
    for finding in check_claim(
        answer.command_key, answer.invoice_id, answer.versions, rows.claim, rows.events
    ):
        report(finding)
    position = answer.position
    # Under another topic's name, a position says nothing about the offsets of this one.
    place = (
        (position.partition, position.offset) if position.topic == topic_commands else (None, None)
    )
    row = (
        *answer.command_key, answer.invoice_id, answer.body_hash,
        digest(answer.document.encode()), *(answer.versions or (None, None)),
        *place, answer.recorded_at.timestamp(),
    )  # fmt: skip
    spill.add("stored_answers", [row])
