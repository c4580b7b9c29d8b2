"""One command's records, its stored reply and its published replies."""

from dataclasses import replace
from typing import Any

import pytest

from invoicing.contracts.replies import RejectionCode
from invoicing.maintenance.verify.commands import (
    CommandCase,
    CommandRecord,
    EventOfReply,
    PublishedReply,
    ReplyDigest,
    check_command,
    check_reply_data,
)
from invoicing.maintenance.verify.findings import FindingKind
from invoicing.store.rows import Position

KEY = ("/orders", "c1")
BODY, OTHER_BODY = b"body", b"other"


def record(offset: int, body: bytes = BODY, *, partition: int = 0) -> CommandRecord:
    position = Position("commands", partition, offset)
    return CommandRecord("inv_1", body, position, body, True, partition == 0)


def reply(offset: int = 0) -> ReplyDigest:
    return ReplyDigest("inv_1", b"reply", Position("commands", 0, offset), BODY, True, True)


def published(offset: int, code: str | None = None) -> PublishedReply:
    digest = b"conflict" if code else b"reply"
    return PublishedReply("inv_1", digest, Position("replies", 0, offset), code)


CONFLICT = published(9, RejectionCode.IDEMPOTENCY_CONFLICT)
SOUND = CommandCase(KEY, reply(), [record(0)], [published(0)])


def kinds(case: CommandCase, *, once: bool = True) -> list[FindingKind]:
    return [finding.kind for finding in check_command(case, once=once)]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"published": []}, [FindingKind.ANSWER_MISSING]),
        ({"published": [published(0), published(1)]}, [FindingKind.ANSWER_REPEATED]),
        ({"records": [record(0), record(1)]}, [FindingKind.ANSWER_MISSING]),
        ({"records": [record(0), record(1)], "published": [published(0), published(1)]}, []),
        ({"records": [record(0), record(1, OTHER_BODY)]}, [FindingKind.ANSWER_MISSING]),
        (
            {"records": [record(0), record(1, OTHER_BODY)], "published": [published(0), CONFLICT]},
            [],
        ),
        ({"published": [published(0), CONFLICT]}, [FindingKind.ANSWER_REPEATED]),
        ({"reply": None, "published": []}, [FindingKind.COMMAND_UNANSWERED]),
        ({"reply": None, "records": []}, [FindingKind.ANSWER_UNKNOWN]),
        (
            {"published": [replace(published(0), digest=b"changed")]},
            [FindingKind.ANSWER_DIFFERS],
        ),
        # Away from its partition and never forwarded; then forwarded.
        (
            {"reply": None, "records": [record(0, partition=1)], "published": []},
            [FindingKind.COMMAND_NOT_FORWARDED],
        ),
        ({"records": [record(0, partition=1), record(0)]}, []),
    ],
)
def test_every_record_of_a_command_has_its_reply(
    changes: dict[str, Any], expected: list[FindingKind]
) -> None:
    assert kinds(replace(SOUND, **changes)) == expected


def test_replies_may_be_repeated_without_transactions() -> None:
    assert kinds(replace(SOUND, published=[published(0), published(1)]), once=False) == []


def test_replies_are_not_counted_once_the_record_they_answer_is_lost() -> None:
    younger = replace(SOUND, records=[record(4)], published=[published(0), published(1)])

    assert kinds(younger) == []


CREATED = EventOfReply(1, "invoice.created", KEY, None)
OPENED = EventOfReply(2, "invoice.opened", KEY, "open")
DATA = {
    "command_source": KEY[0],
    "command_id": KEY[1],
    "invoice_id": "inv_1",
    "version": 2,
    "state": "open",
    "events": ["invoice.created", "invoice.opened"],
}


@pytest.mark.parametrize(
    ("data", "events", "found"),
    [
        ({}, [CREATED, OPENED], None),
        ({"state": "paid"}, [CREATED, OPENED], "state paid"),
        ({"version": 3}, [CREATED, OPENED], "version 3"),
        ({}, [CREATED], "stored versions [1]"),
    ],
)
def test_a_replys_data_follow_from_its_events(
    data: dict[str, Any], events: list[EventOfReply], found: str | None
) -> None:
    findings = list(check_reply_data(KEY, "inv_1", (1, 2), {**DATA, **data}, events))

    assert bool(findings) == (found is not None)
    assert all(finding.kind is FindingKind.ANSWER_CONTRADICTED for finding in findings)
    assert found is None or found in findings[0].found


def test_a_reply_cannot_claim_the_events_of_another_command() -> None:
    foreign = replace(OPENED, command_key=("/orders", "c2"))

    (finding,) = check_reply_data(KEY, "inv_1", (1, 2), DATA, [CREATED, foreign])

    assert "versions [2] belong to another command" in finding.expected
