"""docs/parity.md: what it names exists, and the fields of three systems really go through."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from invoicing.api.app import openapi
from invoicing.api.http.problems import ProblemCode
from invoicing.api.reads.lists import InvoicePage
from invoicing.api.reads.views import InvoiceView
from invoicing.contracts.commands import COMMANDS
from invoicing.contracts.events import EVENTS
from invoicing.contracts.invoice import Document
from invoicing.contracts.replies import ACCEPTED, REJECTED, RejectedReply, RejectionCode, Reply
from invoicing.domain.invoice import Invoice
from invoicing.ops.main import COMMANDS as OPERATOR_COMMANDS
from invoicing.tools.schemas.shapes import Schema, shape_of
from invoicing.tools.schemas.story import run_story
from tests.parity import TABLE
from tests.support.domain.complete import COMPLETE
from tests.support.domain.desk import Desk
from tests.support.domain.sources import COMMON_DETAILS, DETAILS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/parity.md").read_text(encoding="utf-8")


def rows_by_section(page: str) -> dict[str, list[list[str]]]:
    """The cells of each row, by the heading that it stands under."""
    sections: dict[str, list[list[str]]] = {}
    heading = ""
    for line in page.splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ")
        elif line.startswith("| ") and not line.startswith(("| There", "| ---")):
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            sections.setdefault(heading, []).append(cells)
    return sections


SECTIONS = rows_by_section(PAGE)
ROWS = [row for rows in SECTIONS.values() for row in rows]
OPENAPI = openapi()
SHAPES: dict[str, Schema] = {
    **{name: shape_of(model, "validation") for name, model in COMMANDS.items()},
    **{name: shape_of(model, "serialization") for name, model in EVENTS.items()},
    ACCEPTED: shape_of(Reply, "serialization"),
    REJECTED: shape_of(RejectedReply, "serialization"),
    "Invoice.document": shape_of(Document, "serialization"),
    "InvoicePage": shape_of(InvoicePage, "serialization"),
    "InvoiceView": shape_of(InvoiceView, "serialization"),
    "Invoice": shape_of(Invoice, "serialization"),
}
OTHER_NAMES = {
    "id",
    "source",
    "subject",
    *(code.value for code in (*RejectionCode, *ProblemCode)),
    *(
        f"{method.upper()} {address}"
        for address, calls in OPENAPI["paths"].items()
        for method in calls
    ),
    *(
        parameter["name"]
        for calls in OPENAPI["paths"].values()
        for operation in calls.values()
        for parameter in operation["parameters"]
    ),
    *(f"invoicing {command}" for command in OPERATOR_COMMANDS),
}


def names(cell: str) -> list[str]:
    return re.findall("`([^`]+)`", cell)


def exists(name: str) -> bool:
    """Whether a name of the second column is a field, a code, a call, or a parameter of one."""
    for shape, schema in SHAPES.items():
        if name == shape or name.startswith(f"{shape}."):
            fields = name.removeprefix(shape).split(".")[1:]
            return has_field(schema, schema, fields)
    return name in OTHER_NAMES


def has_field(schema: Schema, part: Any, fields: list[str]) -> bool:
    """Whether the fields lead on from this part of a schema, through references and arrays."""
    if not fields:
        return True
    if "$ref" in part:
        definition = part["$ref"].removeprefix("#/$defs/")
        return has_field(schema, schema["$defs"][definition], fields)
    within = [*part.get("anyOf", ()), part.get("items"), part.get("additionalProperties")]
    if any(has_field(schema, one, fields) for one in within if isinstance(one, dict)):
        return True
    first, *others = fields
    found = part.get("properties", {}).get(first)
    return found is not None and has_field(schema, found, others)


def test_every_command_event_and_field_of_the_page_exists() -> None:
    for _, here, _ in ROWS:
        assert [name for name in names(here) if not exists(name)] == [], here


def test_a_field_that_does_not_exist_is_noticed() -> None:
    assert exists("CreateInvoice.items.tax.rate")
    assert not exists("CreateInvoice.items.tax.rates")
    assert not exists("invoice.burnt")
    assert exists("GET /v1/invoices")
    assert not exists("GET /v1/bills")


def test_every_test_of_the_page_exists() -> None:
    files = {
        path.name: path.read_text(encoding="utf-8") for path in ROOT.glob("tests/**/test_*.py")
    }
    for *_, shown in ROWS:
        for name in names(shown):
            file, test = name.split("::")
            assert f"def {test}(" in files[file], name


def test_every_row_is_shown_by_a_test_or_says_why_not() -> None:
    unshown = [
        row for row in ROWS if row[2] == "–" and not re.match("Waits for|None|Recorded", row[1])
    ]
    assert unshown == []


def waits(here: str) -> bool:
    """Whether a row says that it is not there yet, or never will be."""
    return here.startswith(("Waits for", "None"))


def is_of_http(shown: str) -> bool:
    """Whether a test that a row names asks through HTTP by itself."""
    return any(name.startswith(("test_http_access", "test_app")) for name in names(shown))


def row_of(there: str) -> str:
    """A row as the table of calls names it."""
    return there.replace("`", "")


def test_every_row_is_asked_through_http_or_waits() -> None:
    missing = [
        (section, there)
        for section, rows in SECTIONS.items()
        for there, here, shown in rows
        if not (waits(here) or is_of_http(shown))
        and row_of(there) not in {case.row for case in TABLE.get(section, ())}
    ]
    assert missing == []


def test_what_is_asked_through_http_is_a_row_of_the_page() -> None:
    rows = {
        (section, there.replace("`", ""))
        for section, rows in SECTIONS.items()
        for there, *_ in rows
    }
    asked = {(section, case.row) for section, cases in TABLE.items() for case in cases}
    assert asked <= rows


def test_every_command_has_its_place_on_the_page() -> None:
    named = {name for _, here, _ in ROWS for name in names(here)}
    assert {name.partition(".")[0] for name in named} >= COMMANDS.keys()


# What the rows rely on

IN_UTC = {"2026-12-01T00:00:00+02:00": "2026-11-30T22:00:00Z"}


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> dict[tuple[str | int, ...], Any]:
    if not isinstance(value, dict | list):
        return {path: value}
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    return {leaf: end for name, part in parts for leaf, end in leaves(part, (*path, name)).items()}


def test_every_field_that_a_command_gives_stands_in_the_event() -> None:
    given = COMPLETE["CreateInvoice"] | {"state": "draft"}

    created = json.loads(run_story([("CreateInvoice", "inv_1", given)]).events[0].document)["data"]

    told = leaves(created["invoice"] | {"state": created["state"]})
    for path, value in leaves(given).items():
        assert told[path] == IN_UTC.get(value, value), path


def open_desk(**fields: Any) -> Desk:
    desk = Desk()
    data = {"customer_id": "cus_1", "currency": "USD", "items": [{"amount": "100"}]}
    desk.accept("CreateInvoice", **data, **fields)
    return desk


def test_what_is_left_out_has_the_defaults_of_the_three_systems() -> None:
    invoice = open_desk().current
    document = invoice.document
    assert invoice.state == "open"
    assert document.collection_period_days == 30
    assert (document.billing_optimization, document.exclude_from_autopay) == (True, False)
    assert (document.live_mode, document.tax_inclusive) == (True, False)


CHOICES = {
    "customer_type": ["individual", "business"],
    "charge_type": ["customer_initiated", "merchant_initiated", "moto"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in CHOICES.items() for value in values]
)
def test_every_value_of_a_choice_is_taken(name: str, value: str) -> None:
    assert getattr(open_desk(**{name: value}).current.document, name) == value


@pytest.mark.parametrize("state", ["pending", "verified", "not_valid"])
def test_every_state_of_a_tax_identifier_is_taken(state: str) -> None:
    identifier = {"type": "eu_vat", "value": "ATU12345678", "state": state}
    (told,) = open_desk(tax_identifiers=[identifier]).current.document.tax_identifiers
    assert told.state == state


@pytest.mark.parametrize("type_", DETAILS)
def test_every_type_of_source_is_attached_with_its_details(type_: str) -> None:
    desk = open_desk()
    desk.accept("AttachSource", source_id="src_1", type=type_, details={type_: DETAILS[type_]})
    source = desk.current.sources["src_1"]
    assert (source.type, source.details) == (type_, {type_: DETAILS[type_]})


def test_whatever_is_told_of_a_source_stands_in_the_event() -> None:
    desk = open_desk()
    desk.accept("AttachSource", source_id="src_1", type="creditCard", details=COMMON_DETAILS)
    assert json.loads(desk.history[-1][0].to_json())["source"]["details"] == COMMON_DETAILS


def test_a_failed_payment_keeps_its_code_and_message() -> None:
    desk = open_desk()
    desk.accept("RecordPayment", payment_id="p", amount="100", currency="USD", settled=False)
    desk.accept("RecordPaymentFailure", payment_id="p", code="cancelled", message="By the customer")
    payment = desk.current.payments["p"]
    assert (payment.state, payment.failure_code) == ("failed", "cancelled")
    assert payment.failure_message == "By the customer"


def test_the_texts_of_an_open_invoice_can_be_set() -> None:
    texts = {"description": "For November", "memo": "Thanks", "metadata": {"cost_centre": "7"}}
    document = open_desk().accept("UpdateInvoice", **texts).document
    assert document.model_dump(include=set(texts)) == texts
