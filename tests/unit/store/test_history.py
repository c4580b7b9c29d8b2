"""Stored events folded into states, one at a time."""

import pytest

from invoicing.store.history import next_state, replay
from invoicing.tools.schemas.story import run_story

ITEMS = [{"amount": "9.00"}]
EVENTS = run_story(
    [
        ("CreateInvoice", "inv_1", {"customer_id": "cus_1", "currency": "USD", "items": ITEMS}),
        ("RecordPayment", "inv_1", {"payment_id": "p", "amount": "9.00", "currency": "USD"}),
    ]
).events


def test_each_event_gives_the_next_state() -> None:
    states = replay(EVENTS)

    assert [state.version for state in states] == [event.version for event in EVENTS]
    assert next_state(states[-2], EVENTS[-1], check_version=True) == states[-1]


def test_a_missing_version_is_an_error_where_versions_are_checked() -> None:
    first = next_state(None, EVENTS[0], check_version=True)

    with pytest.raises(ValueError, match="expected version 2, found version 3"):
        next_state(first, EVENTS[1]._replace(version=3), check_version=True)
    assert next_state(first, EVENTS[1]._replace(version=3)) == next_state(first, EVENTS[1])


def test_a_history_cannot_begin_with_another_event() -> None:
    with pytest.raises(TypeError, match="first event"):
        next_state(None, EVENTS[-1])
