"""Restatements: an invoice of the first releases whose published amounts contradict its facts.

Those releases computed what is due by another rule, and what depended on the way to it: a refund
after a write-off left a part of the debt open and a part written off, a void invoice still had an
amount due. Stored events stay as they are, so the state keeps what was published until the first
decision on the invoice. That decision begins with `invoice.restated`, by which consumers learn the
new amounts; guards and handlers see the invoice after it.
"""

from typing import Final

from invoicing.contracts import commands, events
from invoicing.contracts.invoice import State
from invoicing.domain.apply import ApplyTable, summary_only
from invoicing.domain.balance import ISSUED, Balance, balance, net_received
from invoicing.domain.decision import Decision
from invoicing.domain.invoice import Invoice, summary_of

RULES: Final = 2
"""The version of the rules by which amounts follow from facts. Of the first releases, it was 1."""


def restated_balance(invoice: Invoice) -> Balance | None:
    """The balance that the invoice's facts give; None if that is what was published.

    A deleted invoice does not exist to its clients, so there is nothing to restate.
    """
    published = published_balance(invoice)
    # The usual case, first: it is asked at every decision.
    if invoice.state is State.DELETED or balance(vars(invoice)) == published:
        return None
    facts = summary_of(invoice)
    if invoice.state in ISSUED:
        remaining = invoice.total - invoice.amount_credited - net_received(facts)
        is_written_off = invoice.amount_written_off > 0 and remaining > 0
        facts["state"] = State.UNCOLLECTIBLE if is_written_off else State.OPEN
    computed = balance(facts)
    return None if computed == published else computed


def as_restated(invoice: Invoice) -> Invoice:
    """The invoice with the amounts that its facts give."""
    restated = restated_balance(invoice)
    return invoice if restated is None else invoice.copy_with(**restated._asdict())


def begin(decision: Decision) -> None:
    """Begin a decision: restate the invoice if what was published contradicts its facts."""
    restated = restated_balance(decision.invoice)
    if restated is not None:
        published = published_balance(decision.invoice)
        decision.emit(
            events.InvoiceRestated,
            state=restated.state,
            rules=RULES,
            before=events.PublishedAmounts.construct_unchecked(**published._asdict()),
            after=events.PublishedAmounts.construct_unchecked(**restated._asdict()),
        )


def restate(_decision: Decision, _data: commands.RestateInvoice) -> None:
    """Nothing is left to do: every decision begins with the restatement that is due."""


def published_balance(invoice: Invoice) -> Balance:
    """The state and amounts that the invoice's last event published."""
    return Balance(
        invoice.state, invoice.amount_due, invoice.amount_written_off, invoice.amount_overpaid
    )


APPLY: Final[ApplyTable] = {events.InvoiceRestated: summary_only}
