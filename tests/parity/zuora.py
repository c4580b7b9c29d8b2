"""The rows of Zuora."""

from collections.abc import Mapping, Sequence

from tests.parity.case import A_TEXT, A_TIME, Case, done, given, listed, refused, shown
from tests.parity.lives import INVOICE, SHELF

ALL_OF_THEM = "ids=inv_free&ids=inv_euro&ids=inv_upcoming"

OPERATIONS = (
    shown("Get, GET /invoices/{id}", {"invoice_id": "inv_paid", "state": "paid"}, "paid"),
    done(
        "Update, PATCH /invoices/{id}: sets the given fields, others unchanged",
        "draft",
        "PATCH ",
        {"memo": "New.", "total": "214.25", "customer_id": "cus_42"},
        {"memo": "New."},
    ),
    done(
        "of these: description",
        "upcoming",
        "PATCH ",
        {"description": "Other."},
        {"description": "Other."},
    ),
    done(
        "of these: document date",
        "draft",
        "PATCH ",
        {"document_date": "2026-11-01"},
        {"document_date": "2026-11-01"},
    ),
    done(
        "of these: due date",
        "draft",
        "PATCH ",
        {"due_date": "2099-01-01"},
        {"due_date": "2099-01-01"},
    ),
    done(
        "of these: custom fields",
        "upcoming",
        "PATCH ",
        {"metadata": {"cost_centre": "7"}},
        {"metadata": {"cost_centre": "7"}},
    ),
    Case(
        "Delete, DELETE /invoices/{id}: one that has not been canceled",
        "DELETE /v1/invoices/{invoice_id}",
        status=204,
        life="draft",
    ),
    refused(
        "Delete, DELETE /invoices/{id}: one that has not been canceled",
        "cancelled",
        "DELETE ",
        "illegal_transition",
    ),
    listed("List, GET /invoices", "ids=inv_paid", "paid"),
    given(
        "Create, POST /invoices, for an account",
        {"customer_id": "cus_9"},
        {"customer_id": "cus_9", "total": "214.25"},
    ),
    given("Create may post", {"state": "open"}, {"state": "open", "invoice_number": A_TEXT}),
    done(
        "Create may pay in the same call",
        "with_source",
        "POST /pay",
        {"payments.0.state": "requested"},
    ),
    Case(
        "List items, GET /invoice_items",
        "GET /v1/items?ids=inv_complete",
        {"data.*.id": ["line-1", "2"], "data.0.invoice_id": "inv_complete", "has_more": False},
    ),
    Case(
        "List items, GET /invoice_items",
        "GET /v1/items?ids=inv_complete&sku_id=sku_1",
        {"data.*.id": ["line-1"], "data.0.sku_id": "sku_1", "has_more": False},
    ),
    done("Reverse", "upcoming", "POST /reverse", {"state": "reversed", "amount_due": "0.00"}),
    done(
        "Reverse makes a credit memo for the full amount",
        "upcoming",
        "POST /reverse",
        {"credit_notes.*.amount": ["214.25"], "amount_credited": "214.25"},
    ),
    done("Post", "draft", "POST /open", {"state": "open", "invoice_number": A_TEXT}),
    done("Unpost", "upcoming", "POST /unpost", {"state": "draft", "invoice_number": A_TEXT}),
    done(
        "Email",
        "upcoming",
        "POST /send",
        {"sendings.0.state": "requested", "sendings.0.to": "ada@example.com"},
        {"to": "ada@example.com"},
    ),
    done(
        "Pay with an existing payment method",
        "with_source",
        "POST /pay",
        {"payments.0.source_id": "src_1", "payments.0.amount": "10.00"},
        {"source_id": "src_1", "amount": "10"},
    ),
    done("Cancel, drafts only", "draft", "POST /cancel", {"state": "cancelled"}),
    refused("Cancel, drafts only", "upcoming", "POST /cancel", "illegal_transition"),
    done("Write off", "upcoming", "POST /write-off", {"state": "uncollectible"}),
    done("Take a write-off back", "uncollectible", "POST /reinstate", {"state": "open"}),
    done(
        "A credit memo is voided",
        "credited",
        "POST /void-credit-note",
        {"amount_credited": "0.00", "credit_notes.0.void_reason": "Wrong."},
        {"credit_note_id": "cn_1", "reason": "Wrong."},
    ),
    done("The amounts of an earlier release are restated", "paid", "POST /restate", {}),
)
LISTS = (
    listed(
        "cursor",
        f"{ALL_OF_THEM}&sort=total.asc&after={{end_cursor}}",
        "euro",
        "upcoming",
        first=f"/v1/invoices?{ALL_OF_THEM}&sort=total.asc&limit=1",
    ),
    Case("cursor", "GET /v1/invoices?after=nonsense", {"code": "invalid_cursor"}, 400),
    Case("page_size (1 to 99)", "GET /v1/invoices?limit=99"),
    Case("page_size (1 to 99)", "GET /v1/invoices?limit=0", {"code": "invalid_query"}, 400),
    listed("filter[]", f"{ALL_OF_THEM}&total[gt]=0.00&total[lt]=100", "euro"),
    listed("filter[]", f"application_id={SHELF}&metadata[campaign]=autumn", "euro"),
    Case("filter[]", "GET /v1/invoices?live_mode=false", {"data": []}),
    listed("sort[]", f"{ALL_OF_THEM}&sort=total.asc", "free", "euro", "upcoming"),
    listed("sort[]", f"{ALL_OF_THEM}&sort=total.desc", "upcoming", "euro", "free"),
    listed(
        "sort[]", f"{ALL_OF_THEM}&sort=due_date.asc&sort=total.desc", "upcoming", "euro", "free"
    ),
    shown("expand[]", {"events.*.version": [1, 2]}, "upcoming", ask="?expand=events"),
    shown(
        "expand[]",
        {
            "available_commands": [
                "UpdateInvoice",
                "ArchiveInvoice",
                "RestoreInvoice",
                "RecordInvoiceSent",
                "RecordInvoiceSendFailure",
            ]
        },
        "void",
        ask="?expand=available_commands",
    ),
    Case(
        "fields[]",
        "GET /v1/invoices?ids=inv_free&fields=invoice_id,total",
        {"data": [{"invoice_id": "inv_free", "total": "0.00"}]},
    ),
    Case(
        "an empty array when there are no more",
        f"GET /v1/invoices?{ALL_OF_THEM}&after={{end_cursor}}",
        {"data": [], "has_more": False},
        first=f"/v1/invoices?{ALL_OF_THEM}",
    ),
    *(
        Case(
            "idempotency key on writes",
            "POST /v1/invoices",
            shows,
            status,
            body={**INVOICE, "memo": memo},
            headers={"Idempotency-Key": "once"},
        )
        for memo, status, shows in (
            ("This.", 201, {"version": 2}),
            ("This.", 201, {"version": 2}),
            ("Another.", 409, {"code": "idempotency_conflict"}),
        )
    ),
)
INVOICE_FIELDS = (
    shown("state draft", {"state": "draft"}, "draft"),
    shown("state posted", {"state": "open"}, "upcoming"),
    shown("state canceled", {"state": "cancelled"}, "cancelled"),
    shown("state canceled", {"state": "void"}, "void"),
    shown("paid", {"state": "paid", "amount_due": "0.00"}, "paid"),
    shown("past_due", {"status": "overdue"}, "overdue"),
    shown("past_due", {"overdue_as_of": "2020-02-01"}, "noticed"),
    shown("state_transitions.posted_time", {"state_transitions.open": A_TIME}, "upcoming"),
    shown("state_transitions.canceled_time", {"state_transitions.cancelled": A_TIME}, "cancelled"),
    shown("state_transitions.canceled_time", {"state_transitions.void": A_TIME}, "void"),
)
RULES = (
    *(
        refused(
            "Reverse is barred where anything was applied or refunded",
            life,
            "POST /reverse",
            "has_payments",
        )
        for life in ("partially_paid", "refunded", "credited")
    ),
    refused(
        "Reverse is barred where the total is negative",
        "below_zero",
        "POST /open",
        "negative_total",
        status=422,
    ),
    refused(
        "Unpost is barred where there are payments",
        "partially_paid",
        "POST /unpost",
        "has_payments",
    ),
    refused(
        "Unpost is barred where there are payments",
        "received",
        "POST /unpost",
        "payment_in_progress",
    ),
    refused(
        "Unpost is barred where there are adjustments, live credit memos or applied credits",
        "credited",
        "POST /unpost",
        "has_payments",
    ),
    done(
        "Write-off leaves a balance of 0",
        "partially_paid",
        "POST /write-off",
        {"amount_due": "0.00", "amount_written_off": "114.25"},
    ),
)
TABLE: Mapping[str, Sequence[Case]] = {
    "Zuora: operations": OPERATIONS,
    "Zuora: list parameters": LISTS,
    "Zuora: the invoice": INVOICE_FIELDS,
    "Zuora: rules": RULES,
}
