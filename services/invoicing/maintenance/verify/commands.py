"""Check one command: its records, its stored reply, and the replies that were published."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from invoicing.contracts.replies import RejectionCode
from invoicing.maintenance.verify.findings import Finding, FindingKind
from invoicing.store.rows import CommandKey, Position


@dataclass(frozen=True, slots=True)
class CommandRecord:
    """A record of the commands topic that holds this command and was not dead-lettered.

    `committed`: the group has committed its offset. `is_routed`: it is in its invoice's partition.
    """

    invoice_id: str
    digest: bytes
    position: Position
    body_hash: bytes
    committed: bool
    is_routed: bool


@dataclass(frozen=True, slots=True)
class ReplyDigest:
    """A stored reply, by the digest of its document. `committed` and `retained` as of an event."""

    invoice_id: str
    digest: bytes
    position: Position
    body_hash: bytes
    committed: bool
    retained: bool


@dataclass(frozen=True, slots=True)
class PublishedReply:
    """A published reply, by the digest of its value. `code` is None for an accepted command."""

    invoice_id: str
    digest: bytes
    position: Position
    code: str | None

    @property
    def is_conflict(self) -> bool:
        """Whether it rejects another body with a known id: such replies are not stored."""
        return self.code == RejectionCode.IDEMPOTENCY_CONFLICT


@dataclass(frozen=True, slots=True)
class CommandCase:
    """Everything that Kafka and Postgres hold about one command."""

    key: CommandKey
    reply: ReplyDigest | None
    records: Sequence[CommandRecord]
    published: Sequence[PublishedReply]


def check_command(case: CommandCase, *, once: bool) -> Iterator[Finding]:
    """Check a command's forwards and replies. Without `once`, replies may be repeated."""
    yield from _check_forwards(case)
    if case.reply is not None:
        yield from _check_replies(case, case.reply, once=once)
        return
    for record in case.records:
        if record.committed and record.is_routed:
            yield Finding(
                FindingKind.COMMAND_UNANSWERED,
                record.invoice_id,
                f"a reply to {_name(case.key)} at {record.position}",
                "not stored",
            )
    for published in case.published:
        yield Finding(
            FindingKind.ANSWER_UNKNOWN,
            published.invoice_id,
            f"no reply to {_name(case.key)} is stored",
            f"published at {published.position}",
        )


def _check_forwards(case: CommandCase) -> Iterator[Finding]:
    """A record in another partition is forwarded, unless the invoice was routed there back then."""
    arrived = {record.digest for record in case.records if record.is_routed}
    for record in case.records:
        is_own = case.reply and case.reply.position.partition == record.position.partition
        must_arrive = record.committed and not record.is_routed and not is_own
        if must_arrive and record.digest not in arrived:
            yield Finding(
                FindingKind.COMMAND_NOT_FORWARDED,
                record.invoice_id,
                f"{_name(case.key)} forwarded from {record.position}",
                "no such record in another partition",
            )


def _check_replies(case: CommandCase, reply: ReplyDigest, *, once: bool) -> Iterator[Finding]:
    """Every record with the stored body gets the stored reply, every other record a conflict."""
    name = _name(case.key)
    for published in case.published:
        if published.digest != reply.digest and not published.is_conflict:
            yield Finding(
                FindingKind.ANSWER_DIFFERS,
                reply.invoice_id,
                f"reply to {name}, digest {reply.digest.hex()}",
                f"{published.position} has digest {published.digest.hex()}",
            )
    if not reply.retained:
        return
    # Once the log has lost the record that was replied to, it may have lost others as well.
    is_complete = any(record.position == reply.position for record in case.records)
    for what, is_conflict in (("its reply", False), ("a conflict", True)):
        records = [one for one in case.records if (one.body_hash != reply.body_hash) is is_conflict]
        positions = [str(one.position) for one in case.published if one.is_conflict is is_conflict]
        # After partitions were added, a record that was forwarded may be in the right partition
        # now, and the copy that was replied to in a wrong one.
        due = sum(record.committed and record.is_routed for record in records)
        least = max(0, due - sum(not record.is_routed for record in records))
        if reply.committed and not is_conflict:
            least = max(least, 1)
        found = f"published {len(positions)} times"
        if len(positions) < least:
            expected = f"{name}: {what}, at least {least} times"
            yield Finding(FindingKind.ANSWER_MISSING, reply.invoice_id, expected, found)
        if once and is_complete and len(positions) > len(records):
            expected = f"{name}: {what}, at most {len(records)} times"
            found = f"{found}: {', '.join(positions)}"
            yield Finding(FindingKind.ANSWER_REPEATED, reply.invoice_id, expected, found)


@dataclass(frozen=True, slots=True)
class EventOfReply:
    """A stored event that a reply names. `state` only of the event with the reply's version."""

    version: int
    type: str
    command_key: CommandKey
    state: str | None


def check_reply_data(
    key: CommandKey,
    invoice_id: str,
    versions: tuple[int, int] | None,
    data: Mapping[str, Any],
    events: Sequence[EventOfReply],
) -> Iterator[Finding]:
    """Check a stored reply's `data` against the stored events that it names.

    `versions` are the first and last of the command's events. `events` are these in order; for a
    command without events, the one with the reply's version.
    """
    own = events if versions else []
    expected: dict[str, object] = {
        "command_source": key[0],
        "command_id": key[1],
        "invoice_id": invoice_id,
        "events": [event.type for event in own],
    }
    if versions:
        expected["version"] = versions[1]
        expected["stored versions"] = list(range(versions[0], versions[1] + 1))
    if data.get("version") is not None:
        expected["state"] = events[-1].state if events else "no such event"
    found = {**data, "stored versions": [event.version for event in own]}
    wrong = [name for name in expected if found.get(name) != expected[name]]
    foreign = [event.version for event in own if event.command_key != key]
    if wrong or foreign:
        others = f", versions {foreign} belong to another command" if foreign else ""
        yield Finding(
            FindingKind.ANSWER_CONTRADICTED,
            invoice_id,
            f"{_name(key)}: " + ", ".join(f"{name} {expected[name]}" for name in wrong) + others,
            ", ".join(f"{name} {found.get(name)}" for name in wrong),
        )


def _name(key: CommandKey) -> str:
    return f"command {key[1]} of {key[0]}"
