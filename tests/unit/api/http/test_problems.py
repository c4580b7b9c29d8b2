"""Every code has its status, in one place."""

from invoicing.api.http.problems import HTTP_STATUS_BY_CODE, ProblemCode
from invoicing.contracts.replies import RejectionCode


def test_every_code_has_a_status_that_is_no_success() -> None:
    assert set(HTTP_STATUS_BY_CODE) == {*ProblemCode, *RejectionCode}
    assert all(status >= 400 for status in HTTP_STATUS_BY_CODE.values())
