"""Commands as a producer would write them."""

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

SOURCE = "/tests"


@dataclass(frozen=True)
class Sent:
    """One command, and the record that carries it."""

    type: str
    subject: str
    data: dict[str, Any]
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    source: str = SOURCE
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> tuple[str, str]:
        return (self.source, self.id)

    @property
    def value(self) -> bytes:
        envelope = {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "subject": self.subject,
            "time": "2026-11-20T10:00:00Z",
            "datacontenttype": "application/json",
            **self.attributes,
            "data": self.data,
        }
        return json.dumps(envelope).encode()


def invoice_id() -> str:
    return f"inv_{uuid.uuid4().hex[:16]}"


def create_invoice(subject: str, **data: Any) -> Sent:
    """An invoice of 200.00 at 7.125% tax: 214.25."""
    whole = {
        "customer_id": "cus_42",
        "currency": "USD",
        "due_date": "2026-12-20",
        "items": [
            {
                "description": "Pro plan",
                "quantity": "2",
                "unit_price": "100.00",
                "tax": {"rate": "0.07125"},
            }
        ],
    }
    return Sent("CreateInvoice", subject, {**whole, **data})


def open_invoice(subject: str) -> Sent:
    return Sent("OpenInvoice", subject, {})


def void_invoice(subject: str) -> Sent:
    return Sent("VoidInvoice", subject, {"reason": "entered twice"})


def record_payment(subject: str, amount: str = "214.25", **data: Any) -> Sent:
    payment = {"payment_id": uuid.uuid4().hex, "amount": amount, "currency": "USD"}
    return Sent("RecordPayment", subject, {**payment, **data})
