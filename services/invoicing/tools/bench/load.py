"""Commands as a benchmark sends them: lives of invoices in a blend that a business might see."""

import random
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final
from uuid import uuid4

import orjson

from invoicing.ops.support.command_file import ReadyCommand

SOURCE: Final = "/bench"
LIVES_SIDE_BY_SIDE: Final = 400
REPEATS: Final = 0.05
"""The share of commands that their producer sends twice."""
TAX_RATE: Final = Decimal("0.2")

_Step = tuple[str, dict[str, Any]]


def mixed(number: int, seed: int, seller: str = "default") -> list[ReadyCommand]:
    """Invoices of 1 to 20 lines, created, opened, paid and voided, with repeats and refusals.

    Of 100 commands about 49 create, 14 open, 33 pay and 4 void; 5 are repeats, and 4 are refused.
    """
    chance = random.Random(seed)  # noqa: S311 (nobody is to guess nothing)
    lives: list[Iterator[ReadyCommand]] = []
    commands: list[ReadyCommand] = []
    while len(commands) < number:
        if commands and chance.random() < REPEATS:
            commands.append(chance.choice(commands[-1000:]))
        else:
            commands.append(_next(lives, chance, seller))
    return commands


def hot(number: int, subjects: Sequence[str], seed: int) -> list[ReadyCommand]:
    """Commands that all fall on the same few invoices, which must be open."""
    chance = random.Random(seed)  # noqa: S311
    return [_command(chance.choice(subjects), _touch(chance)) for _ in range(number)]


def creations(number: int) -> list[ReadyCommand]:
    """One command for each of so many new invoices, each of three lines."""
    lines = [_line(Decimal(price)) for price in ("20.00", "35.50", "100.00")]
    return [_command(new_subject(), _create(lines)) for _ in range(number)]


def opened(subjects: Sequence[str]) -> list[ReadyCommand]:
    """What creates these invoices, each so dear that it takes any number of small payments."""
    line = _line(Decimal("900000.00"))
    return [_command(subject, _create([line])) for subject in subjects]


def payments(number: int, subject: str) -> list[ReadyCommand]:
    """So many payments of one invoice, far from enough to pay it."""
    return [_command(subject, _pay(Decimal("1.00"))) for _ in range(number)]


def flags(number: int, subject: str) -> list[ReadyCommand]:
    """So many changes of one invoice that leave its state as small as it was."""
    names = ("ArchiveInvoice", "RestoreInvoice")
    return [_command(subject, (names[place % 2], {})) for place in range(number)]


def new_subject() -> str:
    """The id of an invoice that is not there yet."""
    return f"inv_{uuid4().hex}"


def _next(lives: list[Iterator[ReadyCommand]], chance: random.Random, seller: str) -> ReadyCommand:
    """The next command of some life; many go on side by side."""
    while True:
        while len(lives) < LIVES_SIDE_BY_SIDE:
            lives.append(_life(chance, seller))
        life = chance.choice(lives)
        command = next(life, None)
        if command is not None:
            return command
        lives.remove(life)


def _life(chance: random.Random, seller: str) -> Iterator[ReadyCommand]:
    subject = new_subject()
    lines = [_line(Decimal(5 * chance.randint(1, 100))) for _ in range(_lines(chance))]
    total = sum((Decimal(line["unit_price"]) for line in lines), Decimal(0)) * (1 + TAX_RATE)
    is_draft = chance.random() < 0.2
    steps = [_create(lines, "draft" if is_draft else "open", seller)]
    steps += [("OpenInvoice", {})] if is_draft else []
    steps += _end(chance, total)
    if chance.random() < 0.1:
        steps.append(("OpenInvoice", {}))  # refused: it is open, or more than that
    for step in steps:
        yield _command(subject, step)


def _lines(chance: random.Random) -> int:
    """Mostly few, sometimes many: 4 on average."""
    return min(20, 1 + int(chance.expovariate(1 / 3.5)))


def _end(chance: random.Random, total: Decimal) -> list[_Step]:
    dice = chance.random()
    if dice < 0.55:
        return [_pay(total)]
    if dice < 0.63:
        return [_pay(total / 2), _pay(total / 2)]
    if dice < 0.71:
        return [("VoidInvoice", {"reason": "entered twice"})]
    return []


def _line(price: Decimal) -> dict[str, Any]:
    return {"description": "Pro plan", "unit_price": f"{price:.2f}", "tax": {"rate": str(TAX_RATE)}}


def _create(lines: list[dict[str, Any]], state: str = "open", seller: str = "default") -> _Step:
    whose = {"customer_id": "cus_42", "seller_id": seller}
    rest = {"currency": "USD", "due_date": "2030-12-20", "items": lines, "state": state}
    return ("CreateInvoice", whose | rest)


def _pay(amount: Decimal) -> _Step:
    payment = {"payment_id": uuid4().hex, "amount": f"{amount:.2f}", "currency": "USD"}
    return ("RecordPayment", payment)


def _touch(chance: random.Random) -> _Step:
    update: _Step = ("UpdateInvoice", {"metadata": {"order": uuid4().hex}})
    flags: list[_Step] = [("ArchiveInvoice", {}), ("RestoreInvoice", {})]
    return chance.choice([update, update, *flags, _pay(Decimal("1.00"))])


def _command(subject: str, step: _Step) -> ReadyCommand:
    type_, data = step
    id_ = uuid4().hex
    envelope = {
        "specversion": "1.0", "id": id_, "source": SOURCE, "type": type_, "subject": subject,
        "time": "2030-11-20T10:00:00Z", "datacontenttype": "application/json", "data": data,
    }  # fmt: skip
    return ReadyCommand(SOURCE, id_, subject, orjson.dumps(envelope))
