"""The rows of Digital River."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from tests.parity.case import (
    A_TIME,
    READ_ONLY,
    Case,
    done,
    given,
    listed,
    not_given,
    refused,
    shown,
)
from tests.parity.lives import INVOICE, PAYMENT, REFUND_ID, SHELF
from tests.support.domain.complete import ADDRESS, PARTY, SUBSCRIPTION, TAX_IDENTIFIER
from tests.support.domain.sources import COMMON_DETAILS, DETAILS

OPERATORS = {"eq": True, "gt": False, "gte": True, "lt": False, "lte": True}
"""Whether a value is found by a comparison with itself."""


def compared(row: str, field: str, life: str) -> list[Case]:
    """Each comparison of a field with the value that an invoice has there."""
    return [
        listed(
            row,
            f"ids=inv_{life}&{field}[{operator}]={{{field}}}",
            *([life] if is_found else []),
            first=f"/v1/invoices/inv_{life}",
        )
        for operator, is_found in OPERATORS.items()
    ]


def line(row: str, data: Mapping[str, Any]) -> Case:
    """An invoice whose one line is this shows it there."""
    whole = {"unit_price": "10.00", **data}
    return given(row, {"items": [whole]}, {f"items.0.{name}": data[name] for name in data})


def party(row: str, path: str, value: str, of: Sequence[str] = ("ship_to", "bill_to")) -> Case:
    return shown(row, {f"{name}.{path}": value for name in of})


def attached(row: str, type_: str, details: Mapping[str, Any]) -> Case:
    """A source that is attached shows what is told of it."""
    return done(
        row,
        "upcoming",
        "POST /sources/src_7",
        {"sources.0.source_id": "src_7", "sources.0.type": type_, "sources.0.details": details},
        {"type": type_, "details": details},
    )


def detail(row: str, *names: str) -> Case:
    return attached(row, "creditCard", {name: COMMON_DETAILS[name] for name in names})


def unusable(row: str, why: str) -> Case:
    """A source that cannot be charged for this reason."""
    return refused(row, f"source_{why}", "POST /pay", "source_unusable")


def charged(row: str, shows: Mapping[str, Any], life: str = "received") -> Case:
    return shown(row, {f"payments.0.{name}": value for name, value in shows.items()}, life)


OPERATIONS = (
    listed("List, GET /invoices", "ids=inv_paid", "paid"),
    given("Create, POST /invoices", {}, {"state": "open", "total": "214.25"}),
    shown("Get, GET /invoices/{id}", {"invoice_id": "inv_paid", "status": "paid"}, "paid"),
    done("Update, POST /invoices/{id}", "draft", "POST ", {"memo": "New."}, {"memo": "New."}),
    Case("Delete, DELETE /invoices/{id}", "DELETE /v1/invoices/{invoice_id}", {}, 204, "draft"),
    done("Open, POST /invoices/{id}/open", "draft", "POST /open", {"state": "open"}),
    done("Void, POST /invoices/{id}/void", "upcoming", "POST /void", {"state": "void"}),
    attached("Attach a source", "creditCard", DETAILS["creditCard"]),
    Case(
        "Detach a source",
        "DELETE /v1/invoices/{invoice_id}/sources/src_1",
        status=204,
        life="with_source",
    ),
    given("One-off invoices", {}, {"items.0.subscription": None, "total": "214.25"}),
)
LISTS = (
    Case(
        "hasMore, data[]",
        f"GET /v1/invoices?application_id={SHELF}",
        {"has_more": True, "data.#": 10},
    ),
    listed(
        "endingBefore, startingAfter",
        "ids=inv_free&ids=inv_euro&sort=total.asc&starting_after=inv_free",
        "euro",
    ),
    listed(
        "endingBefore, startingAfter",
        "ids=inv_free&ids=inv_euro&sort=total.asc&ending_before=inv_euro",
        "free",
    ),
    Case("limit (1 to 100, default 10)", "GET /v1/invoices?limit=1", {"data.#": 1}),
    Case("limit (1 to 100, default 10)", "GET /v1/invoices?limit=100"),
    Case(
        "limit (1 to 100, default 10)", f"GET /v1/invoices?application_id={SHELF}", {"data.#": 10}
    ),
    *(
        Case(
            "limit (1 to 100, default 10)",
            f"GET /v1/invoices?limit={limit}",
            {"code": "invalid_query", "errors.*.field": ["limit"]},
            400,
        )
        for limit in (0, 101)
    ),
    listed("ids[]", "ids=inv_free&ids=inv_euro&sort=total.desc", "euro", "free"),
    listed("upstreamIds[]", "upstream_ids=up_7&upstream_ids=up_none", "euro"),
    listed("customerId", "customer_id=cus_7", "euro"),
    listed("applicationId", "application_id=app_1", "complete"),
    listed("currency", f"application_id={SHELF}&currency=EUR", "euro"),
    listed("state", f"application_id={SHELF}&state=uncollectible", "uncollectible"),
    listed("skuId", "sku_id=sku_7", "euro"),
    *compared("eq, gt, gte, lt, lte on createdTime", "created_at", "euro"),
    *compared("the same on updatedTime", "updated_at", "euro"),
    *compared("the same on totalAmount", "total", "euro"),
    *compared("the same on attemptCount", "attempt_count", "failed"),
)
ERRORS = (
    Case("400", "GET /v1/invoices?limt=5", {"code": "invalid_query"}, 400),
    Case("400", "POST /v1/invoices", {"code": "malformed_request"}, 400, body=["no object"]),
    Case(
        "401, 403",
        "GET /v1/invoices",
        {"code": "invalid_token"},
        401,
        headers={"Authorization": ""},
    ),
    Case(
        "401, 403",
        "POST /v1/invoices",
        {"code": "insufficient_scope"},
        403,
        body=INVOICE,
        scopes=READ_ONLY,
    ),
    Case("404", "GET /v1/invoices/inv_unknown", {"code": "invoice_not_found"}, 404),
    refused("404", "deleted", "POST /open", "invoice_not_found", status=404),
    refused("404", "with_source", "POST /pay", "unknown_source", {"source_id": "x"}, 422),
    refused(
        "404",
        "paid",
        "POST /refunds",
        "unknown_payment",
        {"payment_id": "x", "refund_id": "ref_1", "amount": "1"},
        422,
    ),
    Case("405, 406, 408, 429", "PUT /v1/invoices", {"code": "method_not_allowed"}, 405),
    Case(
        "405, 406, 408, 429",
        "GET /v1/invoices",
        {"code": "not_acceptable"},
        406,
        headers={"Accept": "image/png"},
    ),
    refused("409 on writes", "void", "POST /void", "illegal_transition"),
    Case(
        "409 on writes",
        "POST /v1/invoices/{invoice_id}/void",
        {"code": "version_conflict"},
        412,
        "upcoming",
        headers={"If-Match": '"1"'},
    ),
    Case(
        "409 on writes",
        "POST /v1/invoices",
        {"code": "invoice_already_exists"},
        409,
        body={**INVOICE, "invoice_id": "inv_paid"},
    ),
)
CREATE = (
    given("customerId, required", {"customer_id": "cus_9"}),
    not_given("customerId, required", {"customer_id": None}, "customer_id"),
    given("currency, required", {"currency": "EUR"}),
    not_given("currency, required", {"currency": None}, "currency"),
    given("email", {"email": "ada@example.com"}),
    given("sourceId", {"source_id": "src_9"}, {"sources.*.source_id": ["src_9"]}),
    given("state, default open", {"state": "draft"}),
    given("state, default open", {}, {"state": "open"}),
    given("chargeType", {"charge_type": "moto"}),
    given("description", {"description": "For November"}),
    given("locale", {"locale": "de-AT"}),
    given("customerType", {"customer_type": "business"}),
    given("shipTo", {"ship_to": PARTY}),
    given("billTo", {"bill_to": PARTY}),
    given("discount", {"discount": {"amount_off": "20"}}, {"total_discount": "20.00"}),
    given("collectionPeriodDays, default 30", {"collection_period_days": 7}),
    given("collectionPeriodDays, default 30", {}, {"collection_period_days": 30}),
    given("billingOptimization, default true", {"billing_optimization": False}),
    given("billingOptimization, default true", {}, {"billing_optimization": True}),
    given("items[]", {"items": [{"amount": "1"}, {"amount": "2"}]}, {"items.*.id": ["1", "2"]}),
    line("items[].skuId", {"sku_id": "sku_9"}),
    line("items[].subscriptionInfo", {"subscription": {"plan_id": "plan_9"}}),
    line("items[].price", {"unit_price": "12.345"}),
    given("items[].aggregatePrice", {"items": [{"amount": "12.5"}]}, {"items.0.amount": "12.50"}),
    line("items[].quantity", {"quantity": "2.5"}),
    line("items[].discount", {"discount": {"percent_off": "10"}}),
    line("items[].metadata", {"metadata": {"shelf": "12"}}),
    not_given("one of price and aggregatePrice is required", {"items": [{}]}, "items.0.unit_price"),
    not_given(
        "one of price and aggregatePrice is required",
        {"items": [{"unit_price": "1", "amount": "1"}]},
        "items.0.unit_price",
    ),
    given("taxInclusive", {"tax_inclusive": True}, {"tax_inclusive": True, "total": "200.00"}),
    given(
        "taxIdentifiers[id]",
        {"tax_identifiers": [TAX_IDENTIFIER]},
        {f"tax_identifiers.0.{name}": value for name, value in TAX_IDENTIFIER.items()},
    ),
    given("metadata", {"metadata": {"project": "7"}}),
    given("upstreamId", {"upstream_id": "up_9"}),
    given("applicationId", {"application_id": "app_9"}),
)
INVOICE_FIELDS = (
    shown("id", {"invoice_id": "inv_complete"}),
    shown("createdTime", {"created_at": A_TIME}),
    shown("updatedTime", {"updated_at": A_TIME}),
    shown("customerId", {"customer_id": "cus_1"}),
    shown("email", {"email": "ada@example.com"}),
    shown("currency", {"currency": "USD"}),
    shown("description", {"description": "For November"}),
    shown("locale", {"locale": "de-AT"}),
    shown("discount.amountOff", {"discount.amount_off": "1.00"}),
    shown("discount.percentOff", {"discount.percent_off": "1"}),
    shown("customerType", {"customer_type": "business"}),
    shown("sellingEntity.id", {"seller_id": "default", "seller.id": "default"}),
    shown("sellingEntity.name", {"seller.name": "Acme Cloud Inc."}),
    shown("taxIdentifiers[]", {"tax_identifiers.#": 1, "tax_identifiers.0.type": "eu_vat"}),
    shown("subtotal", {"subtotal": "250.00"}),
    shown("totalTax", {"total_tax": "35.67", "tax_groups.#": 1}),
    shown("totalFees", {"total_fees": "1.50"}),
    shown("totalDuty", {"total_duties": "2.00"}),
    shown("totalImporterTax", {"total_importer_tax": "3.00"}),
    shown("importerOfRecordTax", {"importer_of_record_tax": True}),
    shown("totalDiscount", {"total_discount": "28.25"}),
    shown("totalShipping", {"total_shipping": "4.90"}),
    shown("totalAmount", {"total": "268.82"}),
    shown("collectionPeriodDays", {"collection_period_days": 30}),
    shown("items[]", {"items.*.id": ["line-1", "2"]}),
    shown("shipTo", {"ship_to": PARTY}),
    shown("billTo", {"bill_to": PARTY}),
    shown("state", {"state": "open"}),
    shown(
        "stateTransitions (name to time)",
        {"state_transitions": {"draft": A_TIME, "open": A_TIME, "paid": A_TIME}},
        "paid",
    ),
    shown("payment", {"sources.#": 1, "payments.#": 1}, "requested"),
    shown("attemptCount", {"attempt_count": 1}, "failed"),
    shown("metadata", {"metadata": {"project": "7"}}),
    shown("chargeType", {"charge_type": "moto"}),
    shown("applicationId", {"application_id": "app_1"}),
    shown("liveMode", {"live_mode": True}),
    shown("orderId", {"order_id": "ord_1"}),
    shown("upstreamId", {"upstream_id": "up_1"}),
)
TRANSITIONS = (
    shown("activated", {"state_transitions.open": A_TIME}, "upcoming"),
    shown("activatedFree", {"state_transitions.paid": A_TIME}, "free"),
    shown("failed", {"payments.0.updated_at": A_TIME, "payments.0.state": "failed"}, "failed"),
    shown("failed", {"state_transitions.uncollectible": A_TIME}, "uncollectible"),
    shown("cancelled", {"state_transitions.cancelled": A_TIME}, "cancelled"),
    *(
        shown("ended", {f"state_transitions.{state}": A_TIME}, state)
        for state in ("paid", "void", "reversed", "uncollectible")
    ),
)
ITEMS = (
    shown("id", {"items.0.id": "line-1", "items.1.id": "2"}),
    shown("skuId", {"items.0.sku_id": "sku_1"}),
    *(
        shown(f"subscriptionInfo.{there}", {f"items.0.subscription.{here}": SUBSCRIPTION[here]})
        for there, here in {
            "freeTrial": "free_trial",
            "autoRenewal": "auto_renewal",
            "terms": "terms",
            "planId": "plan_id",
            "subscriptionId": "subscription_id",
            "billingAgreementId": "billing_agreement_id",
            "startTime": "start_time",
        }.items()
    ),
    shown("subscriptionInfo.endTime", {"items.0.subscription.end_time": "2026-11-30T22:00:00Z"}),
    shown("fees.details[].id", {"items.0.fees.#": 2}),
    shown("fees.details[].type", {"items.0.fees.*.type": ["recycling", "deposit"]}),
    shown("fees.details[].amount", {"items.0.fees.*.amount": ["1.00", "0.50"]}),
    shown("fees.details[].perUnitAmount", {"items.0.fees.1.per_unit_amount": "0.25"}),
    shown("fees.amount", {"items.0.fees_amount": "1.50"}),
    shown("fees.taxAmount", {"items.0.fees.*.tax_amount": ["0.20", "0.00"]}),
    shown("quantity", {"items.*.quantity": ["2", "1"]}),
    shown("amount", {"items.*.amount": ["200.00", "50.00"]}),
    shown("duties.amount", {"items.0.duties.amount": "2.00", "items.0.duties_amount": "2.00"}),
    shown(
        "importerTax.amount",
        {"items.0.importer_tax.amount": "3.00", "items.0.importer_tax_amount": "3.00"},
    ),
    shown("discount.amountOff", {"items.0.discount.amount_off": "5.00"}),
    shown("discount.percentOff", {"items.0.discount.percent_off": "10"}),
    shown("tax.rate", {"items.0.tax.rate": "0.2"}),
    shown("tax.amount", {"items.0.tax.amount": "34.49", "items.0.tax_amount": "34.69"}),
    shown("metadata", {"items.0.metadata": {"shelf": "12"}}),
)
PARTIES = (
    *(
        party(f"address.{there}", f"address.{here}", ADDRESS[here])
        for there, here in {
            "line1": "line1",
            "line2": "line2",
            "city": "city",
            "postalCode": "postal_code",
            "state": "state",
            "country": "country",
        }.items()
    ),
    *(party(name, name, PARTY[name]) for name in ("name", "phone", "email", "organization")),
    party("additionalAddressInfo.neighborhood", "neighborhood", "Old town"),
    party("additionalAddressInfo.division", "division", "Mills"),
    party("additionalAddressInfo.phoneticName", "phonetic_name", "Ay-da"),
    party("additionalAddressInfo.title (billTo)", "title", "Countess", ("bill_to",)),
)
TAX_IDENTIFIERS = (
    shown(
        "createdTime, updatedTime",
        {"tax_identifiers.0.created_at": A_TIME, "tax_identifiers.0.updated_at": A_TIME},
    ),
    shown("customerId", {"customer_id": "cus_1"}),
    shown("type", {"tax_identifiers.0.type": "eu_vat"}),
    shown("value", {"tax_identifiers.0.value": "ATU12345678"}),
    *(
        given(
            "state: pending, verified, not_valid",
            {"tax_identifiers": [{**TAX_IDENTIFIER, "state": state}]},
            {"tax_identifiers.0.state": state},
        )
        for state in ("pending", "verified", "not_valid")
    ),
    shown(
        "stateTransitions",
        {f"tax_identifiers.0.state_transitions.{TAX_IDENTIFIER['state']}": A_TIME},
    ),
    shown("verifiedName", {"tax_identifiers.0.verified_name": "Ada"}),
    shown("verifiedAddress", {"tax_identifiers.0.verified_address": "Graz"}),
)
SOURCES = (
    attached("id", "creditCard", {}),
    shown("createdTime", {"sources.0.attached_at": A_TIME}, "with_source"),
    attached("type", "payPal", {}),
    shown("currency", {"currency": "USD", "sources.#": 1}, "with_source"),
    unusable("currency", "in_euro"),
    shown("amount", {"payments.0.amount": "14.25", "payments.0.source_id": "src_1"}, "requested"),
    detail("reusable", "reusable"),
    detail("owner: firstName, lastName, email, organization, upstreamId", "owner"),
    detail("owner.address, owner.additionalAddressInfo", "owner"),
    detail("flow", "flow"),
    detail("state", "state"),
    unusable("state", "failed"),
    detail("metadata", "metadata"),
    shown("customerId", {"customer_id": "cus_42", "sources.#": 1}, "with_source"),
    detail("paymentSessionId", "paymentSessionId"),
    shown("liveMode", {"live_mode": True, "sources.#": 1}, "with_source"),
    attached("a block of details by type", "konbini", {"konbini": DETAILS["konbini"]}),
)
SOURCE_ROWS = (
    "creditCard: lastFourDigits, expirationMonth, expirationYear, brand",
    "googlePay: the same",
    "payPal: redirect{redirectUrl, returnUrl, cancelUrl}, directDebit{token}",
    "payPalBilling: the same",
    "payPalCredit: the same",
    "directDebit: redirect{redirectUrl, returnUrl}",
    "wireTransfer: accountHolder, bankName, city, country, referenceId, accountNumber,"
    " additionalBankInformation, iban",
    "bPay: accountHolder, bankName, city, country, referenceId, accountNumber, billId,"
    " customerPaymentReference, swiftCode",
    "payCo: redirectUrl, returnUrl",
    "onlineBanking: bankCode",
    "klarnaCredit: shipping{recipient, phoneNumber, email, address}, token",
    "klarnaCreditRecurring: returnUrl, cancelUrl",
    "konbini: storeId, receiptNumber, printableInvoiceUrl, storeName, localizedStoreName,"
    " storeLogoUrl",
    "alipay: none",
    "applePay: none",
    "codJapan: none",
    "bankTransfer: none",
)
SOURCE_TYPES = (
    *(
        attached(row, type_, {type_: DETAILS[type_]})
        for row in SOURCE_ROWS
        for type_ in [row.partition(":")[0]]
    ),
    unusable(SOURCE_ROWS[0], "expired"),
)
CHARGES = (
    charged("id", {"payment_id": "pay_1"}),
    charged("createdTime", {"created_at": A_TIME}),
    shown("currency", {"currency": "USD", "payments.#": 1}, "received"),
    refused(
        "currency",
        "upcoming",
        "POST /payments",
        "currency_mismatch",
        {**PAYMENT, "currency": "EUR"},
        422,
    ),
    charged("amount", {"amount": "214.25"}),
    charged("state", {"state": "received"}),
    shown("orderId", {"order_id": "ord_1"}),
    charged("sourceId", {"source_id": "src_1"}),
    charged("failureCode", {"failure_code": "declined"}, "failed"),
    charged("failureMessage", {"failure_message": "No money."}, "failed"),
    charged("captured", {"state": "settled", "updated_at": A_TIME}, "settled"),
    charged("refunded", {"amount": "214.25", "refunds.*.amount": ["214.25"]}, "refunded"),
    shown("type", {"charge_type": "moto"}),
    shown("liveMode", {"live_mode": True}),
    charged(
        "cancels[]",
        {"state": "cancelled", "failure_code": "cancelled", "failure_message": "By wire."},
        "charge_cancelled",
    ),
    done(
        "captures[]",
        "received",
        "POST /settle-payment",
        {"payments.0.state": "settled", "payments.0.amount": "200.00", "amount_due": "14.25"},
        {"payment_id": "pay_1", "amount": "200.00"},
    ),
    charged("refunds[]: id, amount", {"refunds.0.refund_id": "ref_1"}, "refunded"),
    charged(
        "of these: createdTime, updatedTime",
        {"refunds.0.refunded_at": A_TIME, "updated_at": A_TIME},
        "refunded",
    ),
    charged("of these: state", {"refunds.0.state": "settled"}, "refunded"),
    charged("of these: state", {"refunds.0.state": "pending"}, "refund_pending"),
    done(
        "of these: state",
        "refund_pending",
        "POST /settle-refund",
        {"payments.0.refunds.0.state": "settled", "amount_due": "214.25"},
        REFUND_ID,
    ),
    charged(
        "of these: failureCode, failureMessage",
        {"refunds.0.failure_code": "account_closed", "refunds.0.failure_message": "Gone."},
        "refund_failed",
    ),
)
SESSION = (
    shown("amountContributed", {"amount_paid": "100.00"}, "partially_paid"),
    shown("amountRemainingToBeContributed", {"amount_due": "114.25"}, "partially_paid"),
)
STATES = {
    "draft": "draft",
    "open": "upcoming",
    "void": "void",
    "paid": "paid",
    "uncollectible": "uncollectible",
}
VALUES = (
    *chain.from_iterable(
        (
            shown(f"invoice state {state}", {"state": state}, life),
            listed(f"invoice state {state}", f"ids=inv_{life}&state={state}", life),
        )
        for state, life in STATES.items()
    ),
    *(
        given("customerType individual, business", {"customer_type": value})
        for value in ("individual", "business")
    ),
    *(
        given("chargeType customer_initiated, merchant_initiated, moto", {"charge_type": value})
        for value in ("customer_initiated", "merchant_initiated", "moto")
    ),
    charged("charge state pending", {"state": "requested"}, "requested"),
    charged("charge state capturable, processing", {"state": "received"}),
    charged("charge state complete", {"state": "settled"}, "settled"),
    done(
        "charge state complete",
        "settled",
        "POST /returns",
        {"payments.0.state": "returned", "amount_due": "214.25"},
        {"payment_id": "pay_1", "code": "R01"},
    ),
    done(
        "charge state complete",
        "disputed",
        "POST /close-dispute",
        {"payments.0.disputes.0.state": "lost", "disputed": False, "amount_due": "214.25"},
        {"dispute_id": "dis_1", "outcome": "lost"},
    ),
    charged("charge state cancelled, failed", {"state": "failed"}, "failed"),
    charged("charge state cancelled, failed", {"state": "cancelled"}, "charge_cancelled"),
    charged("capture, refund state complete", {"state": "settled"}, "settled"),
    charged("capture, refund state complete", {"refunds.0.state": "settled"}, "refunded"),
    charged(
        "capture, refund state pending, failed", {"refunds.0.state": "pending"}, "refund_pending"
    ),
    charged(
        "capture, refund state pending, failed", {"refunds.0.state": "failed"}, "refund_failed"
    ),
    *(
        unusable(
            "source state pending_funds, pending_redirect, requires_action, chargeable, consumed,"
            " cancelled, failed",
            state,
        )
        for state in ("consumed", "cancelled", "failed")
    ),
    charged(
        "source state pending_funds, pending_redirect, requires_action, chargeable, consumed,"
        " cancelled, failed",
        {"action_url": "https://pay.example/7", "state": "requested"},
        "needs_action",
    ),
    *(
        attached(
            "source state pending_funds, pending_redirect, requires_action, chargeable, consumed,"
            " cancelled, failed",
            "wireTransfer",
            {"state": state},
        )
        for state in (
            "pending_funds", "pending_redirect", "requires_action", "chargeable", "consumed",
            "cancelled", "failed",
        )
    ),
)  # fmt: skip
RULES = (
    given("Create opens the invoice unless it says draft", {}, {"state": "open"}),
    given("Create opens the invoice unless it says draft", {"state": "draft"}),
    refused("Only a draft can be opened", "upcoming", "POST /open", "illegal_transition"),
    refused("Only a draft can be deleted", "upcoming", "DELETE ", "illegal_transition"),
    refused("Only a draft can be deleted", "reopened", "DELETE ", "illegal_transition"),
    *(
        refused("Void only from open, otherwise 409", life, "POST /void", code)
        for life, code in {
            "draft": "illegal_transition",
            "void": "illegal_transition",
            "paid": "illegal_transition",
            "partially_paid": "has_payments",
        }.items()
    ),
    done(
        "Unpaid after collectionPeriodDays: uncollectible",
        "overdue",
        "POST /write-off",
        {"state": "uncollectible", "amount_due": "0.00"},
    ),
    given(
        "amountOff and percentOff may both be set",
        {"discount": {"percent_off": "10", "amount_off": "5"}, "items": [{"amount": "100"}]},
        {"total_discount": "15.00", "total": "85.00"},
    ),
)
TABLE: Mapping[str, Sequence[Case]] = {
    "Digital River: operations": OPERATIONS,
    "Digital River: list parameters": LISTS,
    "Digital River: errors": ERRORS,
    "Digital River: create": CREATE,
    "Digital River: the invoice": INVOICE_FIELDS,
    "Digital River: state transitions in its sample": TRANSITIONS,
    "Digital River: items of the invoice": ITEMS,
    "Digital River: ship to, bill to": PARTIES,
    "Digital River: tax identifiers": TAX_IDENTIFIERS,
    "Digital River: sources of payment": SOURCES,
    "Digital River: source types and their details": SOURCE_TYPES,
    "Digital River: charges": CHARGES,
    "Digital River: payment session": SESSION,
    "Digital River: values": VALUES,
    "Digital River: rules": RULES,
}
