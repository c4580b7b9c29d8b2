"""Commands for the benchmark: lives of invoices, mixed as a business might mix them."""

import random
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final
from uuid import uuid4

import orjson

from invoicing.ops.support.command_file import ReadyCommand
from invoicing.runtime.kafka.topics import partition_of

SOURCE: Final = "/bench"
LIVES_SIDE_BY_SIDE: Final = 400
REPEATS: Final = 0.05
"""The share of commands that their producer sends twice."""
PRICES: Final = ("20.00", "35.50", "100.00")
TAX_RATE: Final = Decimal("0.2")

Step = tuple[str, dict[str, Any]]


def mixed(number: int, seed: int, seller: str = "default") -> list[ReadyCommand]:
    """Invoices of 1 to 20 lines, created, opened, paid and voided, with repeats and rejections.

    Of 100 commands about 49 create, 14 open, 33 pay and 4 void; 5 are repeats, 4 are rejected.
    """
    chance = random.Random(seed)  # noqa: S311 (no secret is drawn)
    lives: list[Iterator[ReadyCommand]] = []
    commands: list[ReadyCommand] = []
    while len(commands) < number:
        if commands and chance.random() < REPEATS:
            commands.append(chance.choice(commands[-1000:]))
            continue
        while len(lives) < LIVES_SIDE_BY_SIDE:
            lives.append(_life(chance, seller))
        life = chance.choice(lives)
        if following := next(life, None):
            commands.append(following)
        else:
            lives.remove(life)
    return commands


def hot(number: int, subjects: Sequence[str], seed: int) -> list[ReadyCommand]:
    """Commands that all name the same few invoices, which must be open."""
    chance = random.Random(seed)  # noqa: S311
    commands = []
    for _ in range(number):
        update: Step = ("UpdateInvoice", {"metadata": {"order": uuid4().hex}})
        flags: list[Step] = [("ArchiveInvoice", {}), ("RestoreInvoice", {})]
        step = chance.choice([update, update, *flags, pay(Decimal("1.00"))])
        commands.append(command(chance.choice(subjects), step))
    return commands


def creations(number: int) -> list[ReadyCommand]:
    """One command for each of so many new invoices, each of three lines."""
    lines = [line(Decimal(price)) for price in PRICES]
    return [command(new_subject(), create(lines)) for _ in range(number)]


def creations_by_lane(number: int, lanes: int, sellers: int) -> list[ReadyCommand]:
    """The same, of so many sellers. Of no more than lanes, each has lanes that no other shares."""
    commands = []
    for _ in range(number):
        subject = new_subject()
        seller = f"seller_{partition_of(subject.encode(), lanes) % sellers}"
        lines = [line(Decimal(price)) for price in PRICES]
        commands.append(command(subject, create(lines, seller=seller)))
    return commands


def opened(subjects: Sequence[str]) -> list[ReadyCommand]:
    """Create these invoices, each with a total that no number of small payments reaches."""
    step = create([line(Decimal("900000.00"))])
    return [command(subject, step) for subject in subjects]


def payments(number: int, subject: str) -> list[ReadyCommand]:
    """Payments of one invoice, far too small to pay it."""
    return [command(subject, pay(Decimal("1.00"))) for _ in range(number)]


def flags(number: int, subject: str) -> list[ReadyCommand]:
    """Changes of one invoice that do not make its state larger."""
    names = ("ArchiveInvoice", "RestoreInvoice")
    return [command(subject, (names[index % 2], {})) for index in range(number)]


def new_subject() -> str:
    """A new invoice id."""
    return f"inv_{uuid4().hex}"


def _life(chance: random.Random, seller: str) -> Iterator[ReadyCommand]:
    subject = new_subject()
    number = min(20, 1 + int(chance.expovariate(1 / 3.5)))  # mostly few, sometimes many; mean 4
    lines = [line(Decimal(5 * chance.randint(1, 100))) for _ in range(number)]
    total = sum((Decimal(line["unit_price"]) for line in lines), Decimal(0)) * (1 + TAX_RATE)
    is_draft = chance.random() < 0.2
    steps = [create(lines, "draft" if is_draft else "open", seller)]
    steps += [("OpenInvoice", {})] if is_draft else []
    dice = chance.random()
    if dice < 0.55:
        steps.append(pay(total))
    elif dice < 0.63:
        steps += [pay(total / 2), pay(total / 2)]
    elif dice < 0.71:
        steps.append(("VoidInvoice", {"reason": "entered twice"}))
    if chance.random() < 0.1:
        steps.append(("OpenInvoice", {}))  # rejected: the invoice is open, paid or void
    for step in steps:
        yield command(subject, step)


def line(price: Decimal) -> dict[str, Any]:
    """A taxed line of an invoice."""
    return {"description": "Pro plan", "unit_price": f"{price:.2f}", "tax": {"rate": str(TAX_RATE)}}


def create(lines: list[dict[str, Any]], state: str = "open", seller: str = "default") -> Step:
    """Create an invoice in this state."""
    whose = {"customer_id": "cus_42", "seller_id": seller}
    rest = {"currency": "USD", "due_date": "2030-12-20", "items": lines, "state": state}
    return ("CreateInvoice", whose | rest)


def pay(amount: Decimal, payment_id: str | None = None) -> Step:
    """Record a payment, without an id under a new one."""
    id_ = payment_id or uuid4().hex
    payment = {"payment_id": id_, "amount": f"{amount:.2f}", "currency": "USD"}
    return ("RecordPayment", payment)


def command(subject: str, step: Step, command_id: str | None = None) -> ReadyCommand:
    """A command for this invoice, without an id under a new one."""
    type_, data = step
    id_ = command_id or uuid4().hex
    envelope = {
        "specversion": "1.0", "id": id_, "source": SOURCE, "type": type_, "subject": subject,
        "time": "2030-11-20T10:00:00Z", "datacontenttype": "application/json", "data": data,
    }  # fmt: skip
    return ReadyCommand(SOURCE, id_, subject, orjson.dumps(envelope))
