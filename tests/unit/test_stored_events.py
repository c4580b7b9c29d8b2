"""Stored events are readable for ever: golden files of each schema, and how old ones are read."""

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson
import pytest

from invoicing.contracts.events import EVENTS, InvoiceVoided
from invoicing.domain import upcast as upcast_module
from invoicing.domain.upcast import Data, upcast
from invoicing.store.history import data_of, replay
from invoicing.store.rows import StoredEvent

# Written once with the service of their day (`invoicing.tools.schemas.story`), never again: a new
# schema gets a new pair of files.
GOLDEN = Path(__file__).parent / "golden"
EVENT_FILES = sorted(GOLDEN.glob("stored_events_*.jsonl"))


def stored(line: str) -> StoredEvent:
    """A line of a golden file as the row that it was."""
    event = orjson.loads(line)
    return StoredEvent(
        invoice_id=event["subject"],
        version=event["version"],
        type=event["type"],
        document=line,
        command_key=(event["causationsource"], event["causationid"]),
        recorded_at=datetime.fromisoformat(event["time"]),
    )


def lines(path: Path) -> Iterator[str]:
    return iter(path.read_text(encoding="utf-8").splitlines())


def golden_states(events: Path) -> Iterator[dict[str, Any]]:
    """The states that belong to a file of events."""
    return map(
        orjson.loads, lines(events.with_name(events.name.replace("stored_events", "states")))
    )


def replayed(path: Path) -> dict[str, dict[str, Any]]:
    """Each invoice of the file as its events make it, as JSON."""
    events = sorted(map(stored, lines(path)), key=lambda event: (event.invoice_id, event.version))
    return {
        invoice_id: orjson.loads(replay(list(own))[-1].to_json())
        for invoice_id, own in groupby(events, key=lambda event: event.invoice_id)
    }


def as_far_as(then: Any, now: Any) -> Any:
    """What there is now, without the fields that there were not then."""
    if isinstance(then, dict) and isinstance(now, dict):
        return {name: as_far_as(then[name], value) for name, value in now.items() if name in then}
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        return list(map(as_far_as, then, now))
    return now


@pytest.mark.parametrize("events", EVENT_FILES, ids=lambda path: path.stem)
def test_golden_events_add_up_to_their_golden_states(events: Path) -> None:
    golden = {state["invoice_id"]: state for state in golden_states(events)}

    now = replayed(events)

    # A field that an invoice, or a part of it, has only since then may stand beside those it had.
    assert now.keys() == golden.keys()
    assert as_far_as(golden, now) == golden


@pytest.mark.parametrize("events", EVENT_FILES, ids=lambda path: path.stem)
def test_golden_documents_stay_as_they_were_told(events: Path) -> None:
    told = {state["invoice_id"]: state["document"] for state in golden_states(events)}
    now = {invoice_id: state["document"] for invoice_id, state in replayed(events).items()}
    # A field that documents have only since then is not added: a rebuild would find a difference.
    assert now == told


def test_the_golden_files_hold_every_type_of_event() -> None:
    golden = {stored(line).type for path in EVENT_FILES for line in lines(path)}
    assert golden >= EVENTS.keys()


def test_every_schema_version_that_was_before_has_a_step_to_the_next() -> None:
    for event_type, event in EVENTS.items():
        steps = upcast_module.STEPS.get(event_type, {})
        assert set(steps) == set(range(1, event.schema_version))


def without(data: Data, name: str) -> Data:
    return {key: value for key, value in data.items() if key != name}


@pytest.fixture
def made_up_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of an older schema is out in the world yet, so two older ones are made up."""
    steps = {
        1: lambda data: {**without(data, "why"), "grounds": data["why"]},
        2: lambda data: {**without(data, "grounds"), "reason": data["grounds"]},
    }
    monkeypatch.setattr(upcast_module, "STEPS", {"invoice.voided": steps})


@pytest.mark.usefixtures("made_up_steps")
@pytest.mark.parametrize(("version", "name"), [(1, "why"), (2, "grounds"), (3, "reason")])
def test_every_older_version_becomes_the_newest(version: int, name: str) -> None:
    newest = upcast("invoice.voided", version, {"invoice_id": "inv_1", name: "Made twice."})
    assert newest == {"invoice_id": "inv_1", "reason": "Made twice."}


@pytest.mark.usefixtures("made_up_steps")
def test_an_event_without_steps_stays_as_it_is() -> None:
    data = {"why": "Made twice."}
    assert upcast("invoice.cancelled", 1, data) == data


@pytest.mark.usefixtures("made_up_steps")
def test_a_stored_event_of_an_older_schema_is_read_as_its_newest() -> None:
    voided = next(line for line in lines(EVENT_FILES[0]) if stored(line).type == "invoice.voided")
    event: dict[str, Any] = orjson.loads(voided)
    event["data"]["why"] = event["data"].pop("reason")

    read = data_of("invoice.voided", orjson.dumps(event).decode())

    assert isinstance(read, InvoiceVoided)
    assert read.reason == "Made twice."


@pytest.mark.parametrize("events", EVENT_FILES, ids=lambda path: path.stem)
def test_the_fields_that_an_event_had_are_known(events: Path) -> None:
    """Events of the first releases lack some of today's, and the books go by that."""
    for event in map(stored, lines(events)):
        read = data_of(event.type, event.document)

        assert read.model_fields_set == orjson.loads(event.document)["data"].keys()
