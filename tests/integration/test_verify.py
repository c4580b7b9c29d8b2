"""`invoicing verify` finds and names every kind of fault, each planted in a working service."""

from dataclasses import replace

import asyncpg
import pytest

from invoicing.domain import entries
from invoicing.maintenance.verify.findings import FindingKind
from invoicing.store.rows import StoredEvent
from invoicing.worker.outgoing import OutgoingMessages
from tests.support.service.commands import Sent, create_invoice, invoice_id, record_payment
from tests.support.service.stage import PARTITIONS, Stage, Tamper
from tests.support.stack.topics import delete_group

pytestmark = pytest.mark.real_kafka


async def test_nothing_is_found_where_every_promise_is_kept(stage: Stage) -> None:
    await stage.send_story()
    await stage.work()

    findings, verified = await stage.verify()

    assert findings == []
    assert (verified.tables.invoices, verified.tables.events) == (3, 9)
    assert verified.retained.commands.records == 12
    assert verified.retained.dead_letters.records == 1


async def test_test_invoices_are_counted_in_series_of_their_own(stage: Stage) -> None:
    live, test = invoice_id(), invoice_id()
    credit = Sent("IssueCreditNote", test, {"credit_note_id": "cn_1", "amount": "1.00"})
    await stage.send(create_invoice(live), create_invoice(test, live_mode=False), credit)
    await stage.work()

    assert {await _number_of(stage, live), await _number_of(stage, test)} == {
        "INV-000001", "TEST-INV-000001",
    }  # fmt: skip
    findings, verified = await stage.verify()
    assert findings == []
    assert {kind for _, kind in verified.tables.numbers_counted} == {
        "invoice", "test_invoice", "test_credit_note",
    }  # fmt: skip

    await stage.execute("UPDATE number_series SET next = next + 1 WHERE kind = 'test_invoice'")

    ((finding,), _) = await stage.verify()
    assert finding.kind == FindingKind.NUMBER_SKIPPED
    assert "test_invoice" in finding.expected


async def test_nothing_is_found_while_commands_are_still_to_be_handled(stage: Stage) -> None:
    await stage.send_story()

    findings, verified = await stage.verify()

    assert findings == []
    assert verified.offsets_not_due == 10


async def test_nothing_is_found_between_the_two_commits(stage: Stage) -> None:
    """Stored but not published yet: the next owner of the lane will publish it."""
    await stage.note_beginnings()
    await stage.send_story()
    for lane, records in (await stage.fetch()).items():
        await stage.store(lane, records)

    findings, _ = await stage.verify()

    assert findings == []


def drop_event(outgoing: OutgoingMessages) -> None:
    if len(outgoing.events) > 3:
        del outgoing.events[2]


def repeat_event(outgoing: OutgoingMessages) -> None:
    outgoing.events += outgoing.events[-1:]


def swap_events(outgoing: OutgoingMessages) -> None:
    outgoing.events.sort(key=lambda event: -event.version)


def change_a_byte(outgoing: OutgoingMessages) -> None:
    for event in outgoing.events[:1]:
        outgoing.events[0] = event._replace(document=event.document.replace("cus_42", "cus_43"))


def invent_event(outgoing: OutgoingMessages) -> None:
    for event in outgoing.events[-1:]:
        document = event.document.replace(f'"version":{event.version}', '"version":99')
        outgoing.events.append(event._replace(version=99, document=document))


def drop_reply(outgoing: OutgoingMessages) -> None:
    del outgoing.replies[:1]


def repeat_reply(outgoing: OutgoingMessages) -> None:
    outgoing.replies += outgoing.replies[:1]


def change_a_reply(outgoing: OutgoingMessages) -> None:
    for reply in outgoing.replies[:1]:
        document = reply.document.replace('"version":2', '"version":3')
        outgoing.replies[0] = reply._replace(document=document)


def drop_forward(outgoing: OutgoingMessages) -> None:
    outgoing.forwards.clear()


def drop_dead_letter(outgoing: OutgoingMessages) -> None:
    outgoing.dead_letters.clear()


def cut_dead_letter(outgoing: OutgoingMessages) -> None:
    outgoing.dead_letters[:] = [
        replace(letter, record=letter.record._replace(value=b"brok"))
        for letter in outgoing.dead_letters
    ]


@pytest.mark.parametrize(
    ("tamper", "kind"),
    [
        (drop_event, FindingKind.EVENT_MISSING),
        (repeat_event, FindingKind.EVENT_REPEATED),
        (swap_events, FindingKind.EVENTS_OUT_OF_ORDER),
        (change_a_byte, FindingKind.EVENT_DIFFERS),
        (invent_event, FindingKind.EVENT_UNKNOWN),
        (drop_reply, FindingKind.ANSWER_MISSING),
        (repeat_reply, FindingKind.ANSWER_REPEATED),
        (change_a_reply, FindingKind.ANSWER_DIFFERS),
        (drop_forward, FindingKind.COMMAND_NOT_FORWARDED),
        (drop_dead_letter, FindingKind.COMMAND_NOT_SET_ASIDE),
        (cut_dead_letter, FindingKind.DEAD_LETTER_DIFFERS),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_a_fault_in_published_messages_is_found_and_named(
    stage: Stage, tamper: Tamper, kind: FindingKind
) -> None:
    await stage.send_story()
    await stage.work(tamper)

    findings, _ = await stage.verify()

    assert {finding.kind for finding in findings} == {kind}
    nameless = {FindingKind.COMMAND_NOT_SET_ASIDE, FindingKind.DEAD_LETTER_DIFFERS}
    invoices = {finding.invoice_id for finding in findings}
    assert kind in nameless or invoices <= {stage.paid, stage.voided, stage.misrouted}


@pytest.mark.parametrize(("partitions_away", "key"), [(1, None), (0, b"stranger")])
async def test_an_event_in_the_wrong_partition_or_with_the_wrong_key_is_found(
    stage: Stage, partitions_away: int, key: bytes | None
) -> None:
    withheld: list[StoredEvent] = []

    def withhold(outgoing: OutgoingMessages) -> None:
        withheld.extend(outgoing.events)
        outgoing.events.clear()

    await stage.send(create_invoice(stage.paid))
    await stage.work(withhold)
    for event in withheld:
        await stage.producer.send_and_wait(
            stage.settings.topic_events,
            event.document.encode(),
            key=key or stage.paid.encode(),
            partition=(stage.home(stage.paid) + partitions_away) % PARTITIONS,
        )

    findings, _ = await stage.verify()

    found = [(finding.kind, finding.invoice_id) for finding in findings]
    assert found == [(FindingKind.EVENT_MISPLACED, stage.paid)] * 2


@pytest.mark.parametrize(
    ("statement", "kinds"),
    [
        (
            "UPDATE events SET version = 9, data = replace(data, '\"version\":4', '\"version\":9')"
            " WHERE invoice_id = $1 AND version = 4",
            {FindingKind.VERSION_GAP},
        ),
        (
            "UPDATE events SET data = replace(data, 'cus_42', 'cus_43')"
            " WHERE invoice_id = $1 AND version = 4",
            {FindingKind.EVENT_DIFFERS},
        ),
        (
            "UPDATE events SET type = 'invoice.voided' WHERE invoice_id = $1 AND version = 3",
            {FindingKind.EVENT_MISLABELLED},
        ),
        (
            "UPDATE invoices SET amount_due = amount_due + 1 WHERE id = $1",
            {FindingKind.STATE_DIFFERS},
        ),
        (
            'UPDATE invoices SET snapshot = replace(snapshot, \'"amount_paid":"214.25"\','
            ' \'"amount_paid":"214.24"\') WHERE id = $1',
            {FindingKind.STATE_DIFFERS},
        ),
        (
            'UPDATE events SET data = replace(data, \'"amount":"214.25"\', \'"amount":"214.24"\')'
            " WHERE invoice_id = $1 AND version = 3",
            {FindingKind.JOURNAL_DIFFERS, FindingKind.EVENT_DIFFERS},
        ),
        ("DELETE FROM invoices WHERE id = $1", {FindingKind.STATE_MISSING}),
        ("UPDATE invoices SET id = 'stranger' WHERE id = $1", {FindingKind.STATE_WITHOUT_EVENTS}),
        (
            "DELETE FROM commands WHERE invoice_id = $1 AND first_version = 3",
            {
                FindingKind.COMMAND_UNANSWERED,
                FindingKind.ANSWER_UNKNOWN,
                FindingKind.EVENT_WITHOUT_ANSWER,
            },
        ),
        (
            'UPDATE commands SET answer = replace(answer, \'"state":"paid"\', \'"state":"open"\')'
            " WHERE invoice_id = $1",
            {FindingKind.ANSWER_CONTRADICTED, FindingKind.ANSWER_DIFFERS},
        ),
        (
            "UPDATE commands SET answer = left(answer, 99) WHERE invoice_id = $1",
            {FindingKind.ANSWER_CONTRADICTED, FindingKind.ANSWER_DIFFERS},
        ),
        (
            "UPDATE events SET data = left(data, 99) WHERE invoice_id = $1 AND version = 2",
            {FindingKind.EVENT_UNREADABLE, FindingKind.EVENT_DIFFERS},
        ),
        (
            "UPDATE commands SET last_version = 3 WHERE invoice_id = $1 AND first_version = 3",
            {FindingKind.ANSWER_CONTRADICTED, FindingKind.EVENT_WITHOUT_ANSWER},
        ),
        (
            "INSERT INTO invoice_labels VALUES ('stranger', '{}') RETURNING $1::text",
            {FindingKind.STATE_WITHOUT_EVENTS},
        ),
        (
            "UPDATE events SET transaction_id = '3' WHERE invoice_id = $1 AND version = 4",
            {FindingKind.FEED_DISORDERED},
        ),
        (
            "UPDATE events SET transaction_id = '99999999' WHERE invoice_id = $1 AND version = 4",
            {FindingKind.FEED_HIDDEN},
        ),
        (
            "UPDATE lanes SET next_offset = 0 WHERE $1::text <> ''",
            {FindingKind.LANE_FORGOTTEN},
        ),
        (
            "UPDATE lanes SET next_offset = 9999 WHERE $1::text <> ''",
            {FindingKind.LOG_TOO_SHORT},
        ),
    ],
)
async def test_a_fault_in_stored_rows_is_found_and_named(
    stage: Stage, statement: str, kinds: set[FindingKind]
) -> None:
    await stage.send_story()
    await stage.work()

    await stage.execute(statement, stage.paid)

    findings, _ = await stage.verify()
    assert kinds <= {finding.kind for finding in findings if finding.invoice_id != stage.voided}
    assert {finding.invoice_id for finding in findings} <= {stage.paid, "stranger", None}


async def test_a_number_that_was_taken_twice_is_found(stage: Stage) -> None:
    await stage.send_story()
    await stage.work()
    number = await _number_of(stage, stage.paid)

    await stage.execute(
        "UPDATE events SET data = replace(data, $2, $3) WHERE invoice_id = $1",
        stage.voided,
        await _number_of(stage, stage.voided),
        number,
    )

    findings, _ = await stage.verify()
    (repeated,) = [f for f in findings if f.kind == FindingKind.NUMBER_REPEATED]
    assert number in repeated.expected
    assert {repeated.invoice_id, repeated.found.split()[-1]} == {stage.paid, stage.voided}


@pytest.mark.parametrize(
    ("statement", "counted"),
    [
        ("UPDATE number_series SET next = next + 1", "4, as number_series counts"),
        ("UPDATE number_series SET next = next - 1", "2, as number_series counts"),
    ],
)
async def test_a_series_that_counts_other_numbers_than_were_given_is_found(
    stage: Stage, statement: str, counted: str
) -> None:
    await stage.send_story()
    await stage.work()

    await stage.execute(statement)

    findings, _ = await stage.verify()
    assert [counted in finding.expected for finding in findings] == [True]


async def test_a_number_that_was_skipped_is_found_and_named(stage: Stage) -> None:
    await stage.send_story()
    await stage.work()
    second = min([await _number_of(stage, id_) for id_ in (stage.paid, stage.voided)])[:-1] + "2"

    await stage.execute("UPDATE events SET data = replace(data, $1, 'INV-000004')", second)

    findings, _ = await stage.verify()
    (skipped,) = [f for f in findings if f.kind == FindingKind.NUMBER_SKIPPED]
    assert second in skipped.expected


async def test_a_command_below_the_committed_offset_without_an_answer_is_found(
    stage: Stage,
) -> None:
    command = create_invoice(invoice_id())
    await stage.send(command)
    ((lane, records),) = (await stage.fetch()).items()

    await stage.publishers[lane.partition].publish(
        OutgoingMessages(), records[-1].offset + 1, PARTITIONS
    )

    findings, _ = await stage.verify()
    (finding,) = [f for f in findings if f.kind == FindingKind.COMMAND_UNANSWERED]
    assert finding.invoice_id == command.subject
    assert f"{lane.topic}-{lane.partition}@{records[0].offset}" in finding.expected


async def test_a_lane_whose_offset_is_gone_is_found(stage: Stage) -> None:
    await stage.send_story()
    await stage.work()
    settings = stage.settings
    await delete_group(settings.kafka_bootstrap_servers, settings.consumer_group)

    findings, _ = await stage.verify()

    assert {finding.kind for finding in findings} == {FindingKind.OFFSET_GONE}


async def test_a_message_that_the_service_did_not_write_is_found(stage: Stage) -> None:
    await stage.producer.send_and_wait(stage.settings.topic_events, b'{"subject": "inv_1"}')

    findings, _ = await stage.verify()

    assert [finding.kind for finding in findings] == [FindingKind.MESSAGE_UNREADABLE]


async def test_repeated_events_are_no_fault_without_transactions(stage: Stage) -> None:
    await stage.send_story()
    await stage.work(repeat_event)
    stage.settings = stage.settings.model_copy(update={"kafka_transactions": "off"})

    findings, _ = await stage.verify()

    assert findings == []


async def test_records_lost_by_age_are_no_fault(stage: Stage) -> None:
    await stage.send_story()
    await stage.work()
    await stage.forget(*stage.topics)

    findings, verified = await stage.verify()

    assert findings == []
    assert verified.retained.events.records == 0
    assert verified.partitions_cut > 0


async def test_an_event_that_is_missing_after_what_was_lost_by_age_is_found(stage: Stage) -> None:
    await stage.send(create_invoice(stage.paid))
    await stage.work()
    await stage.forget(*stage.topics)
    await stage.send(record_payment(stage.paid, "1.00"), record_payment(stage.paid, "2.00"))
    await stage.send(record_payment(stage.paid, "3.00"))

    await stage.work(lambda outgoing: outgoing.events.pop(1))

    findings, _ = await stage.verify()

    assert [finding.kind for finding in findings] == [FindingKind.EVENT_MISSING]


async def _number_of(stage: Stage, id_: str) -> str:
    connection = await asyncpg.connect(stage.settings.dsn)
    try:
        number: str = await connection.fetchval(
            "SELECT invoice_number FROM invoices WHERE id = $1", id_
        )
    finally:
        await connection.close()
    return number


@pytest.fixture
def all_in_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every payment, credit note and sending has a row of its own."""
    monkeypatch.setattr(entries, "INLINE_MAX", 0)


@pytest.mark.usefixtures("all_in_rows")
@pytest.mark.parametrize(
    "fault",
    [
        "DELETE FROM invoice_entries WHERE id = 'pay_1'",
        "DELETE FROM invoice_entries WHERE kind = 'refund'",
        "UPDATE invoice_entries SET document = replace(document, 'settled', 'failed')",
        "UPDATE invoice_entries SET document = 'pay_2' WHERE kind = 'refund'",
        "UPDATE invoice_entries SET position = 1 - position WHERE kind = 'payment'",
        "INSERT INTO invoice_entries SELECT invoice_id, kind, 'x', 2, document"
        " FROM invoice_entries WHERE id = 'pay_1'",
        """UPDATE invoices SET snapshot = replace(snapshot, '"refundable":1', '"refundable":2')""",
        """UPDATE invoices SET snapshot = replace(snapshot, '"size":2', '"size":3')""",
    ],
)
async def test_a_wrong_row_of_an_entry_is_found(stage: Stage, fault: str) -> None:
    await stage.send(
        create_invoice("inv_1"),
        record_payment("inv_1", "1.00", payment_id="pay_1"),
        record_payment("inv_1", "1.00", payment_id="pay_2"),
        Sent(
            "RefundPayment", "inv_1",
            {"payment_id": "pay_1", "refund_id": "ref_1", "amount": "1.00"},
        ),
    )  # fmt: skip
    await stage.work()
    findings, _ = await stage.verify()
    assert findings == []

    await stage.execute(fault)

    ((finding,), _) = await stage.verify()
    assert (finding.kind, finding.invoice_id) == (FindingKind.STATE_DIFFERS, "inv_1")
