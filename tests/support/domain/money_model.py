"""The part of the model that is about money: payments, refunds, returns and disputes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.support.domain.books import CASH, DISPUTED, REFUNDS, REFUNDS_ON_THEIR_WAY, Books

Data = dict[str, Any]


def cents(amount: str) -> int:
    """A decimal string of dollars in cents."""
    dollars, _, rest = amount.partition(".")
    return int(dollars) * 100 + int(rest.ljust(2, "0"))


@dataclass
class Part:
    """A refund, return or dispute: a part of a payment that may go back."""

    amount: int
    state: str = "settled"


@dataclass
class Payment:
    """One payment, from the request or report on."""

    amount: int
    state: str
    source: str | None = None
    action: tuple[str, str | None] | None = None
    refunds: dict[str, Part] = field(default_factory=dict)
    returns: dict[str, Part] = field(default_factory=dict)
    disputes: dict[str, Part] = field(default_factory=dict)

    @property
    def left(self) -> int:
        """What we may still give back."""
        return (
            self.amount
            - self.sum(self.refunds, "settled", "pending")
            - self.sum(self.returns, "settled")
            - self.sum(self.disputes, "open", "lost")
        )

    @staticmethod
    def sum(parts: dict[str, Part], *states: str) -> int:
        """The parts in these states."""
        return sum(part.amount for part in parts.values() if part.state in states)


@dataclass
class MoneyModel:
    """An invoice's books and payments."""

    invoice_id: str = "inv_1"
    life: str | None = None
    books: Books = field(default_factory=Books)
    times_paid: int = 0
    overdue: bool = False
    payments: dict[str, Payment] = field(default_factory=dict)
    sources: dict[str, str | None] = field(default_factory=dict)
    events: int = 0

    @property
    def state(self) -> str | None:
        """The life; of an issued invoice, what the books say."""
        if self.life != "issued":
            return self.life
        if self.books.due:
            return "open"
        return "uncollectible" if self.books.given_up else "paid"

    @property
    def is_disputed(self) -> bool:
        """Whether a dispute is open."""
        return any(
            part.state == "open"
            for payment in self.payments.values()
            for part in payment.disputes.values()
        )

    def followed(self, fact: str, post: Callable[[], None]) -> list[str]:
        """Post a command's only fact; the event of it, and all those that follow from it."""
        return [*self.fact(fact, post), *self.superseded()]

    def fact(self, fact: str, post: Callable[[], None]) -> list[str]:
        """Post a fact; the event of it, and those that follow from what it did to the books."""
        state, overpaid = self.state, self.books.overpaid
        post()
        events = [fact]
        if self.state == "paid" and state != "paid":
            self.times_paid += 1
            events.append("paid")
        if self.state == "open" and state in ("paid", "uncollectible"):
            self.overdue = False
            events.append("reopened")
        if self.books.overpaid > overpaid:
            events.append("overpaid")
        return events

    def superseded(self) -> Iterator[str]:
        """Requests for more than may be asked for now are taken back, at the end of a command."""
        for payment in self.payments.values():
            if payment.state == "requested" and payment.amount > self.payable:
                payment.state = "cancelled"
                yield "payment_cancelled"

    @property
    def payable(self) -> int:
        """What a charge may ask for."""
        return self.books.due + self.books.given_up

    def refuse_in_flight(self) -> Iterator[str]:
        """Refuse while a payment may still arrive."""
        if any(payment.state in ("requested", "received") for payment in self.payments.values()):
            yield "payment_in_progress"

    def _pay_invoice(self, data: Data) -> list[str]:
        amount = cents(data["amount"]) if "amount" in data else self.payable
        payment_id = f"{self.invoice_id}-{self.events + 1}"
        while payment_id in self.payments:
            payment_id += "-"
        source = data.get("source_id", list(self.sources)[-1])
        self.payments[payment_id] = Payment(amount, "requested", source)
        return ["payment_requested"]

    def _refuse_pay_invoice(self, data: Data) -> Iterator[str]:
        if not self.payable:
            yield "nothing_to_pay"
        if not self.sources or data.get("source_id", next(iter(self.sources))) not in self.sources:
            yield "unknown_source"
        if "amount" in data and cents(data["amount"]) > self.payable:
            yield "amount_exceeds_balance"
        yield from self.refuse_in_flight()

    def _state_of(self, data: Data) -> str:
        payment = self.payments.get(data["payment_id"])
        return payment.state if payment else "unknown"

    def _refuse_if(self, data: Data, *states: str) -> Iterator[str]:
        if self._state_of(data) in states:
            yield "unknown_payment"

    def _record_payment(self, data: Data) -> list[str]:
        if data.get("settled", True):
            return self._arrived("payment_recorded", data["payment_id"], cents(data["amount"]))
        if self._state_of(data) in ("failed", "cancelled"):
            return []
        known = self.payments.get(data["payment_id"])
        source = known.source if known else None
        self.payments[data["payment_id"]] = Payment(cents(data["amount"]), "received", source)
        return ["payment_recorded"]

    def _refuse_record_payment(self, data: Data) -> Iterator[str]:
        state = self._state_of(data)
        if data.get("currency", "USD") != "USD":
            yield "currency_mismatch"
        if state == "unknown" and self.life != "issued":
            yield "illegal_transition"
        if state == "settled" or (state == "received" and not data.get("settled", True)):
            yield "duplicate_payment"

    def _arrived(self, fact: str, payment_id: str, amount: int) -> list[str]:
        self.payments[payment_id] = Payment(amount, "settled")
        return self.followed(fact, lambda: self.books.relieve(amount, by=CASH))

    def _settle_payment(self, data: Data) -> list[str]:
        expected = self.payments[data["payment_id"]].amount
        amount = cents(data["amount"]) if "amount" in data else expected
        return self._arrived("payment_settled", data["payment_id"], amount)

    def _refuse_settle_payment(self, data: Data) -> Iterator[str]:
        yield from self._refuse_if(data, "unknown", "settled")

    def _record_payment_failure(self, data: Data) -> list[str]:
        return self._given_up(data, "failed", "payment_failed")

    _refuse_record_payment_failure = _refuse_settle_payment

    def _cancel_payment_request(self, data: Data) -> list[str]:
        return self._given_up(data, "cancelled", "payment_cancelled")

    def _refuse_cancel_payment_request(self, data: Data) -> Iterator[str]:
        yield from self._refuse_if(data, "unknown", "settled", "received")

    def _given_up(self, data: Data, state: str, event: str) -> list[str]:
        payment = self.payments[data["payment_id"]]
        if payment.state in ("failed", "cancelled"):
            return []
        payment.state = state
        return [event]

    def _record_payment_action(self, data: Data) -> list[str]:
        payment, action = self.payments[data["payment_id"]], (data["code"], data.get("url"))
        if payment.state != "requested" or payment.action == action:
            return []
        payment.action = action
        return ["payment_action_required"]

    _refuse_record_payment_action = _refuse_cancel_payment_request

    def _of_settled(self, data: Data) -> Iterator[str]:
        if self._state_of(data) != "settled":
            yield "unknown_payment"

    def _return_payment(self, data: Data) -> list[str]:
        payment = self.payments[data["payment_id"]]
        if data.get("return_id") in payment.returns:
            return []
        rest = payment.amount - payment.sum(payment.returns, "settled")
        amount = cents(data["amount"]) if "amount" in data else rest
        payment.returns[data.get("return_id", f"unnamed {len(payment.returns)}")] = Part(amount)
        return self.followed("payment_returned", lambda: self.books.charge(amount, to=CASH))

    def _refuse_return_payment(self, data: Data) -> Iterator[str]:
        yield from self._of_settled(data)
        known = self._find("returns", data.get("return_id", ""))
        if known is not None:
            at, part = known
            same_amount = "amount" not in data or cents(data["amount"]) == part.amount
            if at != data["payment_id"] or not same_amount:
                yield "duplicate_return"
        elif self._state_of(data) == "settled":
            payment = self.payments[data["payment_id"]]
            rest = payment.amount - payment.sum(payment.returns, "settled")
            if not 0 < (cents(data["amount"]) if "amount" in data else rest) <= rest:
                yield "amount_exceeds_balance"

    def _find(self, kind: str, part_id: str) -> tuple[str, Part] | None:
        """The payment that has a part of this id, and the part."""
        for payment_id, payment in self.payments.items():
            if part_id in getattr(payment, kind):
                return payment_id, getattr(payment, kind)[part_id]
        return None

    def _open_dispute(self, data: Data) -> list[str]:
        amount = cents(data["amount"])
        self.payments[data["payment_id"]].disputes[data["dispute_id"]] = Part(amount, "open")
        self.books.post(debit=DISPUTED, credit=CASH, cents=amount)
        return ["dispute_opened"]

    def _refuse_open_dispute(self, data: Data) -> Iterator[str]:
        yield from self._of_settled(data)
        if self._find("disputes", data["dispute_id"]):
            yield "duplicate_dispute"
        if self._state_of(data) == "settled":
            payment = self.payments[data["payment_id"]]
            if payment.sum(payment.disputes, "open", "lost") + cents(data["amount"]) > (
                payment.amount
            ):
                yield "amount_exceeds_balance"

    def _close_dispute(self, data: Data) -> list[str]:
        found = self._find("disputes", data["dispute_id"])
        assert found is not None
        _, dispute = found
        before, dispute.state = dispute.state, data["outcome"]
        if before == dispute.state:
            return []

        def post() -> None:
            if dispute.state == "lost":
                self.books.charge(dispute.amount, to=DISPUTED)
            elif before == "lost":
                self.books.relieve(dispute.amount, by=CASH)
            else:
                self.books.post(debit=CASH, credit=DISPUTED, cents=dispute.amount)

        return self.followed("dispute_closed", post)

    def _refuse_close_dispute(self, data: Data) -> Iterator[str]:
        found = self._find("disputes", data["dispute_id"])
        if found is None:
            yield "unknown_dispute"
        elif (found[1].state, data["outcome"]) != ("lost", "won") and (
            found[1].state not in ("open", data["outcome"])
        ):
            yield "dispute_closed"

    def _refund_payment(self, data: Data) -> list[str]:
        return self.followed(self.refund_event(data), lambda: self.post_refund(data))

    def refund_event(self, data: Data) -> str:
        """A refund that is made, or one that is to be made."""
        pending = data.get("execute") or not data.get("settled", True)
        return "refund_requested" if pending else "payment_refunded"

    def post_refund(self, data: Data) -> None:
        """Post a refund, which is only owed for as long as it is pending."""
        amount, refunds = cents(data["amount"]), self.payments[data["payment_id"]].refunds
        if self.refund_event(data) == "refund_requested":
            refunds[data["refund_id"]] = Part(amount, "pending")
            self.books.post(debit=REFUNDS_ON_THEIR_WAY, credit=REFUNDS, cents=amount)
        else:
            refunds[data["refund_id"]] = Part(amount)
            self.books.charge(amount, to=CASH)

    def refuse_refund_payment(self, data: Data) -> Iterator[str]:
        """Why a refund is refused."""
        yield from self._of_settled(data)
        settled = self._state_of(data) == "settled"
        if settled and cents(data["amount"]) > self.payments[data["payment_id"]].left:
            yield "amount_exceeds_balance"
        if self._find("refunds", data["refund_id"]):
            yield "duplicate_refund"

    _refuse_refund_payment = refuse_refund_payment

    def _settle_refund(self, data: Data) -> list[str]:
        refunds = self.payments[data["payment_id"]].refunds
        known = refunds.get(data["refund_id"])
        amount = cents(data["amount"]) if "amount" in data else known.amount if known else 0
        if known and known.state == "pending":
            self.books.post(debit=REFUNDS, credit=REFUNDS_ON_THEIR_WAY, cents=known.amount)
        refunds[data["refund_id"]] = Part(amount)
        return self.followed("payment_refunded", lambda: self.books.charge(amount, to=CASH))

    def _refuse_settle_refund(self, data: Data) -> Iterator[str]:
        yield from self._of_settled(data)
        found = self._find("refunds", data["refund_id"])
        if found is None and "amount" not in data:
            yield "unknown_refund"
            return
        if found is not None and found[0] != data["payment_id"]:
            yield "duplicate_refund" if "amount" in data else "unknown_refund"
            return
        if found is not None and found[1].state == "settled":
            yield "unknown_refund"
        if self._state_of(data) == "settled":
            payment = self.payments[data["payment_id"]]
            amount = cents(data["amount"]) if "amount" in data else found[1].amount if found else 0
            if payment.sum(payment.refunds, "settled") + amount > payment.amount:
                yield "amount_exceeds_balance"

    def _record_refund_failure(self, data: Data) -> list[str]:
        refund = self.payments[data["payment_id"]].refunds[data["refund_id"]]
        before, refund.state = refund.state, "failed"
        if before == "failed":
            return []
        if before == "pending":
            self.books.post(debit=REFUNDS, credit=REFUNDS_ON_THEIR_WAY, cents=refund.amount)
            return ["refund_failed"]
        return self.followed("refund_failed", lambda: self.books.relieve(refund.amount, by=CASH))

    def _refuse_record_refund_failure(self, data: Data) -> Iterator[str]:
        yield from self._of_settled(data)
        payment = self.payments.get(data["payment_id"])
        if payment is not None and payment.state == "settled":
            unknown = data["refund_id"] not in payment.refunds
            yield from ["unknown_refund"] * unknown
