"""Commands as they come in real life: in order and not, repeated, misrouted, broken."""

import random
import zlib
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from invoicing.contracts.commands import COMMANDS
from invoicing.runtime.kafka.topics import partition_of
from tests.support.domain.complete import COMPLETE
from tests.support.service.commands import Sent, create_invoice

SELLERS = ("north", "south", "west")
LIFE_MAX = 8
"""Commands of one invoice after the first."""

ENDINGS = ("DeleteInvoice", "VoidInvoice", "CancelInvoice", "ReverseInvoice")
FOLLOWING = (
    *(name for name in COMMANDS if name not in ("CreateInvoice", *ENDINGS)),
    *("RecordPayment",) * 8,
)
"""Every command that follows, payments most of all. Those that end a life come seldom."""

REQUESTED = {"payment_id": "<requested>"}
"""The payment that PayInvoice requests as the first command of an open invoice."""

# Few, so that they meet: the second payment is the rest of the first, or all over again.
ONE_OF = {
    "payment_id": ("pay_1", "pay_2"),
    "amount": ("14.25", "200.00", "214.25"),
    "settled": (True, False),
    "outcome": ("won", "lost", "withdrawn"),
    "as_of": ("2026-11-01", "2026-11-20"),
}

EXPECTED = ("RecordPayment", {"settled": False})
PENDING = ("RefundPayment", {"settled": False})
STORIES: tuple[tuple[tuple[str, dict[str, Any]], ...], ...] = (
    (EXPECTED, ("RecordPaymentFailure", {}), ("SettlePayment", {})),
    (EXPECTED, ("SettlePayment", {}), ("ReturnPayment", {})),
    (("RecordPayment", {"settled": True}), ("RefundPayment", {"settled": True})),
    (("RecordPayment", {"settled": True}), PENDING, ("SettleRefund", {})),
    (("RecordPayment", {"settled": True}), PENDING, ("RecordRefundFailure", {})),
    (("RecordPayment", {"settled": True}), ("OpenDispute", {}), ("CloseDispute", {})),
    (("PayInvoice", {}), ("RecordPaymentAction", REQUESTED), ("CancelPaymentRequest", REQUESTED)),
    (("IssueCreditNote", {}), ("VoidCreditNote", {})),
    (("WriteOffInvoice", {}), ("ReinstateInvoice", {})),
    (("UnpostInvoice", {}), ("UpdateInvoice", {}), ("OpenInvoice", {})),
)
"""Commands that belong together, some of which happens to no invoice by chance."""


@dataclass
class Load:
    """Makes commands, and remembers which, for each must have its answers."""

    chance: random.Random
    partitions: int
    sent: Counter[tuple[str, str]] = field(default_factory=Counter)
    broken: int = 0
    _lives: list[list[Sent]] = field(default_factory=list)
    _past: list[Sent] = field(default_factory=list)

    def next_record(self) -> tuple[bytes | None, bytes | None, int]:
        """Key, value and partition of the next record; most, but not all, are where they belong."""
        dice = self.chance.random()
        if dice < 0.01:
            self.broken += 1
            return b"broken", self.chance.choice([None, b"", b"[]", b'{"id": NaN}']), 0
        repeated = dice < 0.06 and self._past
        command = self.chance.choice(self._past) if repeated else self._next_command()
        self._past.append(command)
        del self._past[:-500]
        self.sent[command.identity] += 1
        return self._placed(command)

    def _placed(self, command: Sent) -> tuple[bytes | None, bytes, int]:
        dice, key = self.chance.random(), command.subject.encode()
        if dice < 0.05:
            return None, command.value, self.chance.randrange(self.partitions)
        if dice < 0.10:
            return key, command.value, zlib.crc32(key) % self.partitions
        return key, command.value, partition_of(key, self.partitions)

    def _next_command(self) -> Sent:
        """The next command of some invoice's life; many lives go on side by side."""
        if len(self._lives) < 200:
            self._lives.append(self._life())
        life = self.chance.choice(self._lives)
        command = life.pop(0)
        if not life:
            self._lives.remove(life)
        return command

    def _life(self) -> list[Sent]:
        subject = f"inv_{self._new_id()}"
        create = create_invoice(
            subject,
            seller_id=self.chance.choice(SELLERS),
            state=self.chance.choice(["open", "open", "draft"]),
            source_id="src_1",
            document_date="2026-11-01",
            due_date=self.chance.choice(["2026-11-10", "2026-12-20"]),
        )
        count = self.chance.randrange(LIFE_MAX + 1)
        life = [create]
        while len(life) < count:
            life += self._story(subject) if self.chance.random() < 0.5 else [self._any(subject)]
        if self.chance.random() < 0.1:  # somebody was faster than the one who creates
            life[0], life[-1] = life[-1], life[0]
        return [replace(command, id=self._new_id()) for command in life]

    def _story(self, subject: str) -> list[Sent]:
        """Commands that belong together, about one payment."""
        payment_id = self.chance.choice(ONE_OF["payment_id"])
        return [
            self._command(name, subject, {"payment_id": payment_id} | data)
            for name, data in self.chance.choice(STORIES)
        ]

    def _any(self, subject: str) -> Sent:
        """Any command, with data that may fit what came before."""
        name = self.chance.choice(FOLLOWING if self.chance.random() < 0.95 else ENDINGS)
        return self._command(name, subject, {})

    def _command(self, name: str, subject: str, given: dict[str, Any]) -> Sent:
        data = COMPLETE[name] | {
            field: self.chance.choice(values)
            for field, values in ONE_OF.items()
            if field in COMPLETE[name]
        }
        data |= {field: value for field, value in given.items() if field in data}
        if name == "PayInvoice":
            data = {}
        if name == "IssueCreditNote":
            data = {"credit_note_id": "cn_1", "amount": self.chance.choice(ONE_OF["amount"])}
        if data.get("payment_id") == REQUESTED["payment_id"]:
            data["payment_id"] = f"{subject}-3"
        return Sent(name, subject, data)

    def _new_id(self) -> str:
        return f"{self.chance.getrandbits(64):016x}"
