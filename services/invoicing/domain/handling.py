"""A command as it comes in its envelope: read, decided, and answered."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from invoicing.contracts import replies
from invoicing.contracts.commands import read_data
from invoicing.contracts.envelope import CommandEnvelope
from invoicing.contracts.invoice import State
from invoicing.contracts.replies import RejectedReply, Rejection, RejectionCode, Reply
from invoicing.domain.decide import decide
from invoicing.domain.decision import Accepted, Command, Context
from invoicing.domain.invoice import Invoice
from invoicing.domain.transitions import available_commands


def handle(
    envelope: CommandEnvelope, invoice: Invoice | None, context: Context, *, sent_at: datetime
) -> Accepted | Rejection:
    """Decide a command on the current invoice; `sent_at` is its time if it names none."""
    data = read_data(envelope.type, envelope.data, hints=envelope.hints)
    is_unknown = isinstance(data, Rejection) and data.code is RejectionCode.UNKNOWN_COMMAND
    if envelope.errors and not (is_unknown and envelope.type):
        errors = envelope.errors + (data.errors if isinstance(data, Rejection) else ())
        return Rejection(
            RejectionCode.INVALID_COMMAND,
            "The command's envelope is not valid; errors say where.",
            errors,
        )
    if isinstance(data, Rejection):
        return data
    command = Command(
        invoice_id=envelope.subject,
        type=envelope.type,
        data=data,
        time=envelope.time or sent_at,
        expected_version=envelope.expected_version,
    )
    return decide(invoice, command, context)


def reply_to(
    envelope: CommandEnvelope,
    rejection: Rejection | None,
    invoice: Invoice | None,
    events: Sequence[str],
) -> Reply:
    """The data of the reply: the invoice after the command, and the types of its events."""
    is_hidden = rejection and invoice and invoice.state is State.DELETED
    seen = None if is_hidden else invoice  # to its clients, a deleted invoice does not exist
    common: dict[str, Any] = {
        "command_id": envelope.id,
        "command_source": envelope.source,
        "command_type": envelope.type,
        "invoice_id": envelope.subject,
        "version": seen.version if seen else None,
        "state": seen.state if seen else None,
        "events": tuple(events),
    }
    if rejection is None:
        return Reply.construct_unchecked(**common)
    return RejectedReply.construct_unchecked(
        **common,
        code=rejection.code,
        message=rejection.message,
        errors=rejection.errors[: replies.ERRORS_MAX],
        available_commands=available_commands(invoice) if envelope.has_invoice_id else (),
    )
