"""Invoices with many entries, handled batch by batch on a store in memory."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from invoicing.domain import entries
from invoicing.domain.invoice import Invoice
from invoicing.domain.numbering import format_number
from invoicing.domain.payments import PAYMENTS_MAX
from invoicing.domain.sellers import Sellers
from invoicing.store.entries import EntryKey, StoredEntry, has_rows, whole
from invoicing.store.history import replay
from invoicing.store.memory import MemoryStore
from invoicing.store.rows import (
    CommandKey,
    Loaded,
    Position,
    StoredEvent,
    WriteBatch,
    stored_invoice,
)
from invoicing.worker.batch import BatchHandler
from invoicing.worker.outgoing import OutgoingMessages
from invoicing.worker.records import LaneState, Record
from tests.support.service.commands import Sent

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LANE = LaneState("commands", 0, checkpoint=0, routing_partitions=1)
COST_MAX = 1.2
"""Of a payment after ten thousand, in those of the first one."""


class CountingStore(MemoryStore):
    """Counts the bytes and rows that are read and written."""

    def __init__(self) -> None:
        super().__init__(partial(format_number, sellers=Sellers()))
        self.bytes = self.rows = self.entry_loads = 0

    def count(self, *texts: str) -> None:
        self.rows += 1
        self.bytes += sum(map(len, texts))

    async def load(
        self, invoice_ids: Sequence[str], commands: Mapping[CommandKey, Sequence[Position]]
    ) -> Loaded:
        loaded = await super().load(invoice_ids, commands)
        for snapshot in loaded.snapshots.values():
            self.count(snapshot)
        return loaded

    async def load_entries(self, wanted: Collection[EntryKey]) -> Sequence[StoredEntry]:
        self.entry_loads += 1
        rows = await super().load_entries(wanted)
        for row in rows:
            self.count(row.id, row.document)
        return rows

    async def append(self, write_batch: WriteBatch) -> Sequence[StoredEvent]:
        for reply in write_batch.replies:
            self.count(reply.document)
        for event in write_batch.events:
            self.count(event.document)
        for invoice in write_batch.invoices.values():
            self.count(invoice.snapshot)
            for row in invoice.entries:
                self.count(row.id, row.document)
        self.count()  # the lane's position
        return await super().append(write_batch)


class Worker:
    """Handles commands on one invoice of a million."""

    def __init__(self) -> None:
        self.store = CountingStore()
        self._handler = BatchHandler(self.store, Sellers(), lambda: NOW)
        self._offset = 0

    async def handle(self, *commands: Sent) -> OutgoingMessages:
        records = []
        for command in commands:
            position = Position("commands", 0, self._offset)
            records.append(Record(position, command.subject.encode(), command.value, (), 0))
            self._offset += 1
        return await self._handler.handle(records, LANE)

    async def accept(self, type_: str, **data: Any) -> OutgoingMessages:
        outgoing = await self.handle(Sent(type_, "inv_1", data))
        assert outgoing.outcomes == {"accepted": 1}, outgoing.replies[0].document
        return outgoing

    async def refuse(self, type_: str, **data: Any) -> dict[str, Any]:
        outgoing = await self.handle(Sent(type_, "inv_1", data))
        reply: dict[str, Any] = json.loads(outgoing.replies[0].document)["data"]
        return reply

    async def pay(self, numbers: Collection[int], **more: Any) -> None:
        for first in range(min(numbers), max(numbers) + 1, 500):
            own = range(first, min(first + 500, max(numbers) + 1))
            outgoing = await self.handle(*(payment(f"pay_{n}", **more) for n in own))
            assert outgoing.outcomes == {"accepted": len(own)}

    def invoice(self) -> Invoice:
        snapshot = self.store.invoices["inv_1"].snapshot
        rows = sorted(self.store.entries.values(), key=lambda row: row.position)
        return Invoice.model_validate_json(whole(snapshot, rows))

    def assert_state_is_replayed(self) -> None:
        """The row and the rows of its entries are those of an invoice replayed at once."""
        events = [event for _, event in sorted(self.store.events.items())]
        replayed = replay(events)[-1]
        expected = stored_invoice(replayed, document_changed=True)
        assert self.store.invoices["inv_1"].snapshot == expected.snapshot
        assert set(self.store.entries.values()) == set(expected.entries)
        assert self.invoice() == replayed


def payment(payment_id: str, **more: Any) -> Sent:
    data = {"payment_id": payment_id, "amount": "10.00", "currency": "USD"}
    return Sent("RecordPayment", "inv_1", data | more)


@pytest.fixture
async def worker() -> Worker:
    made = Worker()
    items = [{"amount": "1000000.00"}]
    due = {"due_date": "2026-12-20", "items": items, "email": "ada@example.com"}
    await made.accept("CreateInvoice", customer_id="cus_1", currency="USD", **due)
    return made


@pytest.fixture
async def busy(worker: Worker) -> Worker:
    """An invoice with forty payments."""
    await worker.pay(range(40))
    assert has_rows(worker.store.invoices["inv_1"].snapshot)
    return worker


async def cost_of(worker: Worker, payment_id: str) -> tuple[int, int]:
    worker.store.bytes = worker.store.rows = 0
    await worker.handle(payment(payment_id))
    return worker.store.bytes, worker.store.rows


async def test_the_last_payment_costs_as_much_as_the_first(worker: Worker) -> None:
    first_bytes, first_rows = await cost_of(worker, "first")
    await worker.pay(range(PAYMENTS_MAX - 2))
    last_bytes, last_rows = await cost_of(worker, "last")

    assert last_bytes <= first_bytes * COST_MAX
    assert last_rows <= first_rows * COST_MAX
    worker.assert_state_is_replayed()
    refused = await worker.refuse("RecordPayment", payment_id="more", amount="1.00")
    assert refused["code"] == "limit_exceeded"
    assert len(worker.invoice().payments) == PAYMENTS_MAX


async def test_few_entries_stay_in_the_snapshot(worker: Worker) -> None:
    await worker.pay(range(entries.INLINE_MAX))
    assert not has_rows(worker.store.invoices["inv_1"].snapshot)
    assert worker.store.entries == {}

    await worker.pay([entries.INLINE_MAX])
    assert has_rows(worker.store.invoices["inv_1"].snapshot)
    assert len(worker.store.entries) == entries.INLINE_MAX + 1
    worker.assert_state_is_replayed()


async def test_a_snapshot_of_an_older_release_moves_when_it_is_next_written(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "INLINE_MAX", 10_000)
    await worker.pay(range(40))
    assert not has_rows(worker.store.invoices["inv_1"].snapshot)
    monkeypatch.undo()

    await worker.accept("ArchiveInvoice")

    assert has_rows(worker.store.invoices["inv_1"].snapshot)
    worker.assert_state_is_replayed()


async def test_numbers_are_filled_into_credit_notes_in_rows(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "INLINE_MAX", 1)
    for number in range(3):
        note = {"credit_note_id": f"cn_{number}", "amount": "1.00"}
        await worker.accept("IssueCreditNote", **note)

    numbers = [note.credit_note_number for note in worker.invoice().credit_notes]
    assert numbers == ["CN-000001", "CN-000002", "CN-000003"]
    worker.assert_state_is_replayed()


async def test_a_batch_sees_what_its_own_commands_have_added(busy: Worker) -> None:
    refund = {"payment_id": "new", "refund_id": "ref_1", "amount": "4.00"}
    outgoing = await busy.handle(
        payment("new"),
        Sent("RefundPayment", "inv_1", refund),
        Sent("RefundPayment", "inv_1", refund | {"payment_id": "pay_1"}),
        Sent("OpenDispute", "inv_1", {"payment_id": "new", "dispute_id": "d", "amount": "1.00"}),
        Sent("CloseDispute", "inv_1", {"dispute_id": "d", "outcome": "lost"}),
        payment("new"),
    )

    assert outgoing.outcomes == {"accepted": 4, "duplicate_refund": 1, "duplicate_payment": 1}
    busy.assert_state_is_replayed()


async def test_a_rejection_lists_the_commands_that_any_payment_allows(busy: Worker) -> None:
    refused = await busy.refuse("SettlePayment", payment_id="none")
    assert {"RefundPayment", "ReturnPayment", "OpenDispute"} <= set(refused["available_commands"])
    assert not {"SettlePayment", "CloseDispute"} & set(refused["available_commands"])

    await busy.pay([99], settled=False)
    await busy.accept("OpenDispute", payment_id="pay_0", dispute_id="d", amount="1.00")
    refused = await busy.refuse("SettlePayment", payment_id="none")
    assert {"SettlePayment", "CloseDispute"} <= set(refused["available_commands"])


async def test_a_usual_batch_loads_entries_once(busy: Worker) -> None:
    await busy.accept("AttachSource", source_id="src_1", type="creditCard")
    busy.store.entry_loads = 0
    commands = [payment(f"new_{n}") for n in range(5)] + [Sent("PayInvoice", "inv_1", {})]
    outgoing = await busy.handle(*commands)

    assert outgoing.outcomes == {"accepted": 6}
    assert busy.store.entry_loads == 1


async def test_a_batch_on_other_invoices_loads_no_entries(busy: Worker) -> None:
    busy.store.entry_loads = 0
    await busy.handle(Sent("VoidInvoice", "inv_2", {}))

    assert busy.store.entry_loads == 0


async def test_a_decision_that_looks_at_all_payments_gets_them(busy: Worker) -> None:
    details = {"reusable": False}
    await busy.accept("AttachSource", source_id="once", type="creditCard", details=details)
    await busy.pay([50], source_id="once")
    busy.store.entry_loads = 0

    refused = await busy.refuse("PayInvoice", source_id="once")

    assert refused["code"] == "source_unusable"
    assert "PayInvoice" not in refused["available_commands"]
    assert busy.store.entry_loads == 2


@pytest.mark.parametrize(
    "payment_id", ["a\0b", "\ud800", "x" * 5_000, 7, None, {"a": 1}, ["a"], "tab\tin it", ""]
)
async def test_an_id_that_is_none_is_refused_as_ever(busy: Worker, payment_id: object) -> None:
    young = Worker()
    await young.accept(
        "CreateInvoice", customer_id="c", currency="USD", items=[{"amount": "9"}],
        due_date="2026-12-20",
    )  # fmt: skip
    for command in ("SettlePayment", "RecordPayment", "RefundPayment"):
        data = {"payment_id": payment_id, "refund_id": payment_id, "amount": "1.00"}
        replies = [await each.refuse(command, **data) for each in (busy, young)]
        replies = [{name: reply.get(name) for name in ("code", "errors")} for reply in replies]
        assert replies[0] == replies[1]


async def test_a_redelivered_batch_is_published_as_it_was(busy: Worker) -> None:
    commands = [payment("again"), Sent("VoidInvoice", "inv_1", {})]
    first = await busy.handle(*commands)
    busy._offset -= 2
    again = await busy.handle(*commands)

    assert [event.document for event in again.events] == [event.document for event in first.events]
    assert [reply.document for reply in again.replies] == [r.document for r in first.replies]
    busy.assert_state_is_replayed()


@pytest.mark.parametrize("mail", ["SendInvoice", "RecordInvoiceSent"])
async def test_a_thousandth_mail_costs_as_much_as_the_first(worker: Worker, mail: str) -> None:
    def sent(number: int) -> Sent:
        if mail == "SendInvoice":
            return Sent(mail, "inv_1", {"to": "ada@example.com", "message": "hello"})
        return Sent(mail, "inv_1", {"send_id": f"send_{number}", "to": "ada@example.com"})

    costs = []
    for number in range(999):
        worker.store.bytes = 0
        outgoing = await worker.handle(sent(number))
        costs.append(worker.store.bytes)
        if mail == "SendInvoice":
            send_id = json.loads(outgoing.events[0].document)["data"]["send_id"]
            await worker.accept("RecordInvoiceSent", send_id=send_id, to="ada@example.com")

    assert costs[-1] <= costs[0] * COST_MAX
