"""The OpenAPI 3.1 document: paths from FastAPI, bodies from the models of the routes.

https://spec.openapis.org/oas/v3.1.0
"""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final, get_args

from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from starlette.routing import BaseRoute

from invoicing.api.docs.examples import REQUESTS
from invoicing.api.http import problems
from invoicing.api.http.problems import HTTP_STATUS_BY_CODE, ProblemDocument
from invoicing.api.http.query import parameters_of
from invoicing.api.http.routing import RequestBody, body_of, header
from invoicing.api.reads import answers
from invoicing.api.reads.answers import (
    ETAG_HEADER,
    IDEMPOTENT_REPLAYED_HEADER,
    RETRY_AFTER_HEADER,
)
from invoicing.api.reads.cloud_events import AnswerDocument
from invoicing.api.reads.commands import Pending
from invoicing.api.reads.views import InvoiceView
from invoicing.contracts.commands import CommandData, UpdateInvoice
from invoicing.contracts.replies import RejectionCode
from invoicing.contracts.types.money import EXPONENTS

Document = dict[str, Any]

_DESCRIPTION: Final = """
Reads show the current state and the history. Every write is a command, the same that Kafka carries,
and waits for its reply. Amounts and quantities are decimal strings. Errors are problem documents
(RFC 9457) with a `code` for programs.

Send an `Idempotency-Key` with every write. A repeat with the same key, at any later time, is not
applied again and gets the same response, with `Idempotent-Replayed: true`.

Every response has an `X-Request-Id`: the one that was sent, or a new one. Problem documents and the
service's logs have it as `request_id`.
"""


_TAGS: Final = [
    {"name": "Lists", "description": "Pages of invoices, of their items and of credit notes."},
    {"name": "Reports", "description": "Sums of invoices."},
    {"name": "Invoices", "description": "One invoice: current or past, and its history."},
    {"name": "Changes", "description": "Writes. Each sends one command."},
    {"name": "Commands", "description": "Replies to commands."},
    {"name": "Feed", "description": "All events, in pages or as a stream."},
    {"name": "Access", "description": "Bearer tokens."},
    {"name": "Service", "description": "Health checks."},
]

_READ_ERRORS: Final = (400, 401, 403, 404, 406, 413, 414, 429, 431, 500, 503)
_WRITE_ERRORS: Final = (*_READ_ERRORS, 408, 409, 412, 415, 422)
_OPEN_ERRORS: Final = (400, 404, 406, 408, 413, 414, 429, 431, 500, 503)

_LOCATION: Final = {"description": "The URL of the resource.", "schema": {"type": "string"}}

_CURRENCY: Final[Document] = {
    "type": "string",
    "enum": sorted(EXPONENTS),
    "description": "An ISO 4217 code.",
}


class WithoutTitles(GenerateJsonSchema):
    """JSON Schema without a title for each field."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never: the name of the field is enough."""
        return False


def describe(all_routes: Sequence[BaseRoute], examples: Mapping[str, Any]) -> Document:
    """The document of these routes; the same for the same models and examples.

    `examples` of responses are by the name of their model.
    """
    document = get_openapi(
        title="Invoicing",
        version=version("invoicing"),
        openapi_version="3.1.0",
        description=_DESCRIPTION.strip(),
        routes=all_routes,
        servers=[{"url": "/", "description": "The server of this document."}],
        tags=_TAGS,
        separate_input_output_schemas=True,
    )
    routes = [
        route for route in all_routes if isinstance(route, APIRoute) and route.include_in_schema
    ]
    for route in routes:
        [method] = list(route.methods or ())
        operation = document["paths"][route.path_format][method.lower()]
        words = re.findall("[A-Z]?[a-z]+", operation["operationId"])
        operation["summary"] = " ".join(words).capitalize()
        operation["parameters"] = _parameters(route, operation)
        body = body_of(route)
        if body is not None:
            operation["requestBody"] = _request_body(body, operation["operationId"])
        operation["responses"] = _responses(route)
        operation.setdefault("security", [])
    components = document.setdefault("components", {})
    components["schemas"] = _schemas(routes)
    components["examples"] = {name: {"value": value} for name, value in sorted(examples.items())}
    errors = sorted({*_READ_ERRORS, *_WRITE_ERRORS, *_OPEN_ERRORS})
    components["responses"] = {str(status): _problem(status) for status in errors}
    shared: Document = _with_currency_by_name(document)
    shared["components"]["schemas"]["Currency"] = _CURRENCY
    return shared


def _with_currency_by_name(schema: Any) -> Any:
    """The schema, with a reference to `Currency` instead of each list of all currencies."""
    if isinstance(schema, list):
        return [_with_currency_by_name(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {name: _with_currency_by_name(part) for name, part in schema.items()}
    if parts.get("enum") != _CURRENCY["enum"]:
        return parts
    notes = {name: part for name, part in parts.items() if name not in _CURRENCY}
    return {"$ref": "#/components/schemas/Currency", **notes}


def _is_change(route: APIRoute) -> bool:
    return route.methods != {"GET"} and route.path.startswith("/v1/")


def _parameters(route: APIRoute, operation: Document) -> list[Document]:
    """Parameters of the path, the query and the headers."""
    given = operation.get("parameters", [])
    query = [
        parameter
        for dependency in route.dependant.dependencies
        if isinstance(model := getattr(dependency.call, "__self__", None), type)
        for parameter in parameters_of(model)
    ]
    in_path = [parameter for parameter in given if parameter["in"] == "path"]
    headers = [parameter for parameter in given if parameter["in"] == "header"]
    return [*in_path, *query, *headers, *(_CHANGE_HEADERS if _is_change(route) else ())]


def _change_header(
    name: str, description: str, example: str | None = None, pattern: str | None = None
) -> Document:
    parameter: Document
    [parameter] = header(name, description, example)["parameters"]
    if pattern is not None:
        parameter["schema"]["pattern"] = pattern
    return parameter


_CHANGE_HEADERS: Final = (
    _change_header(
        "Idempotency-Key",
        "The command's id. A repeat with the same key is applied once.",
        "order-77-1",
        "^[!-~]{1,256}$",
    ),
    _change_header(
        "If-Match",
        "The version that the invoice must have, as its ETag.",
        '"2"',
        '^("[0-9]{1,9}"|\\*)$',
    ),
    _change_header(
        "Prefer",
        "`wait=5`: seconds to wait for the reply, at most 30, by default 10."
        " `respond-async`: do not wait, or only for `wait`.",
        "wait=5",
    ),
    _change_header("traceparent", "W3C Trace Context, copied to the events and the reply."),
)
# Likely next calls for a returned invoice.
_LINKED: Final = (
    "getInvoice", "getInvoiceItems", "getInvoiceEvents", "updateInvoice", "openInvoice",
    "recordPayment", "voidInvoice", "archiveInvoice", "deleteInvoice",
)  # fmt: skip


def _request_body(body: RequestBody, operation_id: str) -> Document:
    fields = body.model.model_fields.items()
    from_fields = {name: field.examples[0] for name, field in fields if field.examples}
    content = _content(body.model) | {"example": REQUESTS.get(operation_id, from_fields)}
    return {"required": body.required, "content": {body.media_type: content}}


def _responses(route: APIRoute) -> Document:
    status = route.status_code or 200
    responses: Document = {str(status): _success(route, status)}
    for code, given in route.responses.items():
        model = given.get("model")
        described = _body(model) if model else {}
        merged = responses.setdefault(str(code), {"description": ""})
        content = {**merged.get("content", {}), **described.get("content", {})}
        content |= given.get("content", {})
        merged |= described | {name: part for name, part in given.items() if name != "model"}
        if content:
            merged["content"] = content
    if _is_change(route):
        responses["202"] = _pending()
        replayed = responses[str(status)].setdefault("headers", {})
        replayed["Idempotent-Replayed"] = IDEMPOTENT_REPLAYED_HEADER
    errors = _WRITE_ERRORS if _is_change(route) else _READ_ERRORS
    for error in errors if route.path.startswith("/v1/") else _OPEN_ERRORS:
        responses.setdefault(str(error), {"$ref": f"#/components/responses/{error}"})
    return responses


def _success(route: APIRoute, status: int) -> Document:
    if route.response_model is None:
        return {"description": "Done."}
    response = _body(route.response_model)
    models = _models_of(route.response_model)
    if InvoiceView in models:
        response["headers"] = {"ETag": ETAG_HEADER}
        by_id = {"parameters": {"invoice_id": "$response.body#/invoice_id"}}
        response["links"] = {name: {"operationId": name, **by_id} for name in _LINKED}
    if AnswerDocument in models and _is_change(route):
        response["links"] = _command_link("/data")
    if status == 201:
        response["headers"] |= {"Location": _LOCATION}
    return response


def _body(annotation: Any) -> Document:
    """A response with a body of this model, or of one of several; the example is the first's."""
    models = _models_of(annotation)
    content = _answer(models[0])
    if len(models) > 1:
        content["schema"] = {"anyOf": [_reference(model) for model in models]}
    description = (models[0].__doc__ or "").partition("\n")[0]
    return {"description": description, "content": {answers.MEDIA_TYPE: content}}


def _models_of(annotation: Any) -> list[type[BaseModel]]:
    return list(get_args(annotation) or [annotation])


def _command_link(prefix: str) -> Document:
    """To the command's reply; `prefix` is the part of the body with its identity."""
    parameters = {
        "command_id": f"$response.body#{prefix}/command_id",
        "source": f"$response.body#{prefix}/command_source",
    }
    return {"getCommand": {"operationId": "getCommand", "parameters": parameters}}


def _pending() -> Document:
    return {
        "description": Pending.__doc__,
        "headers": {"Location": _LOCATION, "Retry-After": RETRY_AFTER_HEADER},
        "content": {answers.MEDIA_TYPE: _answer(Pending)},
        "links": _command_link(""),
    }


def _problem(status: int) -> Document:
    codes = sorted(
        str(code) for code, its_status in HTTP_STATUS_BY_CODE.items() if its_status == status
    )
    if status == HTTPStatus.PRECONDITION_FAILED:
        codes = [str(RejectionCode.VERSION_CONFLICT)]
    content = _content(ProblemDocument)
    content["example"] = {
        "type": f"urn:invoicing:problem:{codes[0]}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": "A sentence for people.",
        "code": codes[0],
        "errors": [],
    }
    response: Document = {
        "description": f"`code` is one of {', '.join(codes)}.",
        "content": {problems.MEDIA_TYPE: content},
    }
    if status in (429, 503):
        response["headers"] = {"Retry-After": RETRY_AFTER_HEADER}
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


def _schemas(routes: Sequence[APIRoute]) -> Document:
    taken: set[type[BaseModel]] = {body.model for route in routes if (body := body_of(route))}
    returned: set[type[BaseModel]] = {ProblemDocument, Pending}
    for route in routes:
        annotations = [route.response_model, *(r.get("model") for r in route.responses.values())]
        returned.update(model for given in annotations if given for model in _models_of(given))
    by_name = sorted(taken | returned, key=lambda model: model.__name__)
    _, definitions = models_json_schema(
        [(model, "validation" if model in taken else "serialization") for model in by_name],
        ref_template="#/components/schemas/{model}",
        schema_generator=WithoutTitles,
    )
    schemas: Document = definitions["$defs"]
    for model in taken:
        # A command refuses unknown fields, and an update leaves alone what it does not name.
        schema = schemas[model.__name__]
        if issubclass(model, CommandData):
            schema["additionalProperties"] = False
        if model is UpdateInvoice:
            for field in schema["properties"].values():
                field.pop("default", None)
    return dict(sorted(schemas.items()))
