"""A write request becomes a command, and the command's reply becomes the response."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import quote
from uuid import UUID, uuid4, uuid5

import orjson
from fastapi import Depends, Request
from starlette.responses import Response

from invoicing.api.auth.access import Writer, too_many_requests
from invoicing.api.auth.tokens import Client
from invoicing.api.http.problems import ProblemCode, ProblemError, invoice_not_found
from invoicing.api.reads.answers import invoice_response, json_response
from invoicing.api.reads.queries import find_row, get_as_of, versions_of_rows
from invoicing.api.state import AppState, AppStateOf
from invoicing.api.writes.gateway import Answered, KafkaUnavailableError, StillPending
from invoicing.api.writes.preferences import expected_version, wait_seconds
from invoicing.api.writes.preview import preview
from invoicing.contracts import replies
from invoicing.contracts.dead_letters import DeadLetterReason
from invoicing.contracts.envelope import (
    IDENTITY_CHARACTERS_MAX,
    CommandEnvelope,
    DecodeFailure,
    read_command,
)
from invoicing.contracts.replies import Rejection, RejectionCode
from invoicing.contracts.types.texts import INVOICE_ID_PATTERN, INVOICE_ID_REASON
from invoicing.runtime import clock

RETRY_AFTER_SECONDS: Final = 1

_NEW_INVOICES: Final = UUID("3f1c9f9d-2a67-5c0e-9b1b-6a4d7b6c9e55")
_JSON_TYPES: Final = ("application/json", "application/cloudevents+json")


@dataclass(frozen=True)
class CommandEndpoint:
    """Sends the command of one request, and returns its response."""

    request: Request
    client: Client
    state: AppState

    async def data(self) -> dict[str, Any]:
        """The request's body, as the data of a command. Raises `ProblemError`."""
        media_type = self.request.headers.get("content-type", _JSON_TYPES[0]).partition(";")[0]
        if media_type.strip().lower() not in _JSON_TYPES:
            raise ProblemError(ProblemCode.UNSUPPORTED_MEDIA_TYPE, "The body must be JSON.")
        value = await self.request.body()
        attributes = {"specversion": "1.0", "id": "-", "source": "-", "type": "-", "subject": "-"}
        headers = [(f"ce_{name}", text.encode()) for name, text in attributes.items()]
        read = read_command(value, headers)
        if isinstance(read, DecodeFailure):
            raise _unreadable(read)
        if not isinstance(read.data, dict):
            raise ProblemError(ProblemCode.MALFORMED_REQUEST, "The body must be a JSON object.")
        return read.data

    async def create(self) -> Response:
        """Create an invoice under the given id, or one derived from the command's id."""
        data = await self.data()
        command_id = self._command_id()
        invoice_id = data.pop("invoice_id", None)
        if invoice_id is None:
            # Derived from the command's id, so that a repeat creates no second invoice.
            invoice_id = "inv_" + uuid5(_NEW_INVOICES, f"{self.client.id}\n{command_id}").hex
        _check_invoice_id(invoice_id, "invoice_id")
        if not self.client.sees_all:
            data.setdefault("seller_id", self.client.seller_id)
        return await self._execute("CreateInvoice", invoice_id, data, command_id, status=201)

    async def execute(
        self, command_type: str, invoice_id: str, given: Mapping[str, Any] | None = None
    ) -> Response:
        """Send a command with the body as its data, and the fields that the path adds."""
        data = {**await self.data(), **(given or {})}
        return await self._execute(command_type, invoice_id, data, self._command_id(), status=200)

    async def execute_without_body(
        self, command_type: str, invoice_id: str, given: Mapping[str, Any] | None = None
    ) -> Response:
        """Send a command without a body; the response has none either."""
        data = dict(given or {})
        return await self._execute(command_type, invoice_id, data, self._command_id(), status=204)

    async def execute_envelope(self) -> Response:
        """Send the command that the body is, envelope included."""
        value = await self._envelope()
        headers: list[tuple[str, bytes | None]] = [
            ("content-type", b"application/cloudevents+json")
        ]
        traceparent = self.request.headers.get("traceparent")
        if traceparent:
            headers.append(("traceparent", traceparent.encode()))
        answer = await self._send(value, headers)
        if isinstance(answer, Response):
            return answer
        return json_response(answer.reply, headers=_replayed(answer))

    async def preview(self) -> Response:
        """Decide the command that the body is, envelope included, without sending it."""
        command = read_command(await self._envelope(), [])
        if isinstance(command, DecodeFailure):
            raise _unreadable(command)
        if command.errors or not isinstance(command.data, dict):
            data_error = replies.FieldError(field="data", reason="must be an object")
            raise ProblemError(
                RejectionCode.INVALID_COMMAND,
                "The command's envelope is not valid; errors say where.",
                command.errors or [data_error],
            )
        wait = self.state.previews.take(self.client.id)
        if wait:
            raise too_many_requests(wait)
        await self._check_fence(command)
        return json_response(await preview(command, self.state, self.client))

    async def _envelope(self) -> bytes:
        """The body as a command's record. Raises `ProblemError`."""
        envelope = self._with_defaults(await self.data())
        _check_invoice_id(envelope.get("subject"), "subject")
        return _encoded(envelope)

    def _with_defaults(self, envelope: Mapping[str, Any]) -> dict[str, Any]:
        """The envelope, completed from the headers and the token. Raises `ProblemError`."""
        from_headers: list[tuple[str, str, object]] = [
            ("Idempotency-Key", "id", self._idempotency_key()),
            ("If-Match", "expectedversion", expected_version(self.request)),
        ]
        # In CloudEvents, a null attribute is an absent one.
        completed = {name: value for name, value in envelope.items() if value is not None}
        for header, attribute, value in from_headers:
            if value is not None and completed.setdefault(attribute, value) != value:
                raise ProblemError(
                    ProblemCode.MALFORMED_REQUEST,
                    f"{header} contradicts the envelope's {attribute}.",
                )
        return {"id": uuid4().hex, "source": self.client.id, **completed}

    async def _execute(
        self,
        command_type: str,
        invoice_id: str,
        data: Mapping[str, Any],
        command_id: str,
        *,
        status: int,
    ) -> Response:
        envelope: dict[str, Any] = {
            "specversion": "1.0",
            "id": command_id,
            "source": self.client.id,
            "type": command_type,
            "subject": invoice_id,
            "datacontenttype": "application/json",
            "data": data,
        }
        version = expected_version(self.request)
        if version is not None:
            envelope["expectedversion"] = version
        if "traceparent" in self.request.headers:
            envelope["traceparent"] = self.request.headers["traceparent"]
        answer = await self._send(_encoded(envelope), [])
        if isinstance(answer, Response):
            return answer
        if status == 204:
            return Response(status_code=204, headers=_replayed(answer))
        return await self._invoice(answer, status)

    async def _send(
        self, value: bytes, headers: list[tuple[str, bytes | None]]
    ) -> Answered | Response:
        """The reply of an accepted command, or 202. Raises `ProblemError` if it was rejected."""
        command = read_command(value, headers)
        if isinstance(command, DecodeFailure):
            raise _unreadable(command)
        await self._check_fence(command)
        wait = wait_seconds(self.request)
        try:
            answer = await self.state.gateway.ask(command, value, wait)
        except KafkaUnavailableError:
            raise _unconfirmed(command) from None
        if isinstance(answer, StillPending):
            location = _address(command) + (f"&sent_to={answer.sent_to}" if answer.sent_to else "")
            pending = {"Location": location, "Retry-After": str(RETRY_AFTER_SECONDS)}
            return json_response({"status": "pending", **_identity(command)}, 202, pending)
        if isinstance(answer, Rejection):
            raise ProblemError(answer.code, answer.message, about=_identity(command))
        if answer.reply["type"] == replies.REJECTED:
            raise self._rejected(answer)
        return answer

    async def _check_fence(self, command: CommandEnvelope) -> None:
        """To a single-seller client, other sellers' invoices do not exist."""
        client = self.client
        if client.sees_all:
            return
        if command.source != client.id:
            raise ProblemError(
                ProblemCode.FORBIDDEN_SOURCE, "The command's source must be your client id."
            )
        if command.type != "CreateInvoice":
            async with self.state.database.reading(client) as connection:
                await find_row(connection, command.subject, client)
            return
        data = command.data
        seller_id = data.get("seller_id", "default") if isinstance(data, dict) else None
        if seller_id != client.seller_id:
            raise ProblemError(
                ProblemCode.FORBIDDEN_SELLER, "The invoice's seller_id must be your own seller."
            )

    async def _invoice(self, answer: Answered, status: int) -> Response:
        """The invoice as the command left it, so that a repeat gets the same response."""
        data = answer.reply["data"]
        invoice_id, version = data["invoice_id"], data["version"]
        async with self.state.database.reading(self.client) as connection:
            row = await find_row(connection, invoice_id, self.client)
            [found] = await versions_of_rows(connection, [row], clock.now())
            if found.version != version:
                found = await get_as_of(connection, invoice_id, version=version)
        location = {"Location": f"/v1/invoices/{invoice_id}"} if status == 201 else {}
        return invoice_response(found.view, found.version, status, location | _replayed(answer))

    def _rejected(self, answer: Answered) -> ProblemError:
        rejection = answer.reply["data"]
        code = RejectionCode(rejection["code"])
        if code is RejectionCode.INVOICE_NOT_FOUND:
            return invoice_not_found()
        about = {name: rejection[name] for name in ("command_id", "command_source", "invoice_id")}
        # The id may belong to another seller's invoice, whose state must not be revealed.
        if self.client.sees_all or code is not RejectionCode.INVOICE_ALREADY_EXISTS:
            about |= {name: rejection[name] for name in ("version", "state", "available_commands")}
        # RFC 9110, 13.1.1: a precondition of the request's own headers has failed.
        is_precondition = (
            code is RejectionCode.VERSION_CONFLICT and "if-match" in self.request.headers
        )
        return ProblemError(
            code,
            rejection["message"],
            [replies.FieldError(**error) for error in rejection["errors"]],
            headers=_replayed(answer),
            about=about,
            status=HTTPStatus.PRECONDITION_FAILED if is_precondition else None,
        )

    def _command_id(self) -> str:
        return self._idempotency_key() or uuid4().hex

    def _idempotency_key(self) -> str | None:
        key = self.request.headers.get("idempotency-key")
        if key is not None and not (1 <= len(key) <= IDENTITY_CHARACTERS_MAX and key.isprintable()):
            raise ProblemError(
                ProblemCode.MALFORMED_REQUEST,
                f"Idempotency-Key must be 1 to {IDENTITY_CHARACTERS_MAX} printable characters.",
            )
        return key


async def _endpoint(request: Request, client: Writer, state: AppStateOf) -> CommandEndpoint:
    return CommandEndpoint(request, client, state)


CommandEndpointOf = Annotated[CommandEndpoint, Depends(_endpoint)]


def _encoded(envelope: Mapping[str, Any]) -> bytes:
    """As UTF-8, so that a body within the limit makes a record within the limit in any script."""
    try:
        return orjson.dumps(envelope)
    except TypeError:  # a lone surrogate, which the command's schema rejects
        return json.dumps(envelope).encode()


def _unreadable(unreadable: DecodeFailure) -> ProblemError:
    if unreadable.reason is DeadLetterReason.TOO_LARGE:
        return ProblemError(ProblemCode.BODY_TOO_LARGE, unreadable.message)
    return ProblemError(ProblemCode.MALFORMED_REQUEST, unreadable.message)


def _identity(command: CommandEnvelope) -> dict[str, str]:
    return {
        "command_id": command.id,
        "command_source": command.source,
        "invoice_id": command.subject,
    }


def _address(command: CommandEnvelope) -> str:
    source = quote(command.source, safe="")
    return f"/v1/commands/{quote(command.id, safe='')}?source={source}"


def _check_invoice_id(value: object, field: str) -> None:
    if not isinstance(value, str) or not re.fullmatch(INVOICE_ID_PATTERN, value, re.ASCII):
        raise ProblemError(
            RejectionCode.INVALID_COMMAND,
            "The command is not valid; errors say where.",
            [replies.FieldError(field=field, reason=INVOICE_ID_REASON)],
        )


def _replayed(answer: Answered) -> dict[str, str]:
    return {"Idempotent-Replayed": "true"} if answer.replayed else {}


def _unconfirmed(command: CommandEnvelope) -> ProblemError:
    return ProblemError(
        ProblemCode.UNAVAILABLE,
        "The command could not be confirmed. Retry with the same Idempotency-Key; it is applied at"
        " most once.",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS), "Location": _address(command)},
        about=_identity(command),
    )
