"""Events and amounts as text, the same in every command."""

from collections.abc import Iterable, Iterator, Mapping
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
    found: list[str] = []
    for name, value in after.items():
        if name in Summary.model_fields or value is None:
            continue
        if name == "invoice":
            found += _differences(before["invoice"], value, {**before["invoice"], **value})
        elif isinstance(value, Mapping):
            found += (f"{_spaced(part)}: {_value(text)}" for part, text in value.items())
        else:
            found.append(f"{_spaced(name)}: {_value(value)}")
    return [*found, *_differences(before, after, Summary.model_fields)]


def _differences(before: Data, after: Data, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        old, new = before.get(name), after.get(name)
        if old != new:
            yield f"{_spaced(name)}: {_value(old)} -> {_value(new)}"


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
