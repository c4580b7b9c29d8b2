"""Every row of docs/parity.md that HTTP can show: the call, and what it must show."""

from collections.abc import Mapping, Sequence

from tests.parity import alternative_payments, digital_river, zuora
from tests.parity.case import Case

TABLE: Mapping[str, Sequence[Case]] = {
    **alternative_payments.TABLE,
    **digital_river.TABLE,
    **zuora.TABLE,
}
"""The cases of each section of the page, by its heading."""
