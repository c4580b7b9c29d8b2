"""A client generated from schemas/openapi.yaml does the main job, with a type for everything."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from datetime import date
from importlib import import_module
from typing import Any

import pytest

from tests.support.service.commands import invoice_id
from tests.support.service.generated_client import PACKAGE, generate_client
from tests.support.service.http import Api

Give = Callable[..., Any]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The generated package, with all its models."""
    directory = tmp_path_factory.mktemp("client")
    generate_client(directory)
    sys.path.insert(0, str(directory))
    yield import_module(PACKAGE)
    sys.path.remove(str(directory))


@pytest.fixture
def models(package: Any) -> Any:
    return import_module(f"{PACKAGE}.models")


@pytest.fixture
def give(package: Any, api: Api) -> Give:
    """Calls an operation by its group and name, as a program would that has imported it."""
    client = package.AuthenticatedClient(base_url=api.url, token=api.token())

    def call(operation: str, *arguments: Any, **options: Any) -> Any:
        module = import_module(f"{PACKAGE}.api.{operation}")
        return module.sync(*arguments, client=client, **options)

    return call


def new_invoice(models: Any, subject: str) -> Any:
    """An invoice of 200.00 at 7.125% tax: 214.25."""
    item = models.Item(
        description="Pro plan",
        quantity="2",
        unit_price="100.00",
        tax=models.Tax(rate="0.07125"),
    )
    return models.NewInvoice(
        invoice_id=subject,
        customer_id="cus_42",
        currency=models.Currency.USD,
        due_date=date(2026, 12, 20),
        items=[item],
    )


async def made(give: Give, models: Any) -> Any:
    return await asyncio.to_thread(
        give, "changes.create_invoice", body=new_invoice(models, invoice_id())
    )


async def test_a_generated_client_creates_an_invoice(give: Give, models: Any) -> None:
    invoice = await made(give, models)

    assert isinstance(invoice, models.InvoiceView)
    assert (invoice.state, invoice.currency) == (models.State.OPEN, models.Currency.USD)
    assert (invoice.total, invoice.due_date) == ("214.25", date(2026, 12, 20))
    assert [item.tax_amount for item in invoice.items] == ["14.25"]


async def test_a_generated_client_reads_what_it_created(give: Give, models: Any) -> None:
    invoice = await made(give, models)

    assert await asyncio.to_thread(give, "invoices.get_invoice", invoice.invoice_id) == invoice


async def test_a_generated_client_lists_invoices_page_by_page(give: Give, models: Any) -> None:
    subjects = [(await made(give, models)).invoice_id for _ in range(3)]
    chosen = {"ids": subjects, "sort": ["created_at.asc"], "limit": 2}

    first = await asyncio.to_thread(give, "lists.list_invoices", **chosen)
    second = await asyncio.to_thread(give, "lists.list_invoices", **chosen, after=first.end_cursor)

    assert isinstance(first.data[0], models.InvoiceView)
    assert [invoice.invoice_id for invoice in first.data + second.data] == subjects
    assert (first.has_more, second.has_more) == (True, False)


async def test_a_generated_client_pays_an_invoice(give: Give, models: Any) -> None:
    invoice = await made(give, models)
    payment = models.RecordPayment(
        payment_id="pay_1", amount="214.25", currency=models.Currency.USD
    )

    paid = await asyncio.to_thread(give, "changes.record_payment", invoice.invoice_id, body=payment)

    assert (paid.state, paid.amount_due) == (models.State.PAID, "0.00")
    assert [told.state for told in paid.payments] == [models.PaymentState.SETTLED]


async def test_a_generated_client_is_told_why_a_second_void_is_refused(
    give: Give, models: Any
) -> None:
    invoice = await made(give, models)
    body = models.VoidInvoice(reason="Made twice.")

    voided = await asyncio.to_thread(give, "changes.void_invoice", invoice.invoice_id, body=body)
    again = await asyncio.to_thread(give, "changes.void_invoice", invoice.invoice_id, body=body)

    assert voided.state is models.State.VOID
    assert isinstance(again, models.ProblemDocument)
    assert (again.status, again.code) == (409, "illegal_transition")
