"""For each command, data with every field there is: what hostile values are put into."""

from typing import Any

TAX = {"rate": "0.2", "amount": "34.49", "category": "standard"}
TAX_ON_FEE = TAX | {"amount": "0.20"}
TAX_ON_SHIPPING = TAX | {"amount": "0.98"}
ADDRESS = {
    "line1": "Main Street 1",
    "line2": "Door 2",
    "city": "Graz",
    "postal_code": "8010",
    "state": "Styria",
    "country": "AT",
}
PARTY = {
    "name": "Ada",
    "phone": "+43 1",
    "email": "ada@example.com",
    "organization": "Analytical Engines",
    "title": "Countess",
    "address": ADDRESS,
    "neighborhood": "Old town",
    "division": "Mills",
    "phonetic_name": "Ay-da",
}
SUBSCRIPTION = {
    "subscription_id": "sub_1",
    "plan_id": "plan_1",
    "billing_agreement_id": "agr_1",
    "free_trial": False,
    "auto_renewal": True,
    "terms": "Monthly",
    "start_time": "2026-11-01T00:00:00Z",
    "end_time": "2026-12-01T00:00:00+02:00",
}
ITEM = {
    "id": "line-1",
    "sku_id": "sku_1",
    "description": "Pro plan",
    "quantity": "2",
    "unit_price": "100.00",
    "discount": {"percent_off": "10", "amount_off": "5.00"},
    "tax": TAX,
    "fees": [
        {"type": "recycling", "amount": "1.00", "tax": TAX_ON_FEE},
        {"type": "deposit", "per_unit_amount": "0.25"},
    ],
    "duties": {"amount": "2.00"},
    "importer_tax": {"amount": "3.00"},
    "subscription": SUBSCRIPTION,
    "metadata": {"shelf": "12"},
}
TAX_IDENTIFIER = {
    "type": "eu_vat",
    "value": "ATU12345678",
    "state": "verified",
    "verified_name": "Ada",
    "verified_address": "Graz",
}
PARTICULARS = {
    "customer_id": "cus_1",
    "items": [ITEM, {"amount": "50.00"}],
    "email": "ada@example.com",
    "description": "For November",
    "memo": "Thank you",
    "locale": "de-AT",
    "customer_type": "business",
    "charge_type": "moto",
    "ship_to": PARTY,
    "bill_to": PARTY,
    "discount": {"percent_off": "1", "amount_off": "1.00"},
    "shipping": {"amount": "4.90", "tax": TAX_ON_SHIPPING},
    "tax_inclusive": False,
    "tax_identifiers": [TAX_IDENTIFIER],
    "document_date": "2026-11-20",
    "due_date": "2026-12-20",
    "collection_period_days": 30,
    "billing_optimization": True,
    "exclude_from_autopay": False,
    "source_id": "src_1",
    "metadata": {"project": "7"},
    "upstream_id": "up_1",
    "application_id": "app_1",
    "order_id": "ord_1",
    "importer_of_record_tax": True,
    "live_mode": True,
}
REASON = {"reason": "Because"}

COMPLETE: dict[str, dict[str, Any]] = {
    "CreateInvoice": PARTICULARS | {"currency": "USD", "state": "open", "seller_id": "default"},
    "UpdateInvoice": PARTICULARS,
    "DeleteInvoice": {},
    "OpenInvoice": {},
    "UnpostInvoice": REASON,
    "VoidInvoice": REASON,
    "CancelInvoice": REASON,
    "ReverseInvoice": {"document_date": "2026-11-20"} | REASON,
    "WriteOffInvoice": REASON,
    "ReinstateInvoice": REASON,
    "RestateInvoice": {},
    "PayInvoice": {"source_id": "src_1", "amount": "10.00"},
    "RecordPayment": {
        "payment_id": "pay_1",
        "amount": "10.00",
        "currency": "USD",
        "received_at": "2026-11-20T10:00:00Z",
        "method": "card",
        "source_id": "src_1",
        "settled": True,
    },
    "CancelPaymentRequest": {"payment_id": "pay_1"} | REASON,
    "RecordPaymentAction": {
        "payment_id": "pay_1",
        "code": "authentication_required",
        "url": "https://pay.example/confirm/7",
    },
    "SettlePayment": {"payment_id": "pay_1", "amount": "9.50"},
    "RecordPaymentFailure": {
        "payment_id": "pay_1",
        "code": "declined",
        "message": "No money",
        "next_attempt_at": "2026-11-21T10:00:00Z",
    },
    "RefundPayment": {
        "payment_id": "pay_1",
        "refund_id": "ref_1",
        "amount": "1.00",
        "currency": "USD",
        "settled": True,
        "execute": False,
    }
    | REASON,
    "SettleRefund": {
        "payment_id": "pay_1",
        "refund_id": "ref_1",
        "amount": "1.00",
        "settled_at": "2026-11-20T10:00:00Z",
    },
    "RecordRefundFailure": {
        "payment_id": "pay_1",
        "refund_id": "ref_1",
        "code": "account_closed",
        "message": "No such account",
    },
    "ReturnPayment": {
        "payment_id": "pay_1",
        "return_id": "ret_1",
        "amount": "10.00",
        "code": "R01",
        "fee": "4.00",
    },
    "OpenDispute": {
        "payment_id": "pay_1",
        "dispute_id": "dis_1",
        "amount": "10.00",
        "evidence_due_at": "2026-12-04T10:00:00Z",
    }
    | REASON,
    "CloseDispute": {"dispute_id": "dis_1", "outcome": "lost", "fee": "15.00"},
    "IssueCreditNote": {
        "credit_note_id": "cn_1",
        "currency": "USD",
        "items": [{"id": "line-1", "quantity": "1"}, {"id": "2", "amount": "1.00"}],
        "shipping": True,
        "document_date": "2026-11-20",
        "refund": {
            "payment_id": "pay_1",
            "refund_id": "ref_1",
            "amount": "1.00",
            "settled": False,
            "execute": True,
        },
    }
    | REASON,
    "VoidCreditNote": {"credit_note_id": "cn_1"} | REASON,
    "AttachSource": {
        "source_id": "src_1",
        "type": "creditCard",
        "details": {"brand": "Visa", "expirationYear": 2030, "owner": {"verified": True}},
    },
    "DetachSource": {"source_id": "src_1"},
    "ArchiveInvoice": {},
    "RestoreInvoice": {},
    "SendInvoice": {"to": "ada@example.com", "message": "Hello"},
    "RecordInvoiceSent": {"send_id": "send_1", "to": "ada@example.com"},
    "RecordInvoiceSendFailure": {
        "send_id": "send_1",
        "code": "mailbox_unknown",
        "message": "Nobody there",
    },
    "MarkInvoiceOverdue": {"as_of": "2026-12-21"},
}
