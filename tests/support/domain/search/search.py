"""Breadth first through everything that sequences of commands can make of an invoice's money."""

import json
import pickle
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final, Literal

from pydantic import BaseModel

from invoicing.contracts.commands import CommandData, read_data
from invoicing.contracts.replies import Rejection
from invoicing.domain.decide import decide
from invoicing.domain.decision import Accepted, Command, Context
from invoicing.domain.invoice import Invoice
from invoicing.domain.sellers import Sellers
from invoicing.maintenance.verify.books import Books
from invoicing.maintenance.verify.findings import Finding
from tests.support.domain.model import Model
from tests.support.domain.search.facts import Facts
from tests.support.domain.search.steps import Step, first_steps, next_steps

NOW: Final = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
CONTEXT: Final = Context(NOW, Sellers(), "number-1")
WITHOUT_MEANING: Final = frozenset(
    {"version", "times_paid", "attempt_count", "entered", "lazy_document", "invoice_number",
     "payment_id", "refund_id", "return_id", "dispute_id", "credit_note_id", "credit_note_number"}
)  # fmt: skip
"""Counts, names and documents: fields that may differ where the money is the same."""


@dataclass(frozen=True, slots=True)
class Situation:
    """An invoice, what its commands said, those commands, and the two oracles."""

    invoice: Invoice | None = None
    facts: Facts = field(default_factory=Facts)
    path: tuple[Step, ...] = ()
    books: Books = field(default_factory=Books)
    journal_findings: tuple[Finding, ...] = ()
    model: bytes = field(default_factory=lambda: pickle.dumps(Model()))

    def decide(self, step: Step) -> Accepted | Rejection:
        """Decide one more command."""
        name, data = step
        command = Command("inv_1", name, _read(name, json.dumps(data)), NOW, None)
        return decide(self.invoice, command, CONTEXT)

    def after(self, step: Step, decided: Accepted | Rejection) -> "Situation | None":
        """The situation after it; None where it was rejected or has changed nothing."""
        if not isinstance(decided, Accepted) or not decided.events:
            return None
        name, data = step
        requested_id = f"inv_1-{self.invoice.version + 1}" if self.invoice else ""
        facts = self.facts.after(name, data, requested_id)
        books = _copied(self.books)
        findings = [finding for event in decided.events for finding in books.take(event, NOW)]
        findings += books.compare(decided.invoice)
        return replace(
            self,
            invoice=decided.invoice,
            facts=facts,
            path=(*self.path, step),
            books=books,
            journal_findings=tuple(findings),
        )

    def __str__(self) -> str:
        commands = " > ".join(f"{name}({json.dumps(data)})" for name, data in self.path[1:])
        return f"{self.path[0][1].get('state', 'open')} > {commands}: {outcome(self.invoice)}"


def _copied(books: Books) -> Books:
    """Books that can go on by themselves. `deepcopy` takes as long as all the rest."""
    copied, journal = copy(books), copy(books._journal)
    for name, value in vars(journal).items():
        setattr(journal, name, copy(value))
    copied._journal = journal
    return copied


@cache
def _read(name: str, data: str) -> CommandData:
    read = read_data(name, json.loads(data))
    assert not isinstance(read, Rejection), (name, data, read)
    return read


def outcome(invoice: Invoice | None) -> tuple[Any, ...]:
    """What must follow from the facts: the state and the three amounts."""
    assert invoice is not None
    return (
        invoice.state.value,
        invoice.amount_due,
        invoice.amount_written_off,
        invoice.amount_overpaid,
    )


Oracle = Literal["facts", "journal", "model"]
"""What a situation is compared with."""


@dataclass
class Search:
    """Every situation once, and what is wrong with it."""

    situations: int = 0
    commands: int = 0
    accepted: set[str] = field(default_factory=set)
    findings: list[tuple[Oracle, str]] = field(default_factory=list, repr=False)
    by_facts: dict[tuple[object, ...], Situation] = field(default_factory=dict, repr=False)
    _seen: set[int] = field(default_factory=set, repr=False)

    def run(self, depth: int) -> "Search":
        """Try all sequences of up to so many commands on a new invoice; check each situation."""
        level = self._new(Situation(), list(first_steps()))
        for _ in range(depth):
            level = [new for situation in level for new in self._new(situation, _steps(situation))]
        return self

    def _new(self, situation: Situation, steps: Sequence[Step]) -> list[Situation]:
        found = []
        for step in steps:
            self.commands += 1
            decided = situation.decide(step)
            model = pickle.loads(situation.model)
            if difference := _unlike(model, step, decided):
                self._find("model", f"{difference}: {situation} > {step}")
            after = situation.after(step, decided)
            if after is None:
                continue
            after = replace(after, model=pickle.dumps(model))
            self.accepted.add(step[0])
            for finding in after.journal_findings:
                self._find("journal", f"{finding}: {after}")
            for broken in _overdrawn(step, after):
                self._find("facts", f"{broken}: {after}")
            key = hash((canonical(after.invoice), after.facts.that_count))
            if key in self._seen:
                continue
            self._seen.add(key)
            self.situations += 1
            for broken in self._check(after):
                self._find("facts", f"{broken}: {after}")
            found.append(after)
        return found

    def _find(self, oracle: Oracle, finding: str) -> None:
        self.findings.append((oracle, finding))

    def _check(self, situation: Situation) -> Iterator[str]:
        first = self.by_facts.setdefault(situation.facts.that_count, situation)
        if outcome(first.invoice) != outcome(situation.invoice):
            yield f"the facts are those of {first}"
        _, due, written_off, overpaid = outcome(situation.invoice)
        if overpaid * 100 > max(situation.facts.received, 0):
            yield "more is overpaid than was received"
        if sum(amount != 0 for amount in (due, written_off, overpaid)) > 1:
            yield "more than one of due, written off and overpaid"
        if situation.facts.life != "deleted" and cannot_be_given_back(situation):
            yield "received money cannot be given back"


def _unlike(model: Model, step: Step, decided: Accepted | Rejection) -> str | None:
    """How the model, which goes on by this step, would have decided otherwise."""
    expected = model.handle(*step)
    if isinstance(decided, Rejection):
        agrees = isinstance(expected, set) and decided.code.value in expected
        return None if agrees else f"{decided.code}, where the model says {expected}"
    emitted = [event.type.removeprefix("invoice.") for event in decided.events]
    if emitted != expected:
        return f"{emitted}, where the model says {expected}"
    books = model.books
    by_model = (model.times_paid, model.state, books.due, books.given_up, books.overpaid)
    state, *amounts = outcome(decided.invoice)
    by_invoice = (decided.invoice.times_paid, state, *(amount * 100 for amount in amounts))
    return None if by_invoice == by_model else f"{by_invoice}, where the model has {by_model}"


def _overdrawn(step: Step, after: Situation) -> Iterator[str]:
    """A refund that we start takes at most what is left of the payment."""
    name, data = step
    refund = data if name == "RefundPayment" else data.get("refund")
    if refund is not None and after.facts.left_of(refund["payment_id"]) < 0:
        yield "more is refunded than was left"


def _steps(situation: Situation) -> list[Step]:
    return list(next_steps(situation.facts))


def cannot_be_given_back(situation: Situation) -> bool:
    """Whether no sequence of refunds empties what was received, once all that is open is closed."""
    for step in list(_closing(situation.facts)):
        situation = situation.after(step, situation.decide(step)) or situation
    for number, payment_id in enumerate(situation.facts.payments):
        amount = min(situation.facts.left_of(payment_id), situation.facts.received)
        if amount > 0:
            money = str(Decimal(amount) / 100)
            refund = {"payment_id": payment_id, "refund_id": f"last_{number}", "amount": money}
            step = ("RefundPayment", refund)
            situation = situation.after(step, situation.decide(step)) or situation
    return situation.facts.received > 0


def _closing(facts: Facts) -> Iterator[Step]:
    for refund_id, refund in facts.refunds.items():
        if refund.state == "pending":
            of = {"payment_id": refund.payment_id, "refund_id": refund_id}
            yield "RecordRefundFailure", of | {"code": "account_closed"}
    for dispute_id, dispute in facts.disputes.items():
        if dispute.state == "open":
            yield "CloseDispute", {"dispute_id": dispute_id, "outcome": "won"}


def canonical(value: Any) -> Any:
    """What two situations have in common that are the same but for names, counts and times."""
    if isinstance(value, BaseModel):
        fields = value.__dict__.items()
        return tuple(canonical(part) for name, part in fields if name not in WITHOUT_MEANING)
    if isinstance(value, dict):
        return tuple(sorted(map(canonical, value.values()), key=repr))
    if isinstance(value, tuple):
        return tuple(map(canonical, value))
    return None if isinstance(value, datetime) else value
