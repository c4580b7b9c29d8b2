"""The story of the demo: each message, what it shows, and what it must lead to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

SELLERS: Final = """
[sellers.acme]
name = "Acme Cloud Inc."
address = { line1 = "1 Market Street", city = "Portland", state = "OR", country = "US" }
payment_terms_days = 30
invoice_numbers = { prefix = "ACME-" }

[sellers.kita]
name = "Kita Books KK"
invoice_numbers = { prefix = "KITA-", yearly = true, padding = 4 }

[sellers.gulf]
name = "Gulf Parts WLL"
invoice_numbers = { prefix = "GP-" }
"""

SOURCE: Final = "/demo"


@dataclass(frozen=True)
class Outcome:
    """What a message led to: `answer` is `accepted`, a refusal's code, or a dead letter's reason.

    `facts` are some of what the last document about it says: the event's, or else the answer's.
    """

    answer: str
    events: Sequence[str] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Scene:
    """One message: `value` is the record as it is sent, `title` names it on the screen."""

    shows: str
    title: str
    invoice_id: str
    value: bytes
    expected: Outcome
    is_repeat: bool = False


def _scene(
    shows: str,
    command_type: str,
    invoice_id: str,
    data: Mapping[str, Any],
    *,
    id: str,  # noqa: A002 (the envelope's own name for it)
    note: str = "",
    expected: Outcome,
    is_repeat: bool = False,
) -> Scene:
    command = {
        "specversion": "1.0",
        "id": id,
        "source": SOURCE,
        "type": command_type,
        "subject": invoice_id,
        "data": data,
    }
    title = f"{command_type} {invoice_id}"
    return Scene(
        shows,
        f"{title}: {note}" if note else title,
        invoice_id,
        orjson.dumps(command),
        expected,
        is_repeat,
    )


def _payment(payment_id: str, amount: str, currency: str) -> dict[str, str]:
    return {"payment_id": payment_id, "amount": amount, "currency": currency}


PRO_PLAN: Final = {
    "description": "Pro plan",
    "quantity": "2",
    "unit_price": "100.00",
    "tax": {"rate": "0.07125"},
}
HANDBOOK: Final = {
    "description": "Handbook",
    "unit_price": "40.00",
    "discount": {"percent_off": "10"},
    "tax": {"rate": "0.02", "category": "books"},
}
INSTALMENT: Final = _payment("pay_1", "100.00", "USD")

LONGEST_INVOICE: Final = "inv_1001"
"""The invoice whose history is shown at the end."""

EARLIER_VERSION: Final = 3
"""And the version that it is shown as of."""

SCENES: Final = (
    _scene(
        "One command makes an invoice, numbers and opens it: two tax rates, a discount.",
        "CreateInvoice",
        "inv_1001",
        {
            "customer_id": "cus_42",
            "seller_id": "acme",
            "currency": "USD",
            "items": [PRO_PLAN, HANDBOOK],
        },
        id="order-77",
        note="Acme Cloud, 2 plans and a book",
        expected=Outcome(
            "accepted",
            ("invoice.created", "invoice.opened"),
            {"invoice_number": "ACME-000001", "state": "open", "total": "250.97"},
        ),
    ),
    _scene(
        "A part of the money arrives. The rest stays due.",
        "RecordPayment",
        "inv_1001",
        INSTALMENT,
        id="bank-1",
        note="USD 100.00",
        expected=Outcome(
            "accepted", ("invoice.payment_recorded",), {"state": "open", "amount_due": "150.97"}
        ),
    ),
    _scene(
        "The same command again, as after a lost connection: the same answer, no event.",
        "RecordPayment",
        "inv_1001",
        INSTALMENT,
        id="bank-1",
        note="the same id, the same body",
        expected=Outcome("accepted", (), {"events": ["invoice.payment_recorded"], "version": 3}),
        is_repeat=True,
    ),
    _scene(
        "The same id with another body is somebody's mistake, and refused.",
        "RecordPayment",
        "inv_1001",
        {**INSTALMENT, "amount": "900.00"},
        id="bank-1",
        note="the same id, USD 900.00",
        expected=Outcome("idempotency_conflict"),
    ),
    _scene(
        "The rest arrives: paid.",
        "RecordPayment",
        "inv_1001",
        _payment("pay_2", "150.97", "USD"),
        id="bank-2",
        note="USD 150.97",
        expected=Outcome(
            "accepted",
            ("invoice.payment_recorded", "invoice.paid"),
            {"state": "paid", "amount_due": "0.00"},
        ),
    ),
    _scene(
        "The customer's bank takes a payment back: the invoice owes again, and can be overdue.",
        "ReturnPayment",
        "inv_1001",
        {"payment_id": "pay_2", "code": "R01"},
        id="bank-2-return",
        note="pay_2, insufficient funds",
        expected=Outcome(
            "accepted",
            ("invoice.payment_returned", "invoice.reopened"),
            {"state": "open", "amount_due": "150.97", "amount_returned": "150.97"},
        ),
    ),
    _scene(
        "Another seller has numbers of his own. Yen have no decimals: half of one is rounded up.",
        "CreateInvoice",
        "inv_2001",
        {
            "customer_id": "cus_7",
            "seller_id": "kita",
            "currency": "JPY",
            "document_date": "2026-11-20",
            "items": [{"description": "Pencil", "unit_price": "15", "tax": {"rate": "0.1"}}],
        },
        id="order-78",
        note="Kita Books, JPY 15 and 10% tax",
        expected=Outcome(
            "accepted",
            ("invoice.created", "invoice.opened"),
            {"invoice_number": "KITA-2026-0001", "total": "17"},
        ),
    ),
    _scene(
        "More money than was due is never turned away. It is shown, and can be refunded.",
        "RecordPayment",
        "inv_2001",
        _payment("pay_3", "20", "JPY"),
        id="bank-3",
        note="JPY 20",
        expected=Outcome(
            "accepted",
            ("invoice.payment_recorded", "invoice.paid", "invoice.overpaid"),
            {"state": "paid", "amount_overpaid": "3"},
        ),
    ),
    _scene(
        "A draft has no number yet. Dinars have three decimals, a unit price may have more.",
        "CreateInvoice",
        "inv_3001",
        {
            "customer_id": "cus_9",
            "seller_id": "gulf",
            "currency": "KWD",
            "state": "draft",
            "items": [
                {
                    "description": "Gasket",
                    "quantity": "3",
                    "unit_price": "1.2345",
                    "tax": {"rate": "0.05"},
                }
            ],
        },
        id="order-79",
        note="Gulf Parts, 3 at KWD 1.2345 and 5% tax, a draft",
        expected=Outcome(
            "accepted",
            ("invoice.created",),
            {"state": "draft", "invoice_number": None, "total": "3.889"},
        ),
    ),
    _scene(
        "Opening it takes the next number of its seller.",
        "OpenInvoice",
        "inv_3001",
        {},
        id="desk-1",
        expected=Outcome(
            "accepted", ("invoice.opened",), {"state": "open", "invoice_number": "GP-000001"}
        ),
    ),
    _scene(
        "A void invoice keeps its number, so that the series has no gap.",
        "VoidInvoice",
        "inv_3001",
        {"reason": "Ordered twice"},
        id="desk-2",
        expected=Outcome(
            "accepted",
            ("invoice.voided",),
            {"state": "void", "invoice_number": "GP-000001", "reason": "Ordered twice"},
        ),
    ),
    _scene(
        "What the state does not allow is refused, with what it would allow.",
        "RecordPayment",
        "inv_3001",
        _payment("pay_4", "3.889", "KWD"),
        id="bank-4",
        note="KWD 3.889, for the void invoice",
        expected=Outcome("illegal_transition", (), {"version": 3, "state": "void"}),
    ),
    _scene(
        "An invalid command is answered with the field to mend: money is a string, no number.",
        "CreateInvoice",
        "inv_1002",
        {
            "customer_id": "cus_42",
            "seller_id": "acme",
            "currency": "USD",
            "items": [{"description": "Pro plan", "unit_price": 100.1}],
        },
        id="order-80",
        note="unit_price 100.1, not in quotes",
        expected=Outcome("invalid_command", (), {"fields": ["items.0.unit_price"]}),
    ),
    Scene(
        "What cannot be read goes to the dead-letter topic, byte for byte.",
        'A broken message: {"id": "order-81", "type": "Crea',
        "inv_1003",
        b'{"id": "order-81", "type": "Crea',
        Outcome("not_json"),
    ),
    _scene(
        "And on it goes. Neither refusals nor broken messages have cost a number.",
        "CreateInvoice",
        "inv_1004",
        {
            "customer_id": "cus_42",
            "seller_id": "acme",
            "currency": "EUR",
            "tax_inclusive": True,
            "items": [{"description": "Hat", "unit_price": "24.99", "tax": {"rate": "0.2"}}],
        },
        id="order-82",
        note="Acme Cloud, EUR 24.99 with 20% tax included",
        expected=Outcome(
            "accepted",
            ("invoice.created", "invoice.opened"),
            {"invoice_number": "ACME-000002", "total": "24.99", "amount_due": "24.99"},
        ),
    ),
)
