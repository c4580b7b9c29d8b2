"""Random lives of invoices through Kafka, compared with a small independent model."""

import json
from typing import Any

from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.property.test_life import Command, Life
from tests.support.domain.model import Model
from tests.support.service.commands import Sent, invoice_id
from tests.support.service.promises import assert_promises_kept
from tests.support.service.service import Service

LIVES = 60


def random_lives() -> list[list[Command]]:
    """Lives as the property test lives them."""
    lived: list[list[Command]] = []

    class Recorded(Life):
        def teardown(self) -> None:
            lived.append(self.sent)

    once = settings(max_examples=LIVES, database=None, phases=[Phase.generate])
    run_state_machine_as_test(Recorded, settings=once)
    return lived


def command(subject: str, name: str, data: dict[str, Any]) -> Sent:
    """The same for this invoice, a year earlier, since nothing is overdue before its time.

    Some ids are made from the invoice's.
    """
    text = json.dumps(data).replace("inv_1", subject).replace('"2026-', '"2025-')
    return Sent(name, subject, json.loads(text))


async def test_random_lives_go_as_the_model_says(service: Service) -> None:
    await service.ready_worker()
    sent: list[Sent] = []
    expected: list[list[str] | set[str]] = []
    for life in random_lives():
        model = Model(invoice_id())
        commands = [command(model.invoice_id, name, data) for name, data in life]
        expected += [model.handle(each.type, each.data) for each in commands]
        sent += commands

    answers = await service.ask(*sent)

    for each, wanted, answer in zip(sent, expected, answers, strict=True):
        if isinstance(wanted, set):
            assert answer.get("code") in wanted, (each, wanted, answer)
        else:
            assert answer["events"] == [f"invoice.{name}" for name in wanted], (each, answer)
    await assert_promises_kept(service, sent)
