"""The journal as text: CSV for spreadsheets, JSON lines for programs, hledger's format."""

import csv
import io
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final, NamedTuple

import orjson

from invoicing.domain.journal.accounts import Posting
from invoicing.maintenance.journal import JournalEntry

CSV_COLUMNS: Final = (
    "date", "invoice_id", "version", "event", "invoice_number", "seller_id", "customer_id",
    "reference", "account", "detail", "currency", "debit", "credit",
)  # fmt: skip

# A spreadsheet takes a text that begins so for a formula.
# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA_BEGINS: Final = ("=", "+", "-", "@", "\t", "\r")


class JournalFormat(NamedTuple):
    """The lines before all entries, and the text of one entry."""

    head: str
    write: Callable[[JournalEntry], str]


def _csv_text(rows: list[tuple[object, ...]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _as_csv(entry: JournalEntry) -> str:
    """A row for each posting, with its amount as a debit or a credit."""
    texts = (entry.event, entry.invoice_number or "", entry.seller_id, entry.customer_id)
    return _csv_text(
        [
            (
                entry.posting_date,
                _cell(entry.invoice_id),
                entry.version,
                *map(_cell, (*texts, entry.reference, posting.account, posting.detail)),
                entry.currency,
                posting.amount if posting.amount > 0 else "",
                -posting.amount if posting.amount < 0 else "",
            )
            for posting in entry.postings
        ]
    )


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA_BEGINS) else text


def _as_json_line(entry: JournalEntry) -> str:
    document = {
        "date": entry.posting_date,
        "invoice_id": entry.invoice_id,
        "version": entry.version,
        "event": entry.event,
        "invoice_number": entry.invoice_number,
        "seller_id": entry.seller_id,
        "customer_id": entry.customer_id,
        "currency": entry.currency,
        "reference": entry.reference or None,
        "postings": [
            {"account": posting.account, "detail": posting.detail or None, "amount": posting.amount}
            for posting in entry.postings
        ],
    }
    return orjson.dumps(document, default=_decimal_as_text).decode() + "\n"


def _decimal_as_text(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    raise TypeError


def _as_hledger(entry: JournalEntry) -> str:
    """A transaction: https://hledger.org/hledger.html#transactions."""
    tags = {
        "invoice": entry.invoice_id,
        "version": str(entry.version),
        "seller": entry.seller_id,
        "customer": entry.customer_id,
        "reference": entry.reference,
    }
    comment = ", ".join(f"{name}:{_word(value)}" for name, value in tags.items() if value)
    code = _word(entry.invoice_number or "")
    lines = [f"{entry.posting_date} * ({code}) {entry.event}  ; {comment}"]
    lines += [
        f"    {_hledger_account(posting)}  {entry.currency} {posting.amount:f}"
        for posting in entry.postings
    ]
    return "\n".join(lines) + "\n\n"


def _hledger_account(posting: Posting) -> str:
    return f"{posting.account}:{_word(posting.detail)}" if posting.detail else str(posting.account)


def _word(text: str) -> str:
    """The text without the signs that mean something to hledger, and with single blanks."""
    kept = "".join(char if char.isalnum() or char in "-_./@+#" else " " for char in text)
    return " ".join(kept.split()) or "_"


FORMATS: Final[Mapping[str, JournalFormat]] = MappingProxyType(
    {
        "csv": JournalFormat(_csv_text([CSV_COLUMNS]), _as_csv),
        "jsonl": JournalFormat("", _as_json_line),
        # Without it, 1.234 of a currency with three decimals could be read as 1234.
        "hledger": JournalFormat("decimal-mark .\n\n", _as_hledger),
    }
)
