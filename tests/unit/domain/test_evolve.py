"""Folding events into an invoice."""

import pytest

from invoicing.domain.evolve import evolve
from tests.support.domain.desk import open_desk


def test_the_first_event_must_create_the_invoice() -> None:
    (_, (opened, recorded_at)) = open_desk().history
    with pytest.raises(TypeError, match=r"cannot be invoice\.opened"):
        evolve(None, opened, recorded_at)


def test_each_event_is_one_version_and_the_state_keeps_when_it_was_entered() -> None:
    (created, first), (opened, _) = open_desk().history
    draft = evolve(None, created, first)
    invoice = evolve(draft, opened, later := first.replace(hour=23))
    assert (draft.version, invoice.version) == (1, 2)
    assert invoice.entered == {"draft": first, "open": later}
    assert (invoice.created_at, invoice.updated_at) == (first, later)
