"""Models that datamodel-codegen makes of the published schemas accept what comes later."""

import json
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.support.service.generated_client import generate_models

SCHEMAS = Path(__file__).parents[2] / "schemas"

Model = Callable[[str], Any]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    """Gives the generated class of a message by its type."""
    directory = tmp_path_factory.mktemp("models")
    for folder in ("answers", "commands", "events"):
        generate_models(SCHEMAS / folder, directory / f"generated_{folder}")
    sys.path.insert(0, str(directory))

    def find(type_: str) -> Any:
        (path,) = SCHEMAS.glob(f"*/{type_}.json")
        module = import_module(f"generated_{path.parent.name}.{type_.replace('.', '_')}")
        title = schema(type_)["title"]
        return getattr(module, title.title().replace(".", "") if "." in title else title)

    yield find
    sys.path.remove(str(directory))


def schema(type_: str) -> dict[str, Any]:
    (path,) = SCHEMAS.glob(f"*/{type_}.json")
    read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return read


@pytest.mark.parametrize("type_", sorted(path.stem for path in SCHEMAS.glob("*/*.json")))
def test_a_generated_model_reads_the_examples(model: Model, type_: str) -> None:
    for example in schema(type_)["examples"]:
        assert model(type_).model_validate(example)


def test_a_generated_model_survives_a_code_of_tomorrow(model: Model) -> None:
    reply = schema("command.rejected")["examples"][0]
    reply["data"] |= {"code": "code_of_tomorrow", "state": "state_of_tomorrow", "more": 1}

    read = model("command.rejected").model_validate(reply)

    assert read.model_dump(mode="json")["data"]["code"] == "code_of_tomorrow"


def test_a_generated_model_survives_a_state_and_a_currency_of_tomorrow(model: Model) -> None:
    event = schema("invoice.opened")["examples"][0]
    event["data"] |= {"state": "state_of_tomorrow", "currency": "XTM"}
    event["data"]["invoice"] |= {"tax_rounding": "rounding_of_tomorrow", "customer_type": "robot"}

    assert model("invoice.opened").model_validate(event)
