"""Dates, terms, fields and limits of a document."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from invoicing.contracts.commands import CommandData, read_data
from invoicing.contracts.lazy_document import LazyDocument
from invoicing.contracts.replies import Rejection
from invoicing.domain.decide import decide
from invoicing.domain.decision import Accepted, Command, Context
from invoicing.domain.sellers import Sellers
from tests.support.domain.desk import Desk, replay
from tests.support.domain.drafts import SELLERS, data, draft


def decided_at(time: datetime, **fields: Any) -> Accepted | Rejection:
    read = read_data("CreateInvoice", data(**fields))
    assert isinstance(read, CommandData)
    command = Command("inv_1", "CreateInvoice", read, time, None)
    now = datetime(2026, 11, 20, tzinfo=UTC)
    return decide(None, command, Context(now, Sellers(), "number-1"))


def test_it_is_due_on_its_date_where_nobody_says_more() -> None:
    assert draft().current.document.due_date == date(2026, 11, 20)


def test_it_is_due_after_the_terms_of_the_command() -> None:
    desk = draft(document_date="2026-12-31", payment_terms_days=30)
    assert desk.current.document.due_date == date(2027, 1, 30)


def test_it_is_due_after_the_terms_of_the_seller() -> None:
    assert draft(SELLERS, seller_id="acme").current.document.due_date == date(2026, 12, 4)


def test_a_due_date_and_terms_together_are_refused() -> None:
    rejection = Desk().refuse("CreateInvoice", **data(due_date="2026-12-01", payment_terms_days=3))
    assert rejection.errors[0].field == "payment_terms_days"


def test_another_date_moves_the_due_date_by_the_terms() -> None:
    desk = draft(payment_terms_days=10)
    desk.accept("UpdateInvoice", document_date="2026-12-01")
    assert desk.current.document.due_date == date(2026, 12, 11)


def test_another_date_leaves_a_due_date_that_was_given() -> None:
    desk = draft(due_date="2026-12-24")
    desk.accept("UpdateInvoice", document_date="2026-12-01")
    assert desk.current.document.due_date == date(2026, 12, 24)


def test_new_terms_replace_a_due_date() -> None:
    desk = draft(due_date="2026-12-24")
    desk.accept("UpdateInvoice", payment_terms_days=1)
    assert desk.current.document.due_date == date(2026, 11, 21)


def test_a_due_date_replaces_the_terms() -> None:
    desk = draft(payment_terms_days=10)
    desk.accept("UpdateInvoice", due_date="2026-12-24")
    desk.accept("UpdateInvoice", document_date="2026-12-01")
    assert desk.current.document.due_date == date(2026, 12, 24)


@pytest.mark.parametrize(
    ("given", "changes", "due"),
    [
        ({"due_date": "2026-12-24"}, {"due_date": None}, "2026-12-04"),
        ({"due_date": "2026-12-24"}, {"payment_terms_days": None}, "2026-12-24"),
        ({"due_date": "2026-12-24"}, {"due_date": None, "payment_terms_days": 5}, "2026-11-25"),
        (
            {"due_date": "2026-12-24"},
            {"due_date": None, "document_date": "2026-12-01"},
            "2026-12-15",
        ),
        ({"payment_terms_days": 3}, {"due_date": None}, "2026-11-23"),
        ({"payment_terms_days": 3}, {"payment_terms_days": None}, "2026-12-04"),
        ({"payment_terms_days": 3}, {"due_date": None, "payment_terms_days": None}, "2026-12-04"),
        ({}, {"payment_terms_days": None}, "2026-12-04"),
    ],
)
def test_a_due_date_or_terms_that_are_taken_back_give_way_to_the_sellers(
    given: dict[str, Any], changes: dict[str, Any], due: str
) -> None:
    desk = draft(SELLERS, seller_id="acme", **given)
    desk.accept("UpdateInvoice", **changes)
    assert str(desk.current.document.due_date) == due


def test_without_terms_of_the_sellers_it_is_due_on_its_date_again() -> None:
    desk = draft(due_date="2026-12-24")
    desk.accept("UpdateInvoice", due_date=None)
    assert desk.current.document.due_date == date(2026, 11, 20)


def test_the_terms_of_a_seller_who_is_no_more_are_refused() -> None:
    desk = draft(SELLERS, seller_id="acme", due_date="2026-12-24")
    desk.sellers = Sellers({})
    assert desk.refuse("UpdateInvoice", due_date=None).code == "unknown_seller"


def test_what_needs_no_seller_is_set_without_one() -> None:
    desk = draft(SELLERS, seller_id="acme", due_date="2026-12-24")
    desk.sellers = Sellers({})
    desk.accept("UpdateInvoice", due_date="2026-12-25")
    assert desk.current.document.due_date == date(2026, 12, 25)


@pytest.mark.parametrize("year", [1, 1899])
def test_a_command_of_an_impossible_time_is_refused(year: int) -> None:
    decided = decided_at(datetime(year, 12, 31, 23, 59, tzinfo=UTC))
    assert isinstance(decided, Rejection)
    assert (decided.code, decided.errors[0].field) == ("limit_exceeded", "document_date")


def test_a_document_from_before_it_named_its_seller_by_id_is_as_it_was() -> None:
    desk = draft()
    ((created, recorded_at),) = desk.history
    filed = LazyDocument(desk.current.lazy_document.json_text.replace('"seller_id":"default",', ""))
    desk.history = [(created.copy_with(invoice=filed), recorded_at)]
    desk.invoice = replay(desk.history)
    decided = desk.send("UpdateInvoice", items=[{"amount": "100"}])
    assert isinstance(decided, Accepted)
    assert decided.events == ()
    assert desk.current.document.seller_id is None


def test_setting_a_field_leaves_the_others() -> None:
    desk = draft(memo="Hello", order_id="ord_1")
    desk.accept("UpdateInvoice", memo="Bye")
    assert (desk.current.document.memo, desk.current.document.order_id) == ("Bye", "ord_1")


def test_setting_a_field_to_null_takes_it_back() -> None:
    desk = draft(memo="Hello", discount={"amount_off": "10"})
    desk.accept("UpdateInvoice", memo=None, discount=None)
    assert desk.current.document.memo is None
    assert desk.current.total == 100


def test_setting_the_customer_tells_it_in_the_summary() -> None:
    desk = draft()
    assert desk.accept("UpdateInvoice", customer_id="cus_2").customer_id == "cus_2"


@pytest.mark.parametrize("field", ["currency", "seller_id", "state"])
def test_what_can_never_be_changed_is_no_field_of_an_update(field: str) -> None:
    assert draft().refuse("UpdateInvoice", **{field: "EUR"}).errors[0].field == field


def test_lines_are_named_by_their_place_where_nobody_names_them() -> None:
    desk = draft(items=[{"amount": "1"}, {"id": "b", "amount": "1"}, {"amount": "1"}])
    assert [item.id for item in desk.current.document.items] == ["1", "b", "3"]


def test_two_lines_of_one_name_are_refused() -> None:
    lines = [{"amount": "1"}, {"id": "1", "amount": "1"}]
    rejection = Desk().refuse("CreateInvoice", **data(items=lines))
    assert [error.field for error in rejection.errors] == ["items.0.id", "items.1.id"]


@pytest.mark.parametrize("line", [{}, {"amount": "1", "unit_price": "1"}])
def test_a_line_has_either_a_unit_price_or_an_amount(line: dict[str, str]) -> None:
    rejection = Desk().refuse("CreateInvoice", **data(items=[line]))
    assert rejection.errors[0].field == "items.0.unit_price"


def test_a_thousand_lines_are_taken() -> None:
    assert draft(items=[{"amount": "0.01"}] * 1_000).current.total == 10


def test_one_line_more_is_over_the_limit() -> None:
    rejection = Desk().refuse("CreateInvoice", **data(items=[{"amount": "0.01"}] * 1_001))
    assert (rejection.code, rejection.errors[0].field) == ("limit_exceeded", "items")


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"metadata": {f"key_{n}": "" for n in range(51)}}, "metadata"),
        ({"metadata": {"k" * 41: "v"}}, "metadata.kkk"),
        ({"metadata": {"k": "v" * 501}}, "metadata.k"),
        ({"order_id": "x" * 501}, "order_id"),
        ({"memo": "x" * 5_001}, "memo"),
        ({"items": [{"amount": "1000000000000000"}]}, "items.0.amount"),
        ({"items": [{"amount": "-1000000000000000"}]}, "items.0.amount"),
    ],
)
def test_what_is_over_a_limit_is_refused_as_such(fields: dict[str, Any], path: str) -> None:
    rejection = Desk().refuse("CreateInvoice", **data(**fields))
    assert rejection.code == "limit_exceeded"
    assert rejection.errors[0].field.startswith(path)


SIGNS = ["", "-"]

HUGE = {"quantity": "999999999999999", "unit_price": "999999999999999.999999999999"}


@pytest.mark.parametrize(
    ("lines", "path"),
    [
        ([HUGE], "items.0"),
        ([{"amount": "999999999999999"}, {"amount": "1"}], "subtotal"),
        ([{"amount": "999999999999999", "tax": {"rate": "9"}}], "items.0"),
        ([{"amount": "1"}, HUGE | {"quantity": "-999999999999999"}], "items.1"),
        ([{"amount": "1", "fees": [{"type": "f", "per_unit_amount": "999999999999999"}] * 2}],
         "items.0"),
        ([{"amount": "1", "quantity": "2",
           "fees": [{"type": "f", "per_unit_amount": sign + "999999999999999"} for sign in SIGNS]}],
         "items.0"),
        ([{"amount": sign + "999999999999999", "tax": {"rate": "0", "category": "c" + sign}}
          for sign in SIGNS * 2],
         "tax_groups.0"),
    ],
)  # fmt: skip
def test_an_amount_that_is_worked_out_stays_below_the_limit(
    lines: list[dict[str, Any]], path: str
) -> None:
    rejection = Desk().refuse("CreateInvoice", **data(items=lines))
    assert (rejection.code, rejection.errors[0].field) == ("limit_exceeded", path)


def test_metadata_is_merged_by_key() -> None:
    desk = draft(metadata={"a": "1", "b": "2"})

    desk.accept("UpdateInvoice", metadata={"b": None, "c": "3"})

    assert desk.invoice.document.metadata == {"a": "1", "c": "3"}


def test_metadata_is_merged_by_key_once_open_too() -> None:
    desk = draft(metadata={"a": "1"})
    desk.accept("OpenInvoice")

    desk.accept("UpdateInvoice", metadata={"b": "2"})

    assert desk.invoice.document.metadata == {"a": "1", "b": "2"}


def test_metadata_beside_other_fields_is_merged_as_well() -> None:
    desk = draft(metadata={"a": "1"})

    desk.accept("UpdateInvoice", metadata={"b": "2"}, customer_id="cus_2")

    assert desk.invoice.document.metadata == {"a": "1", "b": "2"}


@pytest.mark.parametrize("metadata", [{}, {"a": "1"}, {"unknown": None}])
def test_metadata_that_changes_nothing_emits_no_event(metadata: dict[str, Any]) -> None:
    desk = draft(metadata={"a": "1"})
    version = desk.invoice.version

    desk.accept("UpdateInvoice", metadata=metadata)

    assert desk.invoice.version == version


def test_removing_unknown_metadata_from_an_invoice_without_any_emits_no_event() -> None:
    desk = draft()
    version = desk.invoice.version

    desk.accept("UpdateInvoice", metadata={"unknown": None})

    assert desk.invoice.version == version


def test_null_removes_all_metadata() -> None:
    desk = draft(metadata={"a": "1"})

    desk.accept("UpdateInvoice", metadata=None)

    assert desk.invoice.document.metadata is None


def test_merged_metadata_has_the_same_limit() -> None:
    desk = draft(metadata={f"key_{n}": "" for n in range(50)})

    rejection = desk.refuse("UpdateInvoice", metadata={"one_more": ""})
    desk.accept("UpdateInvoice", metadata={"one_more": "", "key_0": None})

    assert (rejection.code, rejection.errors[0].field) == ("limit_exceeded", "metadata")
    assert desk.invoice.document.metadata is not None
    assert len(desk.invoice.document.metadata) == 50


def test_the_largest_exact_product_keeps_every_digit() -> None:
    line = {"quantity": "0.000000000001", "unit_price": "999999999999999.999999999999"}
    assert str(draft(items=[line]).current.total) == "1000.00"


def test_a_quantity_is_told_as_it_was_given() -> None:
    line = {"quantity": "0.000000100", "unit_price": "7"}
    event = draft(items=[line]).history[0][0].to_json()
    assert '"quantity":"0.000000100"' in event


def test_an_event_leaves_out_what_nobody_gave() -> None:
    event = draft().history[0][0].model_dump(mode="json", exclude_unset=True)
    assert "memo" not in event["invoice"]
    assert event["invoice_number"] is None


def test_a_seller_is_frozen_into_the_document() -> None:
    seller = draft(SELLERS, seller_id="acme").current.document.seller
    assert (seller.name, seller.tax_ids[0].value) == ("Acme Ltd", "ATU12345678")


def test_a_draft_keeps_the_rounding_that_it_was_made_with() -> None:
    lines = [{"amount": "1.24", "tax": {"rate": "0.1"}}] * 2
    desk = draft(SELLERS, seller_id="acme", items=lines)
    desk.sellers = Sellers()
    desk.accept("UpdateInvoice", items=lines * 2)
    assert str(desk.current.document.total_tax) == "0.48"
