"""Events and amounts as text, the same in every command."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from invoicing.contracts.invoice import Summary

Data = Mapping[str, Any]
"""The `data` of an event, as JSON has it."""

EVENT_PREFIX: Final = "invoice."


def short_type(event_type: str) -> str:
    """An event's type without the common prefix."""
    return event_type.removeprefix(EVENT_PREFIX)


def clock(time: datetime) -> str:
    """A time in UTC, to the second."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def plain(text: str) -> str:
    """A customer's text without control characters, which could steer the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)


def is_amount(text: str) -> bool:
    """Whether an amount is not zero, at any scale."""
    return bool(text.strip("-0."))


def event_line(event: Mapping[str, Any]) -> str:
    """An event on one line: its time, invoice, version and type, and the invoice's balance."""
    return (
        f"{clock(datetime.fromisoformat(event['time']))} {event['subject']:<10}"
        f" {event['version']:>3} {short_type(event['type']):<16} {standing(event['data'])}"
    )


def standing(data: Data) -> str:
    """The invoice after an event: its number, state and amounts."""
    words = [
        data["invoice_number"] or "no number",
        data["state"],
        f"{data['currency']} {data['total']}",
    ]
    for name, amount in (("due", data["amount_due"]), ("overpaid", data["amount_overpaid"])):
        if is_amount(amount):
            words.append(f"{name} {amount}")
    return ", ".join(words)


def changes(before: Data, after: Data) -> list[str]:
    """What an event changed, in words. `before`: the data of all earlier events, merged."""
    if not before:
        lines = len(after["invoice"]["items"])
        return [
            f"{after['currency']} {after['total']} for customer {plain(after['customer_id'])},"
            f" {lines} {'item' if lines == 1 else 'items'}"
        ]
    return [*_own_words(before, after), *_moves(before, after)]


def _own_words(before: Data, after: Data) -> Iterator[str]:
    for name, value in after.items():
        if name in Summary.model_fields or value is None:
            continue
        if name == "invoice":
            yield from _edits(before["invoice"], value)
        elif isinstance(value, Mapping):
            yield from (f"{_spaced(part)}: {_value(text)}" for part, text in value.items())
        else:
            yield f"{_spaced(name)}: {_value(value)}"


def _edits(before: Data, after: Data) -> Iterator[str]:
    for name in {**before, **after}:
        was, now = before.get(name), after.get(name)
        if was != now:
            yield f"{_spaced(name)}: {_value(was)} -> {_value(now)}"


def _moves(before: Data, after: Data) -> Iterator[str]:
    for name in Summary.model_fields:
        if before[name] != after[name]:
            yield f"{_spaced(name)}: {_value(before[name])} -> {_value(after[name])}"


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _value(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case str() | int():
            return plain(str(value))
        case list():
            return f"{len(value)} of them"
        case _:
            return "as given"
