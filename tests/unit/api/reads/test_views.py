"""An invoice as HTTP returns it."""

from pathlib import Path

import pytest

from invoicing.api.reads.views import view_of
from invoicing.domain.invoice import Invoice, summary_of

GOLDEN = Path(__file__).parents[2] / "golden/states_v1.jsonl"


@pytest.mark.parametrize("snapshot", GOLDEN.read_text(encoding="utf-8").splitlines())
def test_a_snapshot_of_the_first_releases_is_shown_with_the_fields_that_it_lacks(
    snapshot: str,
) -> None:
    view = view_of(snapshot, "upcoming")
    invoice = Invoice.model_validate_json(snapshot)
    shown = {name: str(view[name]) for name in summary_of(invoice)}
    assert shown == {name: str(value) for name, value in summary_of(invoice).items()}
