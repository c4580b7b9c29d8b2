"""What the checker can find, and what each finding means."""

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
        FindingKind.VERSION_GAP: "An invoice's stored events do not count 1, 2, 3, ...",
        FindingKind.EVENT_UNREADABLE: "A stored event cannot be replayed.",
        FindingKind.EVENT_MISLABELLED: "A stored event's row says another thing than its document.",
        FindingKind.EVENT_WITHOUT_ANSWER: "No stored answer accounts for a stored event.",
        FindingKind.STATE_DIFFERS: "The current state is not what the events add up to."
        " `invoicing rebuild` makes it anew.",
        FindingKind.STATE_MISSING: "An invoice has events, but no current state."
        " `invoicing rebuild` makes it anew.",
        FindingKind.STATE_WITHOUT_EVENTS: "An invoice has a current state, but no events.",
        FindingKind.EVENT_MISSING: "A stored event was not published: consumers have lost it.",
        FindingKind.EVENT_REPEATED: "An event was published more than once.",
        FindingKind.EVENT_DIFFERS: "What was published is not what is stored, byte for byte.",
        FindingKind.EVENT_UNKNOWN: "An event was published that is not stored.",
        FindingKind.EVENT_MISPLACED: "An event was published in another partition or under another"
        " key than its invoice's.",
        FindingKind.EVENTS_OUT_OF_ORDER: "An event was published before the one that it follows.",
        FindingKind.ANSWER_CONTRADICTED: "A stored answer says another thing than the events.",
        FindingKind.ANSWER_MISSING: "A command's answer was not published as often as it was due.",
        FindingKind.ANSWER_REPEATED: "An answer was published more often than it was asked for.",
        FindingKind.ANSWER_DIFFERS: "A published answer is not the stored one, byte for byte.",
        FindingKind.ANSWER_UNKNOWN: "An answer was published that is not stored.",
        FindingKind.COMMAND_UNANSWERED: "The group has passed a command by without an answer.",
        FindingKind.COMMAND_NOT_FORWARDED: "The group has passed by a command that another"
        " partition should have got.",
        FindingKind.COMMAND_NOT_SET_ASIDE: "The group has passed an unreadable record by without"
        " a dead letter.",
        FindingKind.DEAD_LETTER_DIFFERS: "A dead letter is not the record that it stands for, or"
        " there is more than one.",
        FindingKind.LANE_FORGOTTEN: "The database knows less of a lane than Kafka was told."
        " `invoicing recover postgres` brings it forward.",
        FindingKind.LOG_TOO_SHORT: "A lane was handled beyond the end of its log."
        " `invoicing recover kafka` brings Kafka forward.",
        FindingKind.OFFSET_GONE: "The group's offset of a lane that was handled is gone."
        " `invoicing recover kafka` sets it again.",
        FindingKind.FEED_DISORDERED: "The feed of all events tells an invoice's in another order.",
        FindingKind.FEED_HIDDEN: "The feed of all events cannot tell some: their transactions are"
        " another cluster's. `invoicing recover feed` mends it.",
        FindingKind.NUMBER_CHANGED: "An invoice's number is not the one that it was given.",
        FindingKind.NUMBER_REPEATED: "Two documents of a seller have one number.",
        FindingKind.NUMBER_SKIPPED: "A seller's numbers have a gap.",
        FindingKind.MESSAGE_UNREADABLE: "A message in a topic of the service is none of its own.",
    }
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken promise: what should be, by the side that is trusted, and what is.

    `invoice_id` is None where no invoice can be named.
    """

    kind: FindingKind
    invoice_id: str | None
    expected: str
    found: str


Report = Callable[[Finding], None]
"""Told every finding as it is made."""

Progress = Callable[[str, int, int], None]
"""Told what is read, how much of it was, and about how much there is."""
