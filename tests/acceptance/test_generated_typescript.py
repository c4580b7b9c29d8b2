"""Types for TypeScript that openapi-typescript and quicktype generate do the main job."""

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.service.http import Api

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "schemas"
NODE = ROOT / "tests" / "node"
MODULES = ROOT / ".local" / "node"
INSTALL_SECONDS_MAX = 170
RUN_SECONDS_MAX = 100
SKIPPED = 3


@pytest.fixture(scope="module")
def tools() -> Path:
    """The folder of the generators' commands."""
    run = subprocess.run(
        [NODE / "install"],
        env={**os.environ, "NODE_MODULES": str(MODULES)},
        capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS_MAX,
    )  # fmt: skip
    if run.returncode == SKIPPED:
        pytest.skip(run.stdout.strip().splitlines()[-1])
    assert run.returncode == 0, run.stdout + run.stderr
    return MODULES / "node_modules" / ".bin"


async def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """What a command prints. In a thread: the fixtures' clients of Kafka live on in this loop."""
    done = await asyncio.to_thread(
        subprocess.run,
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True, text=True, check=False, timeout=RUN_SECONDS_MAX,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(400)
async def test_generated_types_compile_strictly_and_pay_an_invoice(
    tools: Path, api: Api, tmp_path: Path
) -> None:
    messages = sorted([*SCHEMAS.glob("events/*.json"), *SCHEMAS.glob("answers/*.json")])
    shutil.copy(NODE / "client.ts", tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')

    await run(
        # A field with a default is optional in a request.
        tools / "openapi-typescript",
        SCHEMAS / "openapi.yaml",
        "-o",
        "openapi.d.ts",
        "--default-non-nullable",
        "false",
        cwd=tmp_path,
    )
    await run(
        tools / "quicktype", "--src-lang", "schema", "--lang", "typescript",
        "--telemetry", "disable", *messages, "-o", "messages.ts",
        cwd=tmp_path,
    )  # fmt: skip
    await run(
        tools / "tsc", "--strict", "--target", "es2022", "--module", "nodenext",
        "--lib", "es2022,dom", "client.ts",
        cwd=tmp_path,
    )  # fmt: skip
    printed = await run("node", "client.js", cwd=tmp_path, API_URL=api.url, API_TOKEN=api.token())

    assert json.loads(printed) == {
        "total": "214.25",
        "state": "paid",
        "code": "illegal_transition",
        "types": [
            "invoice.created", "invoice.opened", "invoice.payment_recorded", "invoice.paid",
        ],
        "due": ["0.00", "214.25", "0.00", "0.00"],
    }  # fmt: skip
