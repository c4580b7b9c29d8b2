"""Examples of requests and responses for the OpenAPI document.

Responses with an invoice are generated: `invoicing.tools.schemas` has the service process the
request of `createInvoice`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

MADE_PATH: Final = Path(__file__).with_name("examples.json")

REQUESTS: Final[Mapping[str, Any]] = {
    "createInvoice": {
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
    },
    "updateInvoice": {"memo": "Thank you."},
    "updateInvoiceByPost": {"memo": "Thank you."},
    "attachSource": {"type": "creditCard", "details": {"brand": "Visa", "lastFourDigits": "1111"}},
    "unpostInvoice": {"reason": "The hours were wrong."},
    "voidInvoice": {"reason": "Made twice."},
    "cancelInvoice": {"reason": "The workshop did not take place."},
    "reverseInvoice": {"reason": "Delivered to the wrong customer."},
    "writeOffInvoice": {"reason": "The collection period has passed."},
    "payInvoice": {"source_id": "src_1"},
    "cancelPaymentRequest": {"payment_id": "inv_1001-6"},
    "recordPaymentAction": {"payment_id": "inv_1001-6", "code": "authentication_required"},
    "recordPayment": {"payment_id": "pay_1", "amount": "214.25", "currency": "USD"},
    "settlePayment": {"payment_id": "pay_1"},
    "recordPaymentFailure": {"payment_id": "pay_1", "code": "card_declined"},
    "refundPayment": {"payment_id": "pay_1", "refund_id": "ref_1", "amount": "10.00"},
    "settleRefund": {"payment_id": "pay_1", "refund_id": "ref_1"},
    "recordRefundFailure": {
        "payment_id": "pay_1",
        "refund_id": "ref_1",
        "code": "account_closed",
    },
    "returnPayment": {"payment_id": "pay_1", "return_id": "ret_1", "code": "R01"},
    "openDispute": {"payment_id": "pay_1", "dispute_id": "dis_1", "amount": "10.00"},
    "closeDispute": {"dispute_id": "dis_1", "outcome": "won"},
    "issueCreditNote": {"credit_note_id": "cn_1", "amount": "10.00"},
    "sendInvoice": {"to": "ada@example.com"},
    "giveCommand": {
        "specversion": "1.0",
        "id": "order-77-1",
        "source": "/orders",
        "type": "VoidInvoice",
        "subject": "inv_1001",
        "data": {"reason": "Made twice."},
    },
    "previewCommand": {
        "specversion": "1.0",
        "type": "VoidInvoice",
        "subject": "inv_1001",
        "data": {"reason": "Made twice."},
    },
    "issueToken": {
        "grant_type": "client_credentials",
        "client_id": "shop",
        "client_secret": "made-up",
        "scope": "invoices:read",
    },
}
"""Example request bodies by operation; any other is made from the examples of its fields."""

RESPONSES: Final[Mapping[str, Any]] = {
    **orjson.loads(MADE_PATH.read_bytes()),
    "Pending": {
        "status": "pending",
        "command_id": "order-77-1",
        "command_source": "shop",
        "invoice_id": "inv_1001",
    },
    "AgingReport": {
        "as_of": "2026-12-31",
        "data": [
            {
                "customer_id": "cus_42",
                "currency": "USD",
                "invoices": 2,
                "current": "100.00",
                "days_1_30": "214.25",
                "days_31_60": "0.00",
                "days_61_90": "0.00",
                "days_over_90": "0.00",
                "total": "314.25",
            }
        ],
        "totals": [
            {
                "currency": "USD",
                "invoices": 2,
                "current": "100.00",
                "days_1_30": "214.25",
                "days_31_60": "0.00",
                "days_61_90": "0.00",
                "days_over_90": "0.00",
                "total": "314.25",
            }
        ],
        "has_more": False,
        "end_cursor": "WyJjdXNfNDIiLCJVU0QiXQ",
    },
    "Token": {
        "access_token": "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJzaG9wIn0.c2lnbmF0dXJl",
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": "invoices:read",
    },
    "TokenError": {
        "error": "invalid_client",
        "error_description": "The client is unknown or its secret is wrong.",
    },
    "Health": {"ok": True, "checks": {"kafka": True, "postgres": True}},
}
"""An example response by model."""
