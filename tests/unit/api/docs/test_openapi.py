"""The OpenAPI document is whole: every call has its examples, which are right, and its errors."""

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from invoicing.api.app import openapi
from invoicing.api.docs.examples import RESPONSES
from invoicing.contracts.commands import COMMANDS, read_data
from invoicing.contracts.replies import Rejection
from invoicing.tools.schemas.http_examples import made

DOCUMENT = openapi()
OPERATIONS = {
    operation["operationId"]: operation
    for calls in DOCUMENT["paths"].values()
    for operation in calls.values()
}
ERRORS = ("400", "404", "406", "429", "500", "503")

COMMAND_BODIES = {
    name: command
    for name, operation in OPERATIONS.items()
    for content in operation.get("requestBody", {}).get("content", {}).values()
    if (command := content["schema"]["$ref"].rpartition("/")[2]) in COMMANDS
}

every_operation = pytest.mark.parametrize("name", OPERATIONS)


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    """A part of the document, or what it refers to."""
    while "$ref" in part:
        found: Any = DOCUMENT
        for name in part["$ref"].removeprefix("#/").split("/"):
            assert name in found, f"no {part['$ref']}; api/docs/examples.py has the examples"
            found = found[name]
        part = found
    return part


def examples(content: dict[str, Any]) -> list[Any]:
    """The examples of one media type."""
    named = [resolved(example)["value"] for example in content.get("examples", {}).values()]
    return [*named, *([content["example"]] if "example" in content else [])]


def contents(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is sent and answered as JSON or a form, by where it stands."""
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"request {media_type}", content
    for status, response in operation["responses"].items():
        for media_type, content in resolved(response).get("content", {}).items():
            if media_type != "text/event-stream":
                yield f"{status} {media_type}", content


@every_operation
def test_all_that_a_call_takes_and_gives_has_examples_that_are_valid(name: str) -> None:
    for place, content in contents(OPERATIONS[name]):
        schema = {**content["schema"], "components": DOCUMENT["components"]}
        validator = Draft202012Validator(schema)
        shown = examples(content)
        assert shown, place
        assert [error.message for one in shown for error in validator.iter_errors(one)] == [], place


@every_operation
def test_every_example_of_a_parameter_is_valid(name: str) -> None:
    for parameter in OPERATIONS[name]["parameters"]:
        schema = parameter["schema"]
        shown = [*examples(parameter), *schema.get("examples", ())]
        validator = Draft202012Validator({**schema, "components": DOCUMENT["components"]})
        assert [error.message for one in shown for error in validator.iter_errors(one)] == []


@every_operation
def test_every_call_tells_its_errors(name: str) -> None:
    assert OPERATIONS[name]["responses"].keys() >= set(ERRORS)


@pytest.mark.parametrize("name", COMMAND_BODIES)
def test_every_example_of_a_body_is_taken(name: str) -> None:
    (body,) = OPERATIONS[name]["requestBody"]["content"].values()
    read = [read_data(COMMAND_BODIES[name], shown) for shown in examples(body)]

    assert [rejected for rejected in read if isinstance(rejected, Rejection)] == []
    assert read


def test_the_examples_of_answers_are_what_the_service_answers() -> None:
    assert {model: RESPONSES[model] for model in made()} == made()


def test_every_operation_has_a_summary_and_a_description_of_its_own() -> None:
    summaries = {operation["summary"] for operation in OPERATIONS.values()}

    assert len(summaries) == len(OPERATIONS)
    assert "Void invoice" in summaries
    assert all(operation["description"] for operation in OPERATIONS.values())


def test_every_operation_says_whether_it_needs_a_token() -> None:
    without = {name for name, operation in OPERATIONS.items() if operation["security"] == []}

    assert without == {"issueToken", "getLiveness", "getReadiness"}


def test_every_tag_is_declared() -> None:
    used = {tag for operation in OPERATIONS.values() for tag in operation["tags"]}

    assert used == {tag["name"] for tag in DOCUMENT["tags"]}
