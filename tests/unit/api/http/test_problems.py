"""Every code has its status, in one place."""

from invoicing.api.http.problems import STATUSES, ProblemCode
from invoicing.contracts.replies import RejectionCode


def test_every_code_has_a_status_that_is_no_success() -> None:
    assert set(STATUSES) == {*ProblemCode, *RejectionCode}
    assert all(status >= 400 for status in STATUSES.values())
