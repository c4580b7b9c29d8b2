"""The operator's tools as an operator uses them: each its own process, beside a real worker."""

import asyncio
import json
import signal

import pytest

from tests.support.service.command_line import Run, json_lines
from tests.support.service.commands import (
    Sent,
    create_invoice,
    invoice_id,
    record_payment,
    void_invoice,
)
from tests.support.service.service import Service

pytestmark = pytest.mark.real_kafka

ROUNDS = 40


async def busy(service: Service) -> list[Sent]:
    """Commands that keep the worker busy; answered for later."""
    commands = []
    for _ in range(ROUNDS):
        subject = invoice_id()
        payment = record_payment(subject)
        commands += [create_invoice(subject), payment, payment, void_invoice(subject)]
    await service.send(commands)
    return commands


async def test_verify_finds_nothing_beside_a_worker_that_is_busy(
    service: Service, invoicing: Run
) -> None:
    await service.ready_worker()
    commands = await busy(service)

    background = await invoicing("verify", "--json")
    await service.answered(commands)
    after = await invoicing("verify", "--json")

    assert json_lines(background)[-1]["findings"] == 0
    (summary,) = json_lines(after)
    assert summary["compared"]["commands_in_topic"] == len(commands)
    assert summary["compared"]["offsets_not_yet_due"] == 0


async def test_verify_names_what_is_wrong_and_exits_with_1(
    service: Service, invoicing: Run
) -> None:
    await service.ready_worker()
    subject = invoice_id()
    await service.ask(create_invoice(subject))
    await service.rows("UPDATE invoices SET amount_due = 1 WHERE id = $1", subject)

    as_page, as_json = await asyncio.gather(invoicing("verify"), invoicing("verify", "--json"))

    assert (as_page.returncode, as_json.returncode) == (1, 1)
    assert f"state_differs: invoice {subject}" in as_page.stdout
    finding = json.loads(as_json.stdout.splitlines()[0])
    assert (finding["finding"], finding["invoice_id"]) == ("state_differs", subject)
    assert "column amount_due 214.25" in finding["expected"]
    assert "column amount_due 1" in finding["found"]


async def test_rebuild_puts_the_state_right_beside_a_worker_that_is_busy(
    service: Service, invoicing: Run
) -> None:
    await service.ready_worker()
    subject = invoice_id()
    await service.ask(create_invoice(subject))
    await service.rows("UPDATE invoices SET amount_due = 1 WHERE id = $1", subject)
    commands = await busy(service)

    rebuilt = await invoicing("rebuild", "--json")
    await service.answered(commands)

    assert json_lines(rebuilt)[0]["differed"] >= 1
    assert json_lines(await invoicing("verify", "--json"))[-1]["findings"] == 0


async def test_dead_letters_are_listed_and_shown_without_steering_the_terminal(
    service: Service, invoicing: Run
) -> None:
    await service.ready_worker()
    headers = [("x", b"\xff\x1b"), ("none", None)]
    await service.producer.send_and_wait(
        service.topics.commands, b"\x1b[31m {", key=b"k\x00", headers=headers
    )
    await service.producer.send_and_wait(service.topics.commands, b"\xff\xfe", key=b"k")
    await service.dead_letters.count(2)

    (letter,) = json_lines(
        await invoicing("dead-letters", "list", "--reason", "not_json", "--json")
    )
    shown = await invoicing("dead-letters", "show", letter["position"])
    table = await invoicing("dead-letters", "list")

    assert letter["value"] == "\x1b[31m {"
    assert letter["headers"][:2] == [["x", {"base64": "/xs="}], ["none", None]]
    assert letter["sent_back"] is False
    assert "\x1b" not in shown.stdout + table.stdout
    assert "?[31m {" in shown.stdout
    assert "dl_reason: not_json" in shown.stdout
    assert "not_utf8" in table.stdout


async def test_a_position_without_a_dead_letter_is_reported(
    service: Service, invoicing: Run
) -> None:
    listed, shown = await asyncio.gather(
        invoicing("dead-letters", "list", "--since", "2020-01-01"),
        invoicing("dead-letters", "show", "0@7"),
    )

    assert (listed.returncode, listed.stdout) == (0, "There are no such dead letters.\n")
    assert (shown.returncode, shown.stderr) == (1, "There is no dead letter at 0@7.\n")


async def test_a_command_that_failed_by_a_defect_is_answered_after_its_redrive(
    service: Service, invoicing: Run
) -> None:
    commands = await failed_commands(service, 3)
    await service.ready_worker()

    first = await invoicing("dead-letters", "redrive", "--reason", "processing_failed", "--json")
    again = await invoicing("dead-letters", "redrive", "--all", "--json")

    assert (json_lines(first), json_lines(again)) == ([{"redriven": 3}], [{"redriven": 0}])
    answers = await service.answered(commands)
    assert {answer["state"] for answer in answers} == {"open"}
    assert json_lines(await invoicing("verify", "--json"))[-1]["findings"] == 0


async def test_a_dry_run_lists_what_would_be_sent_back_and_sends_nothing(
    service: Service, invoicing: Run
) -> None:
    await failed_commands(service, 3)
    positions = [
        letter["position"]
        for letter in json_lines(await invoicing("dead-letters", "list", "--json"))
    ]
    await invoicing("dead-letters", "redrive", positions[0])

    as_page = await invoicing("dead-letters", "redrive", "--all", "--dry-run")
    as_json = await invoicing("dead-letters", "redrive", "--all", "--dry-run", "--json")
    sent = await invoicing("dead-letters", "redrive", "--all", "--json")

    # Partitions are read side by side, so letters of two of them come in either order.
    assert {letter["position"] for letter in json_lines(as_json)} == set(positions[1:])
    assert as_page.stdout.endswith("2 would be sent back. Nothing was sent.\n")
    assert json_lines(sent) == [{"redriven": 2}]


async def test_a_list_of_dead_letters_is_whole_in_a_pipe(service: Service, invoicing: Run) -> None:
    await service.ready_worker()
    await service.producer.send_and_wait(service.topics.commands, b"[]", key=b"k")
    await service.dead_letters.count(1)
    headers = dict(service.dead_letters.records[0].headers)

    listed = await invoicing("dead-letters", "list")

    (row,) = (line for line in listed.stdout.splitlines() if "not_an_envelope" in line)
    origin = b"%b-%b@%b" % tuple(headers[f"dl_{name}"] for name in ("topic", "partition", "offset"))
    assert origin.decode() in row.split()


async def test_only_what_was_chosen_is_sent_back(service: Service, invoicing: Run) -> None:
    commands = await failed_commands(service, 3)
    await service.ready_worker()
    chosen = json_lines(await invoicing("dead-letters", "list", "--json"))[1]["position"]

    one = await invoicing("dead-letters", "redrive", chosen, "--json")
    listed = json_lines(await invoicing("dead-letters", "list", "--json"))
    rest = await invoicing("dead-letters", "redrive", "--all", "--limit", "5", "--json")

    assert json_lines(one) == [{"redriven": 1}]
    assert [letter["position"] for letter in listed if letter["sent_back"]] == [chosen]
    assert json_lines(rest) == [{"redriven": 2}]
    await service.answered(commands)
    assert len(service.answers.documents) == 3


async def test_a_letter_that_fails_again_keeps_its_first_failure(
    service: Service, invoicing: Run
) -> None:
    await service.ready_worker()
    await service.producer.send_and_wait(service.topics.commands, b"broken", key=b"k")
    await service.dead_letters.count(1)

    for failures in (2, 3):
        await invoicing("dead-letters", "redrive", "--all")
        await service.dead_letters.count(failures)

    first, _, last = [dict(record.headers) for record in service.dead_letters.records]
    assert last["dl_first_offset"] == first["dl_offset"]
    assert last["dl_offset"] != first["dl_offset"]
    assert json_lines(await invoicing("verify", "--json"))[-1]["findings"] == 0


@pytest.mark.parametrize("step", ["sent", "offsets"])
async def test_a_redrive_that_is_killed_loses_nothing_and_repeats_nothing(
    service: Service, invoicing: Run, step: str
) -> None:
    commands = await failed_commands(service, 3)
    await service.ready_worker()

    killed = await invoicing(
        "dead-letters",
        "redrive",
        "--all",
        module="tests.support.service.faulty_worker",
        FAULT=f"{step}:0:SIGKILL",
    )
    again = await invoicing("dead-letters", "redrive", "--all", "--json")

    assert killed.returncode == -signal.SIGKILL
    assert json_lines(again) == [{"redriven": 3}]
    await service.answered(commands)
    assert json_lines(await invoicing("verify", "--json"))[-1]["findings"] == 0
    assert len(service.answers.documents) == 3


async def test_without_transactions_a_redrive_says_that_it_may_repeat(
    service: Service, invoicing: Run
) -> None:
    run = await invoicing("dead-letters", "redrive", "--all", INVOICING_KAFKA_TRANSACTIONS="off")

    assert "may send some letters again" in " ".join(run.stderr.split())
    assert run.stdout == "0 sent back.\n"


async def failed_commands(service: Service, number: int) -> list[Sent]:
    """Good commands that a worker with a defect has set aside."""
    commands = [create_invoice(invoice_id()) for _ in range(number)]
    await service.send(commands)
    worker = await service.ready_worker("tests.support.service.defective_worker")
    await service.dead_letters.count(number)
    worker.signal(signal.SIGTERM)
    assert await worker.ended() == 0
    return commands
