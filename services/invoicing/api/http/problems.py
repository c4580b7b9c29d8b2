"""Errors: problem documents (RFC 9457) with a `code` for programs and `errors` by field."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

import orjson
from pydantic import Field
from starlette.responses import Response

from invoicing.api.http.bodies import Body
from invoicing.api.http.request_ids import HEADER, current_request_id
from invoicing.contracts.replies import FieldError, RejectionCode

MEDIA_TYPE: Final = "application/problem+json"


class ProblemCode(StrEnum):
    """Why a request failed, besides the rejections of commands (`RejectionCode`)."""

    MALFORMED_REQUEST = "malformed_request"
    INVALID_QUERY = "invalid_query"
    INVALID_CURSOR = "invalid_cursor"
    INVALID_TOKEN = "invalid_token"  # noqa: S105 (a code)
    INSUFFICIENT_SCOPE = "insufficient_scope"
    FORBIDDEN_SELLER = "forbidden_seller"
    FORBIDDEN_SOURCE = "forbidden_source"
    NOT_FOUND = "not_found"
    VERSION_NOT_FOUND = "version_not_found"
    COMMAND_NOT_FOUND = "command_not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    NOT_ACCEPTABLE = "not_acceptable"
    REQUEST_TIMEOUT = "request_timeout"
    BODY_TOO_LARGE = "body_too_large"
    URI_TOO_LONG = "uri_too_long"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    HEADERS_TOO_LARGE = "headers_too_large"
    TOO_MANY_REQUESTS = "too_many_requests"
    INTERNAL_ERROR = "internal_error"
    UNAVAILABLE = "unavailable"


HTTP_STATUS_BY_CODE: Final[Mapping[str, HTTPStatus]] = MappingProxyType(
    {
        ProblemCode.MALFORMED_REQUEST: HTTPStatus.BAD_REQUEST,
        ProblemCode.INVALID_QUERY: HTTPStatus.BAD_REQUEST,
        ProblemCode.INVALID_CURSOR: HTTPStatus.BAD_REQUEST,
        ProblemCode.INVALID_TOKEN: HTTPStatus.UNAUTHORIZED,
        ProblemCode.INSUFFICIENT_SCOPE: HTTPStatus.FORBIDDEN,
        ProblemCode.FORBIDDEN_SELLER: HTTPStatus.FORBIDDEN,
        ProblemCode.FORBIDDEN_SOURCE: HTTPStatus.FORBIDDEN,
        ProblemCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
        ProblemCode.VERSION_NOT_FOUND: HTTPStatus.NOT_FOUND,
        ProblemCode.COMMAND_NOT_FOUND: HTTPStatus.NOT_FOUND,
        ProblemCode.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
        ProblemCode.NOT_ACCEPTABLE: HTTPStatus.NOT_ACCEPTABLE,
        ProblemCode.REQUEST_TIMEOUT: HTTPStatus.REQUEST_TIMEOUT,
        ProblemCode.BODY_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        ProblemCode.URI_TOO_LONG: HTTPStatus.REQUEST_URI_TOO_LONG,
        ProblemCode.UNSUPPORTED_MEDIA_TYPE: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        ProblemCode.HEADERS_TOO_LARGE: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        ProblemCode.TOO_MANY_REQUESTS: HTTPStatus.TOO_MANY_REQUESTS,
        ProblemCode.INTERNAL_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
        ProblemCode.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
        # The command's data is wrong, whatever the invoice's state.
        RejectionCode.INVALID_COMMAND: HTTPStatus.UNPROCESSABLE_ENTITY,
        RejectionCode.UNKNOWN_COMMAND: HTTPStatus.UNPROCESSABLE_ENTITY,
        RejectionCode.LIMIT_EXCEEDED: HTTPStatus.UNPROCESSABLE_ENTITY,
        RejectionCode.CURRENCY_MISMATCH: HTTPStatus.UNPROCESSABLE_ENTITY,
        RejectionCode.AMOUNT_EXCEEDS_BALANCE: HTTPStatus.UNPROCESSABLE_ENTITY,
        RejectionCode.UNKNOWN_PAYMENT: HTTPStatus.UNPROCESSABLE_ENTITY,
        RejectionCode.UNKNOWN_REFUND: HTTPStatus.UNPROCESSABLE_ENTITY,
        RejectionCode.UNKNOWN_DISPUTE: HTTPStatus.UNPROCESSABLE_ENTITY,
        RejectionCode.UNKNOWN_SOURCE: HTTPStatus.UNPROCESSABLE_ENTITY,
        RejectionCode.UNKNOWN_SELLER: HTTPStatus.UNPROCESSABLE_ENTITY,
        RejectionCode.UNKNOWN_ITEM: HTTPStatus.UNPROCESSABLE_ENTITY,
        RejectionCode.UNKNOWN_CREDIT_NOTE: HTTPStatus.UNPROCESSABLE_ENTITY,
        RejectionCode.NO_RECIPIENT: HTTPStatus.UNPROCESSABLE_ENTITY,
        RejectionCode.NEGATIVE_TOTAL: HTTPStatus.UNPROCESSABLE_ENTITY,
        RejectionCode.NO_ITEMS: HTTPStatus.UNPROCESSABLE_ENTITY,
        RejectionCode.TAX_MISMATCH: HTTPStatus.UNPROCESSABLE_ENTITY,
        RejectionCode.SENSITIVE_DATA: HTTPStatus.UNPROCESSABLE_ENTITY,
        # The invoice's current state does not allow it.
        RejectionCode.INVOICE_NOT_FOUND: HTTPStatus.NOT_FOUND,
        RejectionCode.IDEMPOTENCY_CONFLICT: HTTPStatus.CONFLICT,
        RejectionCode.VERSION_CONFLICT: HTTPStatus.CONFLICT,
        RejectionCode.INVOICE_ALREADY_EXISTS: HTTPStatus.CONFLICT,
        RejectionCode.ILLEGAL_TRANSITION: HTTPStatus.CONFLICT,
        RejectionCode.HAS_PAYMENTS: HTTPStatus.CONFLICT,
        RejectionCode.HAS_CREDIT_NOTES: HTTPStatus.CONFLICT,
        RejectionCode.NOTHING_TO_PAY: HTTPStatus.CONFLICT,
        RejectionCode.NOTHING_TO_CREDIT: HTTPStatus.CONFLICT,
        RejectionCode.PAYMENT_IN_PROGRESS: HTTPStatus.CONFLICT,
        RejectionCode.DUPLICATE_PAYMENT: HTTPStatus.CONFLICT,
        RejectionCode.DUPLICATE_REFUND: HTTPStatus.CONFLICT,
        RejectionCode.DUPLICATE_RETURN: HTTPStatus.CONFLICT,
        RejectionCode.DUPLICATE_DISPUTE: HTTPStatus.CONFLICT,
        RejectionCode.DISPUTE_CLOSED: HTTPStatus.CONFLICT,
        RejectionCode.DUPLICATE_CREDIT_NOTE: HTTPStatus.CONFLICT,
        RejectionCode.DUPLICATE_SOURCE: HTTPStatus.CONFLICT,
        RejectionCode.SOURCE_UNUSABLE: HTTPStatus.CONFLICT,
        RejectionCode.NOT_PAST_DUE: HTTPStatus.CONFLICT,
        RejectionCode.PERIOD_LOCKED: HTTPStatus.CONFLICT,
        RejectionCode.ALREADY_SENT: HTTPStatus.CONFLICT,
    }
)
"""The HTTP status of every code."""


class ProblemDocument(Body):
    """What went wrong (RFC 9457)."""

    type: str = Field(description="Names the kind of problem.", examples=["urn:invoicing:problem"])
    title: str = Field(description="The status in words.", examples=["Conflict"])
    status: int = Field(description="The HTTP status.", examples=[409])
    detail: str = Field(description="The error, for people.")
    code: str = Field(description="The error, for programs.", examples=["illegal_transition"])
    errors: tuple[FieldError, ...] = Field(description="The fields to correct, if any are wrong.")
    request_id: str | None = Field(
        None, description="The request's id, as in `X-Request-Id`. Quote it to support."
    )
    command_id: str | None = Field(None, description="The id of the command.")
    command_source: str | None = Field(None, description="The command's source.")
    invoice_id: str | None = Field(None, description="The invoice that the command named.")
    version: int | None = Field(None, description="The invoice's version.")
    state: str | None = Field(None, description="The invoice's state.")
    available_commands: tuple[str, ...] | None = Field(
        None, description="What the invoice would accept now."
    )


class ProblemError(Exception):
    """Ends a request with a problem document."""

    def __init__(
        self,
        code: ProblemCode | RejectionCode,
        detail: str,
        errors: Sequence[FieldError] = (),
        *,
        headers: Mapping[str, str] | None = None,
        about: Mapping[str, Any] | None = None,
        status: HTTPStatus | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = headers
        self.about = about or {}
        self.status = status

    def response(self) -> Response:
        """The problem document, with the given status or that of its code."""
        status = self.status or HTTP_STATUS_BY_CODE[self.code]
        document = {
            "type": f"urn:invoicing:problem:{self.code}",
            "title": status.phrase,
            "status": status.value,
            "detail": self.detail,
            "code": self.code,
            "errors": [error.model_dump() for error in self.errors],
            **self.about,
        }
        headers = dict(self.headers or {})
        request_id = current_request_id()
        if request_id is not None:
            document["request_id"] = request_id
            # Middleware adds it as well, but not to the response of an unhandled exception.
            headers[HEADER] = request_id
        return Response(orjson.dumps(document), status, headers=headers, media_type=MEDIA_TYPE)


def invoice_not_found() -> ProblemError:
    """The same for a missing invoice and for one that the client may not see."""
    return ProblemError(RejectionCode.INVOICE_NOT_FOUND, "Invoice not found.")
