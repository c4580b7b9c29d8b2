"""An independent model of an invoice's life: the design's table in plain words, amounts in cents.

It knows nothing of documents, tax or JSON; it says which events a command leads to, or which codes
it may be refused with. An accepted command is posted to the invoice's books; state and amounts are
read from their balances.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.support.domain.books import REVENUE
from tests.support.domain.money_model import MoneyModel, cents

Outcome = list[str] | set[str]
"""Events in order where accepted; where refused, the codes that would be right."""


@dataclass
class Model(MoneyModel):
    """One invoice in dollars, without tax."""

    total: int = 0
    items: int = 0
    numbered: bool = False
    archived: bool = False
    due_date: str = ""
    texts: dict[str, Any] = field(default_factory=dict)
    credits: dict[str, int] = field(default_factory=dict)
    void_credits: set[str] = field(default_factory=set)
    detached: set[str] = field(default_factory=set)
    sendings: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sent: bool = False
    """Or about to be."""

    def handle(self, command: str, data: dict[str, Any]) -> Outcome:
        """What the command leads to. Where it is accepted, the model has moved on."""
        if command == "CreateInvoice":
            return {"invoice_already_exists"} if self.state else self._counted(self._create(data))
        if self.state in (None, "deleted"):
            return {"invoice_not_found"}
        if self.state not in STATES_OF[command]:
            return {"illegal_transition"}
        refusals = set(getattr(self, f"_refuse_{_snake_case(command)}", _no_refusal)(data))
        if refusals:
            return refusals
        return self._counted(getattr(self, f"_{_snake_case(command)}")(data))

    def _counted(self, outcome: Outcome) -> Outcome:
        self.books.check()
        if isinstance(outcome, list):
            self.events += len(outcome)
        return outcome

    def _create(self, data: dict[str, Any]) -> Outcome:
        total = sum(cents(item["amount"]) for item in data["items"])
        if data.get("state") != "draft" and not data["items"]:
            return {"no_items"}
        self.total, self.items = total, len(data["items"])
        self.life, self.due_date = "draft", data["due_date"]
        if "source_id" in data:
            self.sources[data["source_id"]] = None
        self.texts = {"email": data.get("email"), "memo": data.get("memo")}
        if data.get("state") == "draft":
            return ["created"]
        return ["created", *self._open_invoice({})]

    def _update_invoice(self, data: dict[str, Any]) -> list[str]:
        before = (self.texts, self.total, self.items)
        self.texts = self.texts | {k: v for k, v in data.items() if k != "items"}
        if "items" in data:
            self.total = sum(cents(item["amount"]) for item in data["items"])
            self.items = len(data["items"])
        return ["updated"] if (self.texts, self.total, self.items) != before else []

    def _refuse_update_invoice(self, data: dict[str, Any]) -> Iterator[str]:
        if self.state != "draft" and "items" in data:
            yield "illegal_transition"

    def _delete_invoice(self, _data: dict[str, Any]) -> list[str]:
        self.life = "deleted"
        return ["deleted"]

    def _refuse_delete_invoice(self, _data: dict[str, Any]) -> Iterator[str]:
        if self.numbered:
            yield "illegal_transition"

    def _open_invoice(self, _data: dict[str, Any]) -> list[str]:
        return self.followed("opened", self._issue)

    def _issue(self) -> None:
        self.life, self.numbered = "issued", True
        self.books.issue(self.total)

    def _refuse_open_invoice(self, _data: dict[str, Any]) -> Iterator[str]:
        if not self.items:
            yield "no_items"

    def _unpost_invoice(self, _data: dict[str, Any]) -> list[str]:
        self.life, self.overdue = "draft", False
        return self.followed("unposted", self.books.withdraw)

    def _void_invoice(self, _data: dict[str, Any]) -> list[str]:
        self.life = "void"
        return self.followed("voided", self.books.withdraw)

    def _refuse_void_invoice(self, _data: dict[str, Any]) -> Iterator[str]:
        if self.books.kept > 0:
            yield "has_payments"
        if self.credits.keys() - self.void_credits:
            yield "has_credit_notes"
        yield from self.refuse_in_flight()

    def _cancel_invoice(self, _data: dict[str, Any]) -> list[str]:
        self.life = "cancelled"
        return ["cancelled"]

    def _reverse_invoice(self, _data: dict[str, Any]) -> list[str]:
        self.credits["the whole"] = self.total
        self.life = "reversed"
        self.books.withdraw()
        return ["credited", "reversed"]

    def _refuse_reverse_invoice(self, _data: dict[str, Any]) -> Iterator[str]:
        settled = any(payment.state == "settled" for payment in self.payments.values())
        if settled or self.credits.keys() - self.void_credits:
            yield "has_payments"
        yield from self.refuse_in_flight()

    def _refuse_unpost_invoice(self, _data: dict[str, Any]) -> Iterator[str]:
        if self.payments or self.credits:
            yield "has_payments"
        if self.sent:
            yield "already_sent"
        yield from self.refuse_in_flight()

    def _write_off_invoice(self, _data: dict[str, Any]) -> list[str]:
        self.books.give_up()
        return ["written_off"]

    def _reinstate_invoice(self, _data: dict[str, Any]) -> list[str]:
        self.books.reinstate()
        self.overdue = False
        return ["reinstated", "reopened"]

    def _restate_invoice(self, _data: dict[str, Any]) -> list[str]:
        return []

    def _refuse_write_off_invoice(self, _data: dict[str, Any]) -> Iterator[str]:
        yield from self.refuse_in_flight()

    def _issue_credit_note(self, data: dict[str, Any]) -> list[str]:
        amount = cents(data["amount"])
        refund = self._refund_of_credit(data) if "refund" in data else None
        self.credits[data["credit_note_id"]] = amount

        def credit() -> None:
            self.books.relieve(amount, by=REVENUE)

        if refund is None:
            return self.followed("credited", credit)

        def both() -> None:
            credit()
            self.post_refund(refund)

        credited, *others = self.followed("credited", both)
        return [credited, self.refund_event(refund), *others]

    def _refund_of_credit(self, data: dict[str, Any]) -> dict[str, Any]:
        """The refund, of what the customer would have too much."""
        overpaid = max(cents(data["amount"]) - self.payable, 0)
        return {"amount": f"{overpaid / 100:.2f}", **data["refund"]}

    def _refuse_issue_credit_note(self, data: dict[str, Any]) -> Iterator[str]:
        if cents(data["amount"]) > self.books.billed:
            yield "amount_exceeds_balance"
        if "refund" in data:
            refund = self._refund_of_credit(data)
            if not cents(refund["amount"]):
                yield "amount_exceeds_balance"
            yield from self.refuse_refund_payment(refund)
        if data["credit_note_id"] in self.credits:
            yield "duplicate_credit_note"

    def _void_credit_note(self, data: dict[str, Any]) -> list[str]:
        credit_note_id = data["credit_note_id"]
        if credit_note_id in self.void_credits:
            return []
        self.void_credits.add(credit_note_id)
        amount = self.credits[credit_note_id]
        return self.followed("credit_note_voided", lambda: self.books.charge(amount, to=REVENUE))

    def _refuse_void_credit_note(self, data: dict[str, Any]) -> Iterator[str]:
        if data["credit_note_id"] not in self.credits:
            yield "unknown_credit_note"

    def _attach_source(self, data: dict[str, Any]) -> list[str]:
        if self.sources.get(data["source_id"]) == data["type"]:
            return []
        # At the end: a charge takes the last source by default.
        self.sources.pop(data["source_id"], None)
        self.sources[data["source_id"]] = data["type"]
        self.detached.discard(data["source_id"])
        return ["source_attached"]

    def _detach_source(self, data: dict[str, Any]) -> list[str]:
        if data["source_id"] in self.detached:
            return []
        del self.sources[data["source_id"]]
        self.detached.add(data["source_id"])
        return ["source_detached"]

    def _refuse_detach_source(self, data: dict[str, Any]) -> Iterator[str]:
        if data["source_id"] not in self.sources and data["source_id"] not in self.detached:
            yield "unknown_source"
        if data["source_id"] in self.sources and any(
            payment.state in ("requested", "received") and payment.source == data["source_id"]
            for payment in self.payments.values()
        ):
            yield "payment_in_progress"

    def _refuse_attach_source(self, data: dict[str, Any]) -> Iterator[str]:
        if self.sources.get(data["source_id"], data["type"]) != data["type"]:
            yield "duplicate_source"

    def _archive_invoice(self, _data: dict[str, Any]) -> list[str]:
        was, self.archived = self.archived, True
        return [] if was else ["archived"]

    def _restore_invoice(self, _data: dict[str, Any]) -> list[str]:
        was, self.archived = self.archived, False
        return ["restored"] if was else []

    def _send_invoice(self, data: dict[str, Any]) -> list[str]:
        wanted = ("requested", data.get("to") or self.texts["email"])
        if wanted in self.sendings.values():
            return []
        self.sendings[f"{self.invoice_id}-{self.events + 1}"] = wanted
        self.sent = True
        return ["send_requested"]

    def _refuse_send_invoice(self, data: dict[str, Any]) -> Iterator[str]:
        if not (data.get("to") or self.texts["email"]):
            yield "no_recipient"

    def _record_invoice_sent(self, data: dict[str, Any]) -> list[str]:
        self.sent = True
        return self._reported(data["send_id"], ("sent", data["to"]))

    def _record_invoice_send_failure(self, data: dict[str, Any]) -> list[str]:
        return self._reported(data["send_id"], ("failed", data["code"]))

    def _reported(self, send_id: str, report: tuple[str, str]) -> list[str]:
        if self.sendings.get(send_id) == report:
            return []
        self.sendings[send_id] = report
        return ["sent" if report[0] == "sent" else "send_failed"]

    def _mark_invoice_overdue(self, _data: dict[str, Any]) -> list[str]:
        was, self.overdue = self.overdue, True
        return [] if was else ["overdue"]

    def _refuse_mark_invoice_overdue(self, data: dict[str, Any]) -> Iterator[str]:
        if not self.overdue and data["as_of"] <= self.due_date:
            yield "not_past_due"


def _snake_case(command: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", command).lower()


def _no_refusal(_data: dict[str, Any]) -> Iterator[str]:
    yield from ()


ALIVE = {"draft", "open", "paid", "uncollectible", "void", "cancelled", "reversed"}

STATES_OF: dict[str, set[str]] = {
    "UpdateInvoice": {"draft", "open", "paid", "uncollectible", "void", "reversed"},
    "DeleteInvoice": {"draft"},
    "OpenInvoice": {"draft"},
    "UnpostInvoice": {"open"},
    "VoidInvoice": {"open", "uncollectible"},
    "CancelInvoice": {"draft"},
    "ReverseInvoice": {"open"},
    "WriteOffInvoice": {"open"},
    "ReinstateInvoice": {"uncollectible"},
    "RestateInvoice": ALIVE,
    "PayInvoice": {"open", "uncollectible"},
    **dict.fromkeys(
        (
            "CancelPaymentRequest",
            "RecordPaymentAction",
            "RecordPayment",
            "SettlePayment",
            "RecordPaymentFailure",
            "ReturnPayment",
            "OpenDispute",
            "CloseDispute",
            "RefundPayment",
            "SettleRefund",
            "RecordRefundFailure",
        ),
        ALIVE,
    ),
    "IssueCreditNote": {"open", "paid", "uncollectible"},
    "VoidCreditNote": {"open", "paid", "uncollectible"},
    "AttachSource": {"draft", "open", "uncollectible"},
    "DetachSource": {"draft", "open", "uncollectible"},
    "ArchiveInvoice": ALIVE,
    "RestoreInvoice": ALIVE,
    "SendInvoice": {"open", "paid", "uncollectible"},
    "RecordInvoiceSent": ALIVE,
    "RecordInvoiceSendFailure": ALIVE,
    "MarkInvoiceOverdue": {"open"},
}
"""From which states a command is taken: the table of the design, section 4."""
