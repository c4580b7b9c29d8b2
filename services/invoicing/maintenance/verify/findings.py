"""What `invoicing verify` can find, and what each finding means."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class FindingKind(StrEnum):
    """A broken promise, by a code that programs may act on."""

    VERSION_GAP = "version_gap"
    EVENT_UNREADABLE = "event_unreadable"
    EVENT_MISLABELLED = "event_mislabelled"
    EVENT_WITHOUT_ANSWER = "event_without_answer"
    STATE_DIFFERS = "state_differs"
    STATE_MISSING = "state_missing"
    STATE_WITHOUT_EVENTS = "state_without_events"
    JOURNAL_DIFFERS = "journal_differs"
    JOURNAL_UNBALANCED = "journal_unbalanced"
    EVENT_MISSING = "event_missing"
    EVENT_REPEATED = "event_repeated"
    EVENT_DIFFERS = "event_differs"
    EVENT_UNKNOWN = "event_unknown"
    EVENT_MISPLACED = "event_misplaced"
    EVENTS_OUT_OF_ORDER = "events_out_of_order"
    ANSWER_CONTRADICTED = "answer_contradicted"
    ANSWER_MISSING = "answer_missing"
    ANSWER_REPEATED = "answer_repeated"
    ANSWER_DIFFERS = "answer_differs"
    ANSWER_UNKNOWN = "answer_unknown"
    COMMAND_UNANSWERED = "command_unanswered"
    COMMAND_NOT_FORWARDED = "command_not_forwarded"
    COMMAND_NOT_SET_ASIDE = "command_not_set_aside"
    DEAD_LETTER_DIFFERS = "dead_letter_differs"
    LANE_FORGOTTEN = "lane_forgotten"
    LOG_TOO_SHORT = "log_too_short"
    OFFSET_GONE = "offset_gone"
    FEED_DISORDERED = "feed_disordered"
    FEED_HIDDEN = "feed_hidden"
    NUMBER_CHANGED = "number_changed"
    NUMBER_REPEATED = "number_repeated"
    NUMBER_SKIPPED = "number_skipped"
    MESSAGE_UNREADABLE = "message_unreadable"


MEANINGS: Final[Mapping[FindingKind, str]] = MappingProxyType(
    {
        FindingKind.VERSION_GAP: "The versions of an invoice's stored events are not 1, 2, 3, ...",
        FindingKind.EVENT_UNREADABLE: "A stored event cannot be replayed.",
        FindingKind.EVENT_MISLABELLED: "A stored event's columns contradict its document.",
        FindingKind.EVENT_WITHOUT_ANSWER: "No stored reply accounts for a stored event.",
        FindingKind.STATE_DIFFERS: "An invoice's current state does not follow from its events."
        " `invoicing rebuild` repairs it.",
        FindingKind.STATE_MISSING: "An invoice has events but no current state."
        " `invoicing rebuild` repairs it.",
        FindingKind.STATE_WITHOUT_EVENTS: "An invoice has a current state but no events.",
        FindingKind.JOURNAL_DIFFERS: "An invoice's amounts contradict the journal of its events.",
        FindingKind.JOURNAL_UNBALANCED: "An event's postings in the journal do not sum to 0.",
        FindingKind.EVENT_MISSING: "A stored event was not published: consumers have lost it.",
        FindingKind.EVENT_REPEATED: "An event was published more than once.",
        FindingKind.EVENT_DIFFERS: "A published event is not the stored one, byte for byte.",
        FindingKind.EVENT_UNKNOWN: "An event was published that is not stored.",
        FindingKind.EVENT_MISPLACED: "An event was published in the wrong partition or with a key"
        " other than its invoice.",
        FindingKind.EVENTS_OUT_OF_ORDER: "An event was published before the one that it follows.",
        FindingKind.ANSWER_CONTRADICTED: "A stored reply contradicts the stored events.",
        FindingKind.ANSWER_MISSING: "A command's reply was published less often than it was due.",
        FindingKind.ANSWER_REPEATED: "A reply was published more often than its command was sent.",
        FindingKind.ANSWER_DIFFERS: "A published reply is not the stored one, byte for byte.",
        FindingKind.ANSWER_UNKNOWN: "A reply was published that is not stored.",
        FindingKind.COMMAND_UNANSWERED: "The group has passed a command without a reply.",
        FindingKind.COMMAND_NOT_FORWARDED: "The group has passed a command that belongs to another"
        " partition without forwarding it.",
        FindingKind.COMMAND_NOT_SET_ASIDE: "The group has passed an unreadable record without a"
        " dead letter.",
        FindingKind.DEAD_LETTER_DIFFERS: "A dead letter is not its record, byte for byte, or a"
        " record has more than one.",
        FindingKind.LANE_FORGOTTEN: "The database is behind the offset that Kafka has for a lane."
        " `invoicing recover postgres` brings it forward.",
        FindingKind.LOG_TOO_SHORT: "A lane's offset is beyond the end of its log."
        " `invoicing recover kafka` brings Kafka forward.",
        FindingKind.OFFSET_GONE: "The group has no offset for a lane that has handled records."
        " `invoicing recover kafka` sets it again.",
        FindingKind.FEED_DISORDERED: "The feed of all events has an invoice's in another order.",
        FindingKind.FEED_HIDDEN: "The feed of all events cannot show some: their transactions are"
        " from another cluster. `invoicing recover feed` repairs it.",
        FindingKind.NUMBER_CHANGED: "An invoice's number is not the one that it was given.",
        FindingKind.NUMBER_REPEATED: "Two documents of a seller have the same number.",
        FindingKind.NUMBER_SKIPPED: "A seller's numbers have a gap.",
        FindingKind.MESSAGE_UNREADABLE: "A message in one of the service's topics was not written"
        " by the service.",
    }
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken promise: what should be, by the side that is trusted, and what is.

    `invoice_id` is None if the invoice is unknown.
    """

    kind: FindingKind
    invoice_id: str | None
    expected: str
    found: str


Report = Callable[[Finding], None]
"""Called with every finding as it is made."""

Progress = Callable[[str, int, int], None]
"""Called with what is read, how much of it has been read, and about how much there is."""
