"""One command: its records, its stored answer, and the answers that were published."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from invoicing.contracts.replies import RejectionCode
from invoicing.maintenance.verify.findings import Finding, FindingKind
from invoicing.store.rows import CommandKey, Position


@dataclass(frozen=True, slots=True)
class CommandRecord:
    """A record of the commands topic that is this command and no dead letter.

    `due`: the group has committed its offset. `at_home`: it stands where its invoice belongs.
    """

    position: Position
    invoice_id: str
    body_hash: bytes
    digest: bytes
    committed: bool
    at_home: bool


@dataclass(frozen=True, slots=True)
class AnswerDigest:
    """A stored answer by the digest of its document.

    `due` and `kept` as of an event.
    """

    invoice_id: str
    body_hash: bytes
    digest: bytes
    position: Position
    committed: bool
    retained: bool


@dataclass(frozen=True, slots=True)
class PublishedAnswer:
    """A published answer by the digest of its value. `code` is None where it says accepted."""

    invoice_id: str
    code: str | None
    digest: bytes
    position: Position

    @property
    def is_conflict(self) -> bool:
        """Whether it refuses another body under a taken id: such answers are not stored."""
        return self.code == RejectionCode.IDEMPOTENCY_CONFLICT


@dataclass(frozen=True, slots=True)
class CommandCase:
    """All that Kafka and Postgres hold about one command."""

    key: CommandKey
    answer: AnswerDigest | None
    records: Sequence[CommandRecord]
    published: Sequence[PublishedAnswer]


@dataclass(frozen=True, slots=True)
class _Asked:
    """Records that ask for one kind of answer, and the answers of that kind."""

    what: str
    records: Sequence[CommandRecord]
    published: Sequence[PublishedAnswer]


def check_command(case: CommandCase, *, once: bool) -> Iterator[Finding]:
    """Without `once`, answers may be repeated."""
    yield from _check_forwards(case)
    if case.answer is None:
        yield from _check_unanswered(case)
        return
    yield from _check_contents(case, case.answer)
    if case.answer.retained:
        yield from _check_counts(case, case.answer, once=once)


def _check_forwards(case: CommandCase) -> Iterator[Finding]:
    """A record away from home is forwarded, unless the invoice was at home here when it came."""
    arrived = {record.digest for record in case.records if record.at_home}
    for record in case.records:
        was_home = case.answer and case.answer.position.partition == record.position.partition
        if (
            record.committed
            and not record.at_home
            and not was_home
            and record.digest not in arrived
        ):
            yield Finding(
                FindingKind.COMMAND_NOT_FORWARDED,
                record.invoice_id,
                f"{_name(case.key)} forwarded from {record.position}",
                "no such record in another partition",
            )


def _check_unanswered(case: CommandCase) -> Iterator[Finding]:
    for record in case.records:
        if record.committed and record.at_home:
            yield Finding(
                FindingKind.COMMAND_UNANSWERED,
                record.invoice_id,
                f"an answer to {_name(case.key)} at {record.position}",
                "not stored",
            )
    for published in case.published:
        yield Finding(
            FindingKind.ANSWER_UNKNOWN,
            published.invoice_id,
            f"no answer to {_name(case.key)} is stored",
            f"published at {published.position}",
        )


def _check_contents(case: CommandCase, answer: AnswerDigest) -> Iterator[Finding]:
    for published in case.published:
        if published.digest != answer.digest and not published.is_conflict:
            yield Finding(
                FindingKind.ANSWER_DIFFERS,
                answer.invoice_id,
                f"answer to {_name(case.key)}, digest {answer.digest.hex()}",
                f"{published.position} has digest {published.digest.hex()}",
            )


def _check_counts(case: CommandCase, answer: AnswerDigest, *, once: bool) -> Iterator[Finding]:
    """Every record that is handled where it stands gets an answer, a repeat too."""
    same = [record for record in case.records if record.body_hash == answer.body_hash]
    others = [record for record in case.records if record.body_hash != answer.body_hash]
    stored = [published for published in case.published if not published.is_conflict]
    conflicts = [published for published in case.published if published.is_conflict]
    # A log that is younger than the answer tells nothing of how often it was asked for before.
    is_traceable = any(record.position == answer.position for record in case.records)
    for asked in (_Asked("its answer", same, stored), _Asked("a conflict", others, conflicts)):
        least = _least(asked.records)
        if asked.records is same and answer.committed:
            least = max(least, 1)
        most = len(asked.records) if once and is_traceable else None
        yield from _check_count(case.key, answer, asked, least, most)


def _least(records: Sequence[CommandRecord]) -> int:
    due = sum(record.committed and record.at_home for record in records)
    # Where partitions were added, a record that is at home now may have been forwarded then, and
    # its copy stands where it is not at home now.
    return max(0, due - sum(not record.at_home for record in records))


def _check_count(
    key: CommandKey, answer: AnswerDigest, asked: _Asked, least: int, most: int | None
) -> Iterator[Finding]:
    number = len(asked.published)
    found = f"published {number} times"
    if number < least:
        expected = f"{_name(key)}: {asked.what}, at least {least} times"
        yield Finding(FindingKind.ANSWER_MISSING, answer.invoice_id, expected, found)
    if most is not None and number > most:
        places = ", ".join(str(published.position) for published in asked.published)
        expected = f"{_name(key)}: {asked.what}, at most {most} times"
        yield Finding(
            FindingKind.ANSWER_REPEATED, answer.invoice_id, expected, f"{found}: {places}"
        )


@dataclass(frozen=True, slots=True)
class EventOfAnswer:
    """A stored event that an answer names. `state` only of the event whose version it tells."""

    version: int
    type: str
    command_key: CommandKey
    state: str | None


def check_claim(
    key: CommandKey,
    invoice_id: str,
    versions: tuple[int, int] | None,
    claim: Mapping[str, Any],
    events: Sequence[EventOfAnswer],
) -> Iterator[Finding]:
    """A stored answer's `data`, against the events that it names.

    `versions` are the first and last of those that it led to; `events` are these in order, or the
    one at the version that it tells.
    """
    led_to = events if versions else []
    expected: dict[str, object] = {
        "command_source": key[0],
        "command_id": key[1],
        "invoice_id": invoice_id,
        "events": [event.type for event in led_to],
    }
    if versions:
        expected["version"] = versions[1]
        expected["stored versions"] = list(range(versions[0], versions[1] + 1))
    if claim.get("version") is not None:
        expected["state"] = events[-1].state if events else "no such event"
    told = {**claim, "stored versions": [event.version for event in led_to]}
    wrong = [name for name in expected if told.get(name) != expected[name]]
    strangers = [event.version for event in led_to if event.command_key != key]
    if wrong or strangers:
        others = f", versions {strangers} are another command's" if strangers else ""
        yield Finding(
            FindingKind.ANSWER_CONTRADICTED,
            invoice_id,
            f"{_name(key)}: " + ", ".join(f"{name} {expected[name]}" for name in wrong) + others,
            ", ".join(f"{name} {told.get(name)}" for name in wrong),
        )


def _name(key: CommandKey) -> str:
    return f"command {key[1]} of {key[0]}"
