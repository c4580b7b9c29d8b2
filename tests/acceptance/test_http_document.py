"""The OpenAPI document and the API describe each other exactly."""

import asyncio
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import yaml

from invoicing.api.app import ROUTES
from tests.support.service.http import Api

DOCUMENT = Path(__file__).parents[2] / "schemas" / "openapi.yaml"
EXAMPLES_MAX = 4
SECONDS_MAX = 45
SEED = 20261120

# A schema cannot say all that a command must be: that there is a unit_price or an amount, how many
# decimals a currency has. So what is right by the schema may be refused, as any refusal may be.
CONFIGURATION = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 304, 400, 401, 403, 404, 409, 412, 422]

[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 412, 413, 414, 415, 422, 431]

# It has a limit of its own, below what the run sends.
[[operations]]
include-name = "POST /v1/preview"
rate-limit = "8/s"
"""


@pytest.mark.timeout(300)
async def test_every_call_is_as_the_document_says(api: Api, tmp_path: Path) -> None:
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(CONFIGURATION)

    # In a thread: the fixtures' clients of Kafka must live on in this loop meanwhile.
    run = await asyncio.to_thread(
        subprocess.run,
        [
            sys.executable, "-m", "schemathesis.cli", "--config-file", configuration,
            "run", f"{api.url}/openapi.json",
            "--checks", "all", "--max-examples", str(EXAMPLES_MAX), "--seed", str(SEED),
            "--max-time", str(SECONDS_MAX), "--no-shrink", "--no-color",
            "--generation-database", "none",
            "--header", f"Authorization: Bearer {api.token()}",
        ],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip

    assert run.returncode == 0, run.stdout + run.stderr


def test_the_document_that_is_served_is_the_one_that_is_checked_in(api: Api) -> None:
    served = httpx.get(f"{api.url}/openapi.json").json()

    assert served == yaml.safe_load(DOCUMENT.read_text())


def test_the_page_to_try_calls_out_needs_nothing_from_elsewhere(api: Api) -> None:
    page = httpx.get(f"{api.url}/docs")

    parts = [f"/docs/{name}" for name in ("swagger-ui-bundle.js", "swagger-ui.css", "start.js")]
    assert "//" not in page.text.replace("<!doctype html>", "")
    assert all(part in page.text for part in parts)
    assert [httpx.get(api.url + part).status_code for part in parts] == [200, 200, 200]


def test_every_page_that_is_served_answers(api: Api) -> None:
    paths = {
        route.path
        for route in ROUTES
        if route.methods == {"GET"} and "{" not in route.path and not route.path.startswith("/v1/")
    }

    assert paths >= {"/docs", "/openapi.json", "/health/live", "/health/ready"}
    assert {path: httpx.get(api.url + path).status_code for path in paths} == dict.fromkeys(
        paths, 200
    )
