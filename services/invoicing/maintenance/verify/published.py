"""One invoice's events as stored and as published: each once, in order, byte for byte."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from invoicing.maintenance.verify.findings import Finding, FindingKind
from invoicing.store.rows import Position


@dataclass(frozen=True, slots=True)
class StoredDigest:
    """A stored event by the digest of its document.

    `due`: the group has committed the offset of its command, so it must have been published.
    `kept`: it is younger than what the topic has lost by retention.
    `lane`: the partition that its command was answered in; None where nothing tells.
    """

    version: int
    digest: bytes
    committed: bool
    retained: bool
    answered: bool
    lane: int | None


@dataclass(frozen=True, slots=True)
class PublishedDigest:
    """A published event by the digest of its value. `is_keyed`: its key is its invoice."""

    version: int
    digest: bytes
    position: Position
    is_keyed: bool


def check_published(
    invoice_id: str,
    stored: Sequence[StoredDigest],
    published: Sequence[PublishedDigest],
    home: int,
    *,
    once: bool,
) -> Iterator[Finding]:
    """All of one invoice's events on both sides, each side by version and then by position.

    `home` is the invoice's own partition. Without `once`, whole events may be repeated.
    """
    by_version = {
        version: list(copies) for version, copies in groupby(published, attrgetter("version"))
    }
    known = {event.version for event in stored}
    for event in stored:
        yield from _check_event(invoice_id, event, by_version, once=once)
        yield from _check_places(invoice_id, event, by_version.get(event.version, []), home)
    for version, copies in by_version.items():
        if version not in known:
            yield Finding(
                FindingKind.EVENT_UNKNOWN,
                invoice_id,
                "not stored",
                f"version {version} at {copies[0].position}",
            )
    yield from _check_order(invoice_id, [copies[0] for copies in by_version.values()])


def _check_event(
    invoice_id: str,
    event: StoredDigest,
    by_version: dict[int, list[PublishedDigest]],
    *,
    once: bool,
) -> Iterator[Finding]:
    said = f"version {event.version} is stored"
    copies = by_version.get(event.version, [])
    if not event.answered:
        found = "no answer that names it"
        yield Finding(FindingKind.EVENT_WITHOUT_ANSWER, invoice_id, said, found)
    if not copies and _is_missing(event, by_version):
        yield Finding(FindingKind.EVENT_MISSING, invoice_id, said, "not in the topic")
    if once and len(copies) > 1:
        found = f"published at {', '.join(str(copy.position) for copy in copies)}"
        yield Finding(FindingKind.EVENT_REPEATED, invoice_id, said, found)
    for copy in copies:
        if copy.digest != event.digest:
            yield Finding(
                FindingKind.EVENT_DIFFERS,
                invoice_id,
                f"{said}, digest {event.digest.hex()}",
                f"{copy.position} has digest {copy.digest.hex()}",
            )


def _check_places(
    invoice_id: str, event: StoredDigest, copies: Sequence[PublishedDigest], home: int
) -> Iterator[Finding]:
    """Where the number of homes was changed, the invoice was at home in its command's lane then."""
    homes = {home, event.lane}
    for copy in copies:
        is_home = event.lane is None or copy.position.partition in homes
        if not (is_home and copy.is_keyed):
            yield Finding(
                FindingKind.EVENT_MISPLACED,
                invoice_id,
                f"version {event.version} in partition {home}, under its invoice as the key",
                f"{copy.position}, under {'its' if copy.is_keyed else 'another'} key",
            )


def _is_missing(event: StoredDigest, by_version: dict[int, list[PublishedDigest]]) -> bool:
    """Whether an event that is not in the topic should be there.

    It may be lost by age, and then so is all before it; or not be published yet, and then so is
    all after it.
    """
    may_be_lost = not event.retained and not any(version < event.version for version in by_version)
    may_come = not event.committed and not any(version > event.version for version in by_version)
    return not (may_be_lost or may_come)


def _check_order(invoice_id: str, firsts: Sequence[PublishedDigest]) -> Iterator[Finding]:
    """Across partitions there is no order: an invoice may have moved when some were added."""
    last: dict[int, PublishedDigest] = {}
    for event in firsts:
        before = last.get(event.position.partition)
        if before is not None and event.position.offset < before.position.offset:
            yield Finding(
                FindingKind.EVENTS_OUT_OF_ORDER,
                invoice_id,
                f"version {before.version} before version {event.version}",
                f"version {before.version} at {before.position},"
                f" version {event.version} at {event.position}",
            )
        last[event.position.partition] = event
