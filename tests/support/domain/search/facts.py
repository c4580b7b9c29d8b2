"""The facts of an invoice as its accepted commands state them, in cents.

No summary, event or balance is read: what a command says is what happened.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from tests.support.domain import money_model

Data = Mapping[str, Any]

cents = cache(money_model.cents)


class Payment(NamedTuple):
    """What was said of one payment."""

    amount: int
    settled: int = 0
    returned: int = 0


class Refund(NamedTuple):
    """What was said of one refund: pending, settled or failed."""

    payment_id: str
    amount: int
    state: str


class Dispute(NamedTuple):
    """What was said of one dispute: open, or its outcome."""

    payment_id: str
    amount: int
    state: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What was said of an invoice so far."""

    life: str = "none"
    total: int = 0
    was_written_off: bool = False
    notes: Mapping[str, int] = field(default_factory=dict)
    voided_notes: frozenset[str] = frozenset()
    payments: Mapping[str, Payment] = field(default_factory=dict)
    refunds: Mapping[str, Refund] = field(default_factory=dict)
    disputes: Mapping[str, Dispute] = field(default_factory=dict)

    @property
    def credited(self) -> int:
        """The credit notes that stand."""
        return sum(self.notes[note] for note in self.notes.keys() - self.voided_notes)

    @property
    def received(self) -> int:
        """What came, less what went back."""
        return (
            sum(payment.settled - payment.returned for payment in self.payments.values())
            - sum(refund.amount for refund in self.refunds.values() if refund.state == "settled")
            - sum(dispute.amount for dispute in self.disputes.values() if dispute.state == "lost")
        )

    @property
    def owed(self) -> int:
        """What the customer owes of an issued invoice; below zero what he has too much."""
        return self.total - self.credited - self.received

    @property
    def that_count(self) -> tuple[object, ...]:
        """Life, T, C, N and W: by the rules, they alone decide state and amounts."""
        if self.life != "issued":
            return (self.life, self.received)
        return (self.life, self.total, self.credited, self.received, self.was_written_off)

    def left_of(self, payment_id: str) -> int:
        """What is left of a payment to be given back."""
        payment = self.payments[payment_id]
        refunds = (one.amount for one in self.refunds.values() if one.state != "failed"
                   and one.payment_id == payment_id)  # fmt: skip
        disputes = (one.amount for one in self.disputes.values() if one.state in ("open", "lost")
                    and one.payment_id == payment_id)  # fmt: skip
        return payment.settled - payment.returned - sum(refunds) - sum(disputes)

    def after(self, command: str, data: Data, requested_id: str) -> "Facts":
        """The facts once the command was accepted. A write-off lasts until nothing is owed.

        `requested_id` is the one thing that the service adds: the id of a payment it requests.
        """
        facts = EFFECTS[command](self, data | {"requested_id": requested_id})
        if facts.life != "issued" or facts.owed <= 0:
            return replace(facts, was_written_off=False)
        return facts


def _live(life: str) -> Callable[[Facts, Data], Facts]:
    return lambda facts, _data: replace(facts, life=life)


def _created(facts: Facts, data: Data) -> Facts:
    life = "draft" if data.get("state") == "draft" else "issued"
    return replace(_updated(facts, data), life=life)


def _updated(facts: Facts, data: Data) -> Facts:
    return replace(facts, total=sum(cents(item["amount"]) for item in data["items"]))


def _written_off(facts: Facts, _data: Data) -> Facts:
    return replace(facts, was_written_off=True)


def _reinstated(facts: Facts, _data: Data) -> Facts:
    return replace(facts, was_written_off=False)


def _with_payment(facts: Facts, payment_id: str, payment: Payment) -> Facts:
    return replace(facts, payments={**facts.payments, payment_id: payment})


def _requested(facts: Facts, data: Data) -> Facts:
    amount = cents(data["amount"]) if "amount" in data else facts.owed
    return _with_payment(facts, data["requested_id"], Payment(amount))


def _recorded(facts: Facts, data: Data) -> Facts:
    payment_id, amount = data["payment_id"], cents(data["amount"])
    settled = amount if data.get("settled", True) else 0
    return _with_payment(facts, payment_id, Payment(amount, settled))


def _settled(facts: Facts, data: Data) -> Facts:
    payment = facts.payments[data["payment_id"]]
    amount = cents(data["amount"]) if "amount" in data else payment.amount
    return _with_payment(facts, data["payment_id"], Payment(amount, settled=amount))


def _returned(facts: Facts, data: Data) -> Facts:
    payment = facts.payments[data["payment_id"]]
    rest = payment.settled - payment.returned
    amount = cents(data["amount"]) if "amount" in data else rest
    returned = payment._replace(returned=payment.returned + amount)
    return _with_payment(facts, data["payment_id"], returned)


def _with_refund(facts: Facts, data: Data, refund: Refund) -> Facts:
    return replace(facts, refunds={**facts.refunds, data["refund_id"]: refund})


def _refunded(facts: Facts, data: Data) -> Facts:
    is_final = data.get("settled", True) and not data.get("execute")
    state = "settled" if is_final else "pending"
    return _with_refund(facts, data, Refund(data["payment_id"], cents(data["amount"]), state))


def _refund_settled(facts: Facts, data: Data) -> Facts:
    known = facts.refunds.get(data["refund_id"])
    amount = cents(data["amount"]) if "amount" in data else known.amount if known else 0
    return _with_refund(facts, data, Refund(data["payment_id"], amount, "settled"))


def _refund_failed(facts: Facts, data: Data) -> Facts:
    return _with_refund(facts, data, facts.refunds[data["refund_id"]]._replace(state="failed"))


def _dispute_opened(facts: Facts, data: Data) -> Facts:
    dispute = Dispute(data["payment_id"], cents(data["amount"]), "open")
    return replace(facts, disputes={**facts.disputes, data["dispute_id"]: dispute})


def _dispute_closed(facts: Facts, data: Data) -> Facts:
    dispute = facts.disputes[data["dispute_id"]]._replace(state=data["outcome"])
    return replace(facts, disputes={**facts.disputes, data["dispute_id"]: dispute})


def _credited(facts: Facts, data: Data) -> Facts:
    notes = {**facts.notes, data["credit_note_id"]: cents(data["amount"])}
    credited = replace(facts, notes=notes)
    if credited.owed <= 0:
        credited = replace(credited, was_written_off=False)
    if "refund" not in data:
        return credited
    became_overpaid = max(-credited.owed, 0) - max(-facts.owed, 0)
    given = {"amount": str(Decimal(became_overpaid) / 100)}
    return _refunded(credited, given | data["refund"])


def _note_voided(facts: Facts, data: Data) -> Facts:
    return replace(facts, voided_notes=facts.voided_notes | {data["credit_note_id"]})


def _nothing(facts: Facts, _data: Data) -> Facts:
    return facts


EFFECTS: Final[Mapping[str, Callable[[Facts, Data], Facts]]] = MappingProxyType(
    {
        "CreateInvoice": _created,
        "UpdateInvoice": _updated,
        "OpenInvoice": _live("issued"),
        "UnpostInvoice": _live("draft"),
        "VoidInvoice": _live("void"),
        "CancelInvoice": _live("cancelled"),
        "ReverseInvoice": _live("reversed"),
        "DeleteInvoice": _live("deleted"),
        "WriteOffInvoice": _written_off,
        "ReinstateInvoice": _reinstated,
        "PayInvoice": _requested,
        "CancelPaymentRequest": _nothing,
        "RecordPaymentAction": _nothing,
        "RecordPayment": _recorded,
        "SettlePayment": _settled,
        "RecordPaymentFailure": _nothing,
        "ReturnPayment": _returned,
        "OpenDispute": _dispute_opened,
        "CloseDispute": _dispute_closed,
        "RefundPayment": _refunded,
        "SettleRefund": _refund_settled,
        "RecordRefundFailure": _refund_failed,
        "IssueCreditNote": _credited,
        "VoidCreditNote": _note_voided,
    }
)
"""What each command that is about money or the invoice's life says."""
