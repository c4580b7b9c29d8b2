"""The OpenAPI 3.1 document: FastAPI tells the addresses, the models tell the bodies.

https://spec.openapis.org/oas/v3.1.0
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from invoicing.api.auth.access import TOKEN_PATH
from invoicing.api.docs import shapes
from invoicing.api.docs.calls import BODIES, SUCCESS, WITHOUT_BODY, CommandDocument
from invoicing.api.docs.examples import REQUESTS
from invoicing.api.http import problems
from invoicing.api.http.problems import HTTP_STATUS_BY_CODE, ProblemDocument
from invoicing.api.reads import answers
from invoicing.api.reads.feed import STREAM_MEDIA_TYPE
from invoicing.api.reads.views import InvoiceView
from invoicing.contracts.commands import COMMANDS
from invoicing.contracts.types.money import EXPONENTS

Document = dict[str, Any]

_DESCRIPTION: Final = """
Reads come from the current state and the history; every change is a command, the same that Kafka
carries, and waits for its answer. Money and numbers are decimal strings. Errors are problem
documents (RFC 9457) with a `code` for programs.

Send an `Idempotency-Key` with every change: asked again with the same key, however much later, it
happens once and is answered the same.
"""


_READ_ERRORS: Final = (400, 401, 403, 404, 406, 413, 414, 429, 431, 500, 503)
_WRITE_ERRORS: Final = (*_READ_ERRORS, 408, 409, 415, 422)
_OPEN_ERRORS: Final = (400, 404, 406, 408, 413, 414, 429, 431, 500, 503)

_ETAG: Final = {
    "description": "The invoice's version, in quotes.",
    "schema": {"type": "string", "pattern": '^"[0-9]+"$'},
}
_RETRY_AFTER: Final = {
    "description": "Seconds to wait before asking again.",
    "schema": {"type": "integer", "minimum": 0},
}
_LOCATION: Final = {"description": "Where to look.", "schema": {"type": "string"}}

_CURRENCY: Final[Document] = {
    "type": "string",
    "enum": sorted(EXPONENTS),
    "description": "An ISO 4217 code.",
}


class _WithoutTitles(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:
        """A field's name says as much."""
        return False


def describe(app: FastAPI, examples: Mapping[str, Any]) -> Document:
    """The document of the application's calls; the same for the same models and examples.

    `examples` of answers are by the name of their model.
    """
    document = get_openapi(
        title="Invoicing",
        version=version("invoicing"),
        openapi_version="3.1.0",
        description=_DESCRIPTION.strip(),
        routes=app.routes,
        separate_input_output_schemas=True,
    )
    schemas = _schemas()
    for address, calls in document["paths"].items():
        for method, operation in calls.items():
            _complete(operation, address, method)
    components = document.setdefault("components", {})
    components["schemas"] = schemas
    components["examples"] = {name: {"value": value} for name, value in sorted(examples.items())}
    components["responses"] = {str(status): _problem(status) for status in _all_errors()}
    told: Document = _with_currency_by_name(document)
    told["components"]["schemas"]["Currency"] = _CURRENCY
    return told


def _with_currency_by_name(schema: Any) -> Any:
    """The same, without the list of all currencies wherever one of them is meant."""
    if isinstance(schema, list):
        return [_with_currency_by_name(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    told = {name: _with_currency_by_name(part) for name, part in schema.items()}
    if told.get("enum") != _CURRENCY["enum"]:
        return told
    notes = {name: part for name, part in told.items() if name not in _CURRENCY}
    return {"$ref": "#/components/schemas/Currency", **notes}


def operation_id(route: APIRoute) -> str:
    """The name of a route's function, as OpenAPI's names are written."""
    first, *rest = route.name.split("_")
    return first + "".join(map(str.capitalize, rest))


def _complete(operation: Document, address: str, method: str) -> None:
    """Say what FastAPI cannot know: bodies, headers, answers."""
    name = operation["operationId"]
    is_change = method != "get" and address != TOKEN_PATH
    parameters = operation.setdefault("parameters", [])
    parameters += _headers(name, is_change)
    if name in BODIES:
        operation["requestBody"] = _request_body(name)
    elif address == TOKEN_PATH:
        content = _content(shapes.TokenRequest) | {"example": REQUESTS[name]}
        form = {"application/x-www-form-urlencoded": content}
        operation["requestBody"] = {"required": True, "content": form}
    operation["responses"] = _responses(name, address, is_change)


def _headers(name: str, is_change: bool) -> list[Document]:
    told = _CHANGE_HEADERS if is_change else _READ_HEADERS.get(name, ())
    return [_header(*entry) for entry in told]


_Header = tuple[str, str, str | None]

_CHANGE_HEADERS: Final[Sequence[_Header]] = (
    ("Idempotency-Key", "The command's id: the same again happens once.", "order-77-1"),
    ("If-Match", "The version that the invoice must have, as its ETag.", '"2"'),
    (
        "Prefer",
        "`wait=5`: seconds to wait for the answer, at most 30, by default 10."
        " `respond-async`: none, unless `wait` says how many.",
        "wait=5",
    ),
    ("traceparent", "W3C Trace Context, copied to all that follows.", None),
)
_READ_HEADERS: Final[Mapping[str, Sequence[_Header]]] = {
    "getInvoice": (("If-None-Match", "The version that you have, as its ETag.", '"2"'),),
    "getEvents": (("Last-Event-ID", "For a stream: where it was cut.", None),),
}
# What is likely to be asked of an invoice that a call has shown.
_LINKED: Final = (
    "getInvoice", "getInvoiceItems", "getInvoiceEvents", "updateInvoice", "openInvoice",
    "recordPayment", "voidInvoice", "archiveInvoice", "deleteInvoice",
)  # fmt: skip
_HEADER_SCHEMAS: Final[Mapping[str, Document]] = {
    "Idempotency-Key": {"type": "string", "pattern": "^[!-~]{1,256}$"},
    "If-Match": {"type": "string", "pattern": '^("[0-9]{1,9}"|\\*)$'},
}


def _header(name: str, description: str, example: str | None) -> Document:
    parameter = {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": _HEADER_SCHEMAS.get(name, {"type": "string"}),
    }
    return parameter if example is None else parameter | {"example": example}


def _request_body(name: str) -> Document:
    content = _content(BODIES[name]) | {"example": REQUESTS[name]}
    return {
        "required": name in ("createInvoice", "giveCommand"),
        "content": {answers.MEDIA_TYPE: content},
    }


def _responses(name: str, address: str, is_change: bool) -> Document:
    status, model = SUCCESS.get(name, ("200", InvoiceView))
    if name in WITHOUT_BODY:
        responses: Document = {"204": {"description": "Done."}}
    else:
        responses = {status: _success(name, model)}
    if is_change:
        responses["202"] = _pending()
    if name == "getInvoice":
        responses["304"] = {"description": "You have it.", "headers": {"ETag": _ETAG}}
    if name == "getReadiness":
        responses["503"] = _success(name, model)
    if address == TOKEN_PATH:
        responses |= {code: _success("tokenError", shapes.TokenError) for code in ("400", "401")}
    for error in _errors(address, is_change):
        responses.setdefault(str(error), {"$ref": f"#/components/responses/{error}"})
    return responses


def _errors(address: str, is_change: bool) -> tuple[int, ...]:
    if not address.startswith("/v1/"):
        return _OPEN_ERRORS
    return _WRITE_ERRORS if is_change else _READ_ERRORS


def _all_errors() -> list[int]:
    return sorted({*_READ_ERRORS, *_WRITE_ERRORS, *_OPEN_ERRORS})


def _success(name: str, model: type[BaseModel]) -> Document:
    content = _answer(model)
    if name == "getInvoice":
        content |= {"schema": {"anyOf": [content["schema"], _reference(shapes.InvoiceFields)]}}
    response: Document = {
        "description": (model.__doc__ or "").partition("\n")[0],
        "content": {answers.MEDIA_TYPE: content},
    }
    if name == "getEvents":
        response["content"][STREAM_MEDIA_TYPE] = {"schema": {"type": "string"}}
    if model is InvoiceView:
        response["headers"] = {"ETag": _ETAG}
        response["links"] = _links()
    if name == "giveCommand":
        response["links"] = _command_link("/data")
    if name == "createInvoice":
        response["headers"] |= {"Location": _LOCATION}
    return response


def _links() -> Document:
    by_id = {"parameters": {"invoice_id": "$response.body#/invoice_id"}}
    return {name: {"operationId": name, **by_id} for name in _LINKED}


def _command_link(prefix: str) -> Document:
    """To the command's answer; `prefix` is where the body tells its identity."""
    parameters = {
        "command_id": f"$response.body#{prefix}/command_id",
        "source": f"$response.body#{prefix}/command_source",
    }
    return {"getCommand": {"operationId": "getCommand", "parameters": parameters}}


def _pending() -> Document:
    return {
        "description": shapes.Pending.__doc__,
        "headers": {"Location": _LOCATION, "Retry-After": _RETRY_AFTER},
        "content": {answers.MEDIA_TYPE: _answer(shapes.Pending)},
        "links": _command_link(""),
    }


def _problem(status: int) -> Document:
    codes = sorted(
        str(code) for code, its_status in HTTP_STATUS_BY_CODE.items() if its_status == status
    )
    content = _content(ProblemDocument)
    content["example"] = {
        "type": f"urn:invoicing:problem:{codes[0]}",
        "title": next(s.phrase for s in HTTP_STATUS_BY_CODE.values() if s == status),
        "status": status,
        "detail": "In words.",
        "code": codes[0],
        "errors": [],
    }
    response: Document = {
        "description": f"`code` is one of {', '.join(codes)}.",
        "content": {problems.MEDIA_TYPE: content},
    }
    if status in (429, 503):
        response["headers"] = {"Retry-After": _RETRY_AFTER}
    if status == 401:
        response["headers"] = {
            "WWW-Authenticate": {"description": "RFC 6750.", "schema": {"type": "string"}}
        }
    return response


def _answer(model: type[BaseModel]) -> Document:
    example = {"$ref": f"#/components/examples/{model.__name__}"}
    return _content(model) | {"examples": {"made": example}}


def _content(model: type[BaseModel]) -> Document:
    return {"schema": _reference(model)}


def _reference(model: type[BaseModel]) -> Document:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _schemas() -> Document:
    given: set[type[BaseModel]] = {*BODIES.values(), shapes.TokenRequest}
    told: set[type[BaseModel]] = {model for _, model in SUCCESS.values()}
    told |= {InvoiceView, shapes.InvoiceFields, shapes.Pending, shapes.TokenError, ProblemDocument}
    by_name = sorted(given | told, key=lambda model: model.__name__)
    _, definitions = models_json_schema(
        [(model, "validation" if model in given else "serialization") for model in by_name],
        ref_template="#/components/schemas/{model}",
        schema_generator=_WithoutTitles,
    )
    schemas: Document = definitions["$defs"]
    for model in given:
        # What a command does not know, it refuses; and what is left out of an update, it leaves.
        schema = schemas[model.__name__]
        if model not in (CommandDocument, shapes.TokenRequest):
            schema["additionalProperties"] = False
        if model is COMMANDS["UpdateInvoice"]:
            for told_field in schema["properties"].values():
                told_field.pop("default", None)
    return dict(sorted(schemas.items()))
