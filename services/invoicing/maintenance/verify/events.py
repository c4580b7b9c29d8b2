"""Check one invoice's events, stored against published: each once, in order, byte for byte."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import attrgetter

from invoicing.maintenance.verify.findings import Finding, FindingKind
from invoicing.store.rows import Position


@dataclass(frozen=True, slots=True)
class StoredDigest:
    """A stored event, by the digest of its document.

    `committed`: the group has committed its command's offset, so it must have been published.
    `retained`: it is too young for the topic to have lost it.
    `has_reply`: a stored reply covers it. `lane`: the partition of the command that was replied to.
    """

    version: int
    digest: bytes
    committed: bool
    retained: bool
    has_reply: bool
    lane: int | None


@dataclass(frozen=True, slots=True)
class PublishedDigest:
    """A published event, by the digest of its value. `is_keyed`: its key is its invoice's id."""

    version: int
    digest: bytes
    position: Position
    is_keyed: bool


def check_events(
    invoice_id: str,
    stored: Sequence[StoredDigest],
    published: Sequence[PublishedDigest],
    partition: int,
    *,
    once: bool,
) -> Iterator[Finding]:
    """Compare all of one invoice's events, each side sorted by version and then by position.

    `partition` is the one that the invoice is routed to. Without `once`, events may be repeated.
    """
    finding = partial(Finding, invoice_id=invoice_id)
    by_version = {
        version: list(copies) for version, copies in groupby(published, attrgetter("version"))
    }
    first, last = min(by_version, default=math.inf), max(by_version, default=0)
    for event in stored:
        copies = by_version.pop(event.version, [])
        # Retention removes events from the start; events still to be published are at the end.
        may_be_lost = not event.retained and event.version < first
        may_come = not event.committed and event.version > last
        if not copies and not may_be_lost and not may_come:
            said = f"version {event.version} is stored"
            yield finding(FindingKind.EVENT_MISSING, expected=said, found="not in the topic")
        yield from _check_copies(invoice_id, event, copies, partition, once=once)
    for version, copies in by_version.items():
        found = f"version {version} at {copies[0].position}"
        yield finding(FindingKind.EVENT_UNKNOWN, expected="not stored", found=found)
    yield from _check_order(invoice_id, published)


def _check_copies(
    invoice_id: str,
    event: StoredDigest,
    copies: Sequence[PublishedDigest],
    partition: int,
    *,
    once: bool,
) -> Iterator[Finding]:
    finding = partial(Finding, invoice_id=invoice_id)
    said = f"version {event.version} is stored"
    if not event.has_reply:
        found = "no reply that covers it"
        yield finding(FindingKind.EVENT_WITHOUT_ANSWER, expected=said, found=found)
    if once and len(copies) > 1:
        found = f"published at {', '.join(str(copy.position) for copy in copies)}"
        yield finding(FindingKind.EVENT_REPEATED, expected=said, found=found)
    for copy in copies:
        if copy.digest != event.digest:
            yield finding(
                FindingKind.EVENT_DIFFERS,
                expected=f"{said}, digest {event.digest.hex()}",
                found=f"{copy.position} has digest {copy.digest.hex()}",
            )
        # Before partitions were added, the invoice was routed to the partition of its command.
        is_routed = event.lane is None or copy.position.partition in (partition, event.lane)
        if not (is_routed and copy.is_keyed):
            yield finding(
                FindingKind.EVENT_MISPLACED,
                expected=f"version {event.version} in partition {partition}, keyed by its invoice",
                found=f"{copy.position}, "
                + ("keyed by its invoice" if copy.is_keyed else "with another key"),
            )


def _check_order(invoice_id: str, published: Sequence[PublishedDigest]) -> Iterator[Finding]:
    """Check the first copy of each version, within partitions: across them there is no order."""
    latest: dict[int, PublishedDigest] = {}
    for _, copies in groupby(published, attrgetter("version")):
        event = next(copies)
        before = latest.get(event.position.partition)
        if before is not None and event.position.offset < before.position.offset:
            yield Finding(
                FindingKind.EVENTS_OUT_OF_ORDER,
                invoice_id,
                f"version {before.version} before version {event.version}",
                f"version {before.version} at {before.position},"
                f" version {event.version} at {event.position}",
            )
        latest[event.position.partition] = event
