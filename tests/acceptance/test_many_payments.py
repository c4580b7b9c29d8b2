"""An invoice with more payments than its snapshot holds, over Kafka, HTTP and the tools."""

import httpx
import pytest

from tests.support.service.command_line import Run, json_lines
from tests.support.service.commands import Sent, create_invoice, invoice_id
from tests.support.service.http import running_api
from tests.support.service.service import Service

pytestmark = pytest.mark.real_kafka

PAYMENTS = 50


async def test_an_invoice_with_many_payments_is_seen_whole_from_every_side(
    service: Service, invoicing: Run
) -> None:
    await service.ready_worker()
    subject = invoice_id()
    payments = [
        Sent("RecordPayment", subject, {"payment_id": f"pay_{n}", "amount": "1.00"})
        for n in range(PAYMENTS)
    ]
    late = Sent("RecordPayment", subject, {"payment_id": "pay_0", "amount": "1.00"})
    refund = {"payment_id": "pay_0", "refund_id": "ref_1", "amount": "0.40"}
    refunds = [
        Sent("RefundPayment", subject, refund),
        Sent("RefundPayment", subject, refund | {"payment_id": "pay_49"}),
    ]

    commands = [create_invoice(subject), *payments, late, *refunds]
    answers = await service.ask(*commands)

    codes = [answer.get("code") for answer in answers[-3:]]
    assert codes == ["duplicate_payment", None, "duplicate_refund"]
    async with running_api(service) as api, api.connect() as client:
        current = await _invoice(client, subject)
        assert [payment["payment_id"] for payment in current["payments"]] == [
            f"pay_{n}" for n in range(PAYMENTS)
        ]
        assert current["payments"][0]["refunds"][0]["amount"] == "0.40"
        assert current == await _invoice(client, subject, version=current["version"])
        preview = await client.post(
            "/v1/preview",
            json={
                "specversion": "1.0", "type": "RefundPayment", "subject": subject,
                "data": refund | {"payment_id": "pay_7"},
            },
        )  # fmt: skip
        assert preview.json()["answer"]["data"]["code"] == "duplicate_refund"
        assert len(preview.json()["invoice"]["payments"]) == PAYMENTS
        paid = await client.post(
            f"/v1/invoices/{subject}/payments", json={"payment_id": "last", "amount": "1.00"}
        )
        assert len(paid.json()["payments"]) == PAYMENTS + 1
    shown = json_lines(await invoicing("show", subject, "--json"))
    assert len(shown[0]["payments"]) == PAYMENTS + 1
    assert json_lines(await invoicing("verify", "--json"))[-1]["findings"] == 0


async def _invoice(client: httpx.AsyncClient, subject: str, **query: int) -> dict[str, object]:
    response = await client.get(f"/v1/invoices/{subject}", params=query)
    assert response.status_code == 200, response.text
    shown: dict[str, object] = response.json()
    return shown
