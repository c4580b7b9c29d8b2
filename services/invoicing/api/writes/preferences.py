"""Request headers that control a write: Prefer and If-Match."""

import re
from typing import Final

from fastapi import Request

from invoicing.api.http.problems import ProblemCode, ProblemError

WAIT_SECONDS_DEFAULT: Final = 10.0
WAIT_SECONDS_MAX: Final = 30.0

_WAIT: Final = re.compile(r"\s*wait\s*=\s*\"?([0-9]+)\"?\s*", re.ASCII | re.IGNORECASE)
_VERSION: Final = re.compile(r'"?([0-9]{1,9})"?', re.ASCII)


def wait_seconds(request: Request) -> float:
    """How long to wait for the reply: `Prefer: wait=5` (RFC 7240). Unknown preferences are ignored.

    `respond-async` alone does not wait; with `wait`, it responds 202 after that time.
    """
    preferences = ",".join(request.headers.getlist("prefer")).split(",")
    for preference in preferences:
        if match := _WAIT.fullmatch(preference):
            return min(float(match[1]), WAIT_SECONDS_MAX)
    is_async = any(preference.strip().lower() == "respond-async" for preference in preferences)
    return 0.0 if is_async else WAIT_SECONDS_DEFAULT


def expected_version(request: Request) -> int | None:
    """The version that the invoice must have, from `If-Match`; None if any will do."""
    tag = request.headers.get("if-match")
    if tag is None or tag.strip() == "*":
        return None
    match = _VERSION.fullmatch(tag.strip())
    if match is None:
        raise ProblemError(
            ProblemCode.MALFORMED_REQUEST, 'If-Match must be one ETag of the invoice, such as "3".'
        )
    return int(match[1])
