"""The schemas that others write producers and consumers from: whole, current, and as we read."""

import copy
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from faststream.specification.asyncapi.v3_0_0.schema import ApplicationSchema
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from pydantic import Field

from invoicing.contracts.commands import COMMANDS, VoidInvoice, read_data
from invoicing.contracts.envelope import CommandEnvelope, DecodeFailure, read_command
from invoicing.contracts.events import EVENTS
from invoicing.contracts.replies import ACCEPTED, REJECTED, Rejection, RejectionCode
from invoicing.contracts.types.texts import Text
from invoicing.domain.transitions import TRANSITIONS
from invoicing.store.rows import Position
from invoicing.tools.schemas import messages as messages_module
from invoicing.tools.schemas.__main__ import main
from invoicing.tools.schemas.files import out_of_date, write
from invoicing.tools.schemas.story import BEGIN, STORY, Step, run_story
from invoicing.worker.outgoing import DeadLetter
from invoicing.worker.publisher import _headers_of
from invoicing.worker.records import Record
from tests.support.domain.complete import COMPLETE
from tests.support.domain.strategies import documents

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "schemas"
FILES = sorted(SCHEMAS.glob("*/*.json"))
README = (SCHEMAS / "README.md").read_text(encoding="utf-8")
ASYNCAPI = yaml.safe_load((SCHEMAS / "asyncapi.yaml").read_text(encoding="utf-8"))
TYPES = [*COMMANDS, *EVENTS, ACCEPTED, REJECTED]

every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def _pattern(_: object, pattern: str, value: object, __: object) -> Iterator[ValidationError]:
    """As ECMA-262 has it: `$` is the end, where Python's is also before a last line feed."""
    if isinstance(value, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), value):
        yield ValidationError(f"does not match {pattern}")


def _is_integer(_: object, value: object) -> bool:
    """As we read: 1.0 is none, though JSON Schema takes it for one."""
    return isinstance(value, int) and not isinstance(value, bool)


Validator = extend(
    Draft202012Validator,
    {"pattern": _pattern},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)


def schema_of(path: Path) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema


VALIDATORS = {path.stem: Validator(schema_of(path)) for path in FILES}


def nodes(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, Any]]:
    """Everything in a document, with the way to it."""
    yield path, value
    if isinstance(value, dict | list):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        for name, part in parts:
            yield from nodes(part, (*path, name))


def references(document: Any) -> set[str]:
    """What the document refers to; an example may look like a reference and is none."""
    return {
        node["$ref"]
        for path, node in nodes(document)
        if "examples" not in path and isinstance(node, dict) and "$ref" in node
    }


def at(document: Any, path: tuple[str | int, ...]) -> Any:
    for name in path:
        document = document[name]
    return document


def resolve(reference: str, document: Any) -> Any:
    """What a reference inside the document points to."""
    assert reference.startswith("#/")
    return at(document, tuple(reference.removeprefix("#/").split("/")))


# What stands there


def test_every_message_has_its_file() -> None:
    assert sorted(path.stem for path in FILES) == sorted(TYPES)


@every_file
def test_a_file_is_a_json_schema(path: Path) -> None:
    Draft202012Validator.check_schema(schema_of(path))


@every_file
def test_a_file_needs_no_other_and_has_nothing_over(path: Path) -> None:
    schema = schema_of(path)
    assert references(schema) == {f"#/$defs/{name}" for name in schema["$defs"]}


@every_file
def test_every_field_is_described(path: Path) -> None:
    schema = schema_of(path)
    shapes = [schema["properties"]["data"], *schema["$defs"].values()]
    fields = {
        name: field for shape in shapes for name, field in shape.get("properties", {}).items()
    }
    assert schema["description"]
    assert [name for name, field in fields.items() if "description" not in field] == []


@every_file
def test_every_message_has_examples_that_are_valid(path: Path) -> None:
    examples = schema_of(path)["examples"]
    assert examples
    for example in examples:
        VALIDATORS[path.stem].validate(example)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_example_of_a_command_is_taken(command: str) -> None:
    for example in VALIDATORS[command].schema["examples"]:
        envelope = read_command(json.dumps(example).encode(), ())
        assert isinstance(envelope, CommandEnvelope)
        assert envelope.errors == ()
        assert not isinstance(read_data(envelope.type, envelope.data), Rejection)


def test_a_command_without_a_step_has_the_example_of_its_fields(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changed = {**COMMANDS, "SendInvoiceAgain": COMMANDS["RecordInvoiceSent"]}
    monkeypatch.setattr(messages_module, "COMMANDS", changed)
    by_type = {message.type: message for message in messages_module.messages(run_story())}
    [example] = by_type["SendInvoiceAgain"].examples
    assert example["data"] == {"to": "ada@example.com"}
    assert example["type"] == "SendInvoiceAgain"


def test_an_event_without_a_step_is_named() -> None:
    without = [step for step in STORY if step[0] != "ReverseInvoice"]
    with pytest.raises(AssertionError, match=r"emits invoice\.reversed$"):
        list(messages_module.messages(run_story(without)))


def test_what_is_published_names_its_schema() -> None:
    for type_ in (*EVENTS, ACCEPTED, REJECTED):
        schema = VALIDATORS[type_].schema
        assert {example["dataschema"] for example in schema["examples"]} == {schema["$id"]}


def test_events_may_have_fields_of_tomorrow() -> None:
    event = copy.deepcopy(VALIDATORS["invoice.opened"].schema["examples"][0])
    event["data"]["of_tomorrow"] = event["data"]["invoice"]["items"][0]["of_tomorrow"] = 1
    assert VALIDATORS["invoice.opened"].is_valid(event)


PUBLISHED = [*EVENTS, ACCEPTED, REJECTED]


@pytest.mark.parametrize("type_", PUBLISHED)
def test_what_is_published_may_have_values_of_tomorrow(type_: str) -> None:
    schema = VALIDATORS[type_].schema
    closed = [path for path, node in nodes(schema) if isinstance(node, dict) and "enum" in node]
    assert closed == []


def test_a_rejection_may_have_a_code_of_tomorrow() -> None:
    rejection = copy.deepcopy(VALIDATORS[REJECTED].schema["examples"][0])
    rejection["data"]["code"] = "code_of_tomorrow"
    rejection["data"]["state"] = "state_of_tomorrow"

    VALIDATORS[REJECTED].validate(rejection)


def test_what_is_published_lists_the_values_of_today() -> None:
    definitions = VALIDATORS[REJECTED].schema["$defs"]
    assert definitions["RejectionCode"]["examples"] == [code.value for code in RejectionCode]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_takes_listed_values_only(command: str) -> None:
    schema = VALIDATORS[command].schema
    currency = schema["$defs"].get("Currency", {"enum": []})
    assert "enum" in currency


# As we read


ENVELOPES = {
    "specversion": ["1.0", "0.3", 1, None],
    "id": ["a", "", "a" * 256, "a" * 257, "\x7f", "a\nb", 7],
    "source": ["/orders", "", "s" * 257, None],
    "subject": ["inv_1", "", "inv 1", "inv_1\n", "i" * 64, "i" * 65, 7],
    "time": ["2026-11-20T10:00:00+01:00"],
    "datacontenttype": ["application/json", "application/vnd.a+json; v=1", "text/plain", "json"],
    "expectedversion": [0, 7, -1, "7", 1.5, True],
    "correlationid": ["a", "", "a" * 257, "a\tb", 7],
    "data_base64": ["e30="],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in ENVELOPES.items() for value in values]
)
def test_an_attribute_that_is_valid_is_one_that_is_read(name: str, value: object) -> None:
    command = VALIDATORS["OpenInvoice"].schema["examples"][0] | {name: value}
    read = read_command(json.dumps(command).encode(), ())
    is_read = not isinstance(read, DecodeFailure) and not read.errors
    assert VALIDATORS["OpenInvoice"].is_valid(command) == is_read


json_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 4_000) | st.just(10**20),
    st.floats(allow_nan=False),
    st.text(max_size=5),
    st.sampled_from(
        [
            " ",
            "x" * 501,
            "x" * 5_001,
            "USD",
            "open",
            "AT",
            "de-AT",
            "a@b",
            "0.2",
            "0.123",
            "2026-02-30",
        ]
    ),
    st.from_regex(r"\A-?[0-9]{1,17}(\.[0-9]{1,13})?\Z"),
    st.dates().map(str),
    st.datetimes().map(lambda time: f"{time.isoformat()}Z"),
    st.sampled_from([[], {}, [{}], {"a": "b"}, ["a"], {"x" * 41: "a"}, {"": ""}]),
)


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, Any]:
    """A command that is complete and valid, but for one to three places."""
    name = draw(st.sampled_from(sorted(COMPLETE)))
    data = copy.deepcopy(COMPLETE[name])
    for _ in range(draw(st.integers(1, 3))):
        containers = [path for path, node in nodes(data) if isinstance(node, dict | list)]
        container = at(data, draw(st.sampled_from(containers)))
        _mutate(draw, container)
    return name, data


def _mutate(draw: st.DrawFn, container: Any) -> None:
    if isinstance(container, list):
        container.append(copy.deepcopy(draw(st.sampled_from([*container, 1]))))
        return
    place = draw(
        st.sampled_from([*container, "unknown", "amount", "quantity", "payment_terms_days"])
    )
    if draw(st.booleans()):
        container[place] = copy.deepcopy(draw(json_values))
    else:
        container.pop(place, None)


def beyond_json_schema() -> list[re.Pattern[str]]:
    """The rules that the page lists because no schema can say them; `…` stands for any text."""
    part = README.partition("## What the schemas cannot say")[2].partition("\n## ")[0]
    reasons = re.findall(r"^- `([^`]+)`", part, re.MULTILINE)
    return [re.compile(re.escape(reason).replace("…", ".*")) for reason in reasons]


@settings(max_examples=1_000, deadline=None)
@given(mutated())
def test_what_is_taken_is_valid_and_what_is_valid_is_taken_but_for_the_listed_rules(
    command: tuple[str, Any],
) -> None:
    name, data = command
    read = read_data(name, data)
    is_valid = VALIDATORS[name].is_valid(VALIDATORS[name].schema["examples"][0] | {"data": data})
    if not isinstance(read, Rejection):
        assert is_valid
    elif is_valid:
        rules = beyond_json_schema()
        for error in read.errors:
            assert any(rule.fullmatch(error.reason) for rule in rules), error


@st.composite
def stories(draw: st.DrawFn) -> list[Step]:
    """An invoice of any currency, and commands from the story in any order, legal or not."""
    document = draw(documents(state=draw(st.sampled_from(["open", "draft"]))))
    steps = draw(st.lists(st.sampled_from(STORY[1:]), max_size=12))
    fitted = [
        (name, "inv_1001", data | dict.fromkeys(data.keys() & {"amount"}, "5") | currency)
        for name, _, data in steps
        if name != "CreateInvoice"
        for currency in [{"currency": document["currency"]} if "currency" in data else {}]
    ]
    return [("CreateInvoice", "inv_1001", document), *fitted]


@settings(max_examples=100, deadline=None)
@given(stories())
def test_all_that_is_published_is_valid(story: list[Step]) -> None:
    result = run_story(story)
    for stored in (*result.events, *result.answers):
        document = json.loads(stored.document)
        VALIDATORS[document["type"]].validate(document)


# The topics


def test_every_reference_of_asyncapi_leads_somewhere() -> None:
    files = {f"./{path.relative_to(SCHEMAS)}" for path in FILES}
    inside = references(ASYNCAPI) - files
    assert references(ASYNCAPI) >= files
    assert all(resolve(reference, ASYNCAPI) for reference in inside)


def test_every_message_of_asyncapi_stands_in_one_channel() -> None:
    in_channels = [
        message["$ref"]
        for channel in ASYNCAPI["channels"].values()
        for message in channel["messages"].values()
    ]
    messages = [f"#/components/messages/{name}" for name in ASYNCAPI["components"]["messages"]]
    assert sorted(in_channels) == sorted(messages)


def test_every_channel_of_asyncapi_has_an_operation() -> None:
    used = {operation["channel"]["$ref"] for operation in ASYNCAPI["operations"].values()}
    assert used == {f"#/channels/{name}" for name in ASYNCAPI["channels"]}


def test_asyncapi_says_what_the_topics_are_called_by_default() -> None:
    assert [channel["address"] for channel in ASYNCAPI["channels"].values()] == [
        "invoices.commands",
        "invoices.events",
        "invoices.replies",
        "invoices.commands.dead-letter",
    ]


def test_a_record_that_is_dead_letter_has_the_headers_that_asyncapi_tells() -> None:
    told = ASYNCAPI["components"]["messages"]["deadLetter"]
    record = Record(Position("commands", 3, 7), b"inv_1", b"no command", (), timestamp_ms=0)
    unreadable = read_command(record.value, record.headers)
    assert isinstance(unreadable, DecodeFailure)

    published = _headers_of(DeadLetter(record, unreadable, BEGIN))

    headers = {name: (value or b"").decode() for name, value in published}
    Validator(told["headers"]).validate(headers)
    assert headers.keys() == told["headers"]["properties"].keys()


def test_the_example_of_a_dead_letter_is_valid() -> None:
    message = ASYNCAPI["components"]["messages"]["deadLetter"]
    Validator(message["headers"]).validate(message["examples"][0]["headers"])


def test_asyncapi_is_taken_by_a_model_that_is_not_ours() -> None:
    # FastStream's model wants a server's pathname, which the specification leaves optional.
    servers = {name: {"pathname": ""} | server for name, server in ASYNCAPI["servers"].items()}
    assert ApplicationSchema.model_validate(ASYNCAPI | {"servers": servers}).channels.keys() == {
        "commands",
        "events",
        "replies",
        "deadLetters",
    }


# Always current


def test_the_files_say_what_the_models_say() -> None:
    assert out_of_date(ROOT) == []


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own with all files written, and the place where commands run."""
    shutil.copytree(ROOT / "docs" / "examples", tmp_path / "docs" / "examples")
    write(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_changed_model_is_told_with_its_file(
    copied: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class VoidInvoiceByName(VoidInvoice):
        """With a field that it did not have when the files were written."""

        voided_by: Text | None = Field(None, description="Who does it.")

    changed = {**COMMANDS, "VoidInvoice": VoidInvoiceByName}
    monkeypatch.setattr(messages_module, "COMMANDS", changed)

    assert main(["check"]) == 1
    assert "schemas/commands/VoidInvoice.json" in capsys.readouterr().err


def test_a_changed_table_of_states_is_told(copied: Path) -> None:
    page = copied / "docs/lifecycle.md"
    page.write_text(page.read_text(encoding="utf-8").replace("void", "gone"), encoding="utf-8")
    assert out_of_date(copied) == [Path("docs/lifecycle.md")]


def test_a_schema_that_no_message_has_is_told_and_removed(copied: Path) -> None:
    left_over = copied / "schemas/commands/BurnInvoice.json"
    left_over.write_text("{}", encoding="utf-8")
    assert out_of_date(copied) == [Path("schemas/commands/BurnInvoice.json")]
    write(copied)
    assert not left_over.exists()


def test_files_that_are_current_pass_in_silence(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check"]) == 0
    assert capsys.readouterr().err == ""


def test_the_page_of_states_names_every_command() -> None:
    page = (ROOT / "docs/lifecycle.md").read_text(encoding="utf-8")
    assert [command for command in TRANSITIONS if f"`{command.__name__}`" not in page] == []


def test_the_page_tells_every_code_of_refusal() -> None:
    assert [code for code in RejectionCode if f"| `{code.value}` |" not in README] == []
