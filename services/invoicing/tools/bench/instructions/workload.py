"""Batches of one kind of command each, with the store that they are handled on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Final

from invoicing.domain.numbering import format_number
from invoicing.domain.sellers import Sellers
from invoicing.store.memory import MemoryStore
from invoicing.tools.bench import load
from invoicing.tools.bench.decided import LANE, recorded
from invoicing.tools.bench.load import Step
from invoicing.worker.batch import BatchHandler
from invoicing.worker.outgoing import OutgoingMessages
from invoicing.worker.records import Record

NOW: Final = datetime(2030, 11, 20, 10, 0, tzinfo=UTC)

_LINES: Final = [load.line(Decimal(price)) for price in ("20.00", "35.50", "100.00")]
_CREATE: Final = load.create(_LINES)
_DRAFT: Final = load.create(_LINES, "draft")
_OPEN: Final[Step] = ("OpenInvoice", {})
_PAYMENT_ID: Final = "5f1c0d9e8b7a46538c2e1f0a9b8c7d6e"
_PAY: Final = load.pay(Decimal("186.60"), _PAYMENT_ID)
_REFUND: Final = {"payment_id": _PAYMENT_ID, "refund_id": "ref_1", "amount": "20.00"}
_CREDIT: Final = {"credit_note_id": "cn_1", "items": [{"id": "1", "quantity": "1"}]}


@dataclass(frozen=True)
class Kind:
    """A command, those that come before it on its invoice, and its share of the mixed load."""

    name: str
    before: Sequence[Step]
    step: Step
    percent: int = 0


KINDS: Final = (
    Kind("create", (), _CREATE, 39),
    Kind("draft", (), _DRAFT, 10),
    Kind("open", (_DRAFT,), _OPEN, 10),
    Kind("open, refused", (_CREATE,), _OPEN, 4),
    Kind("pay", (_CREATE,), _PAY, 33),
    Kind("void", (_CREATE,), ("VoidInvoice", {"reason": "entered twice"}), 4),
    Kind("update", (_CREATE,), ("UpdateInvoice", {"metadata": {"order": _PAYMENT_ID}})),
    Kind("send", (_CREATE,), ("SendInvoice", {"to": "ada@example.com"})),
    Kind("refund", (_CREATE, _PAY), ("RefundPayment", _REFUND)),
    Kind("credit", (_CREATE,), ("IssueCreditNote", _CREDIT)),
)
"""Invoices of three lines. The percentages are those of `load.mixed`."""


@dataclass(frozen=True)
class Batch:
    """Records of one kind, and a handler whose store holds what comes before them."""

    handler: BatchHandler
    records: Sequence[Record]

    async def handle(self) -> OutgoingMessages:
        """Handle the records, once."""
        return await self.handler.handle(self.records, LANE)


async def batch_of(kind: Kind, commands: int) -> Batch:
    """A new batch of so many commands, each for an invoice of its own; always the same."""
    sellers = Sellers()
    store = MemoryStore(partial(format_number, sellers=sellers))
    handler = BatchHandler(store, sellers, lambda: NOW)
    *before, records = (
        recorded(
            [
                load.command(f"inv_{invoice:032x}", step, f"{place:02x}{invoice:030x}")
                for invoice in range(commands)
            ]
        )
        for place, step in enumerate((*kind.before, kind.step))
    )
    for earlier in before:
        await handler.handle(earlier, LANE)
    return Batch(handler, records)
