"""The README's commands, run as they stand there."""

import asyncio
import json
import re
import shutil
import subprocess
from pathlib import Path

from tests.deploy.tools import lacking
from tests.support.service.http import Api

README = Path(__file__).parents[2] / "README.md"
TOKEN = "$(docker compose run --rm --no-deps api token)"
RUN_SECONDS_MAX = 60


async def test_the_curl_lines_create_open_pay_credit_and_list(api: Api) -> None:
    if shutil.which("curl") is None:
        lacking("curl")
    (script,) = re.findall(r"^```sh\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    assert TOKEN in script
    script = script.replace(TOKEN, api.token()).replace("localhost:8000", f"127.0.0.1:{api.port}")
    curl = "curl --silent --show-error --fail-with-body --write-out '\\n'"

    run = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-euc", script.replace("\ncurl", f"\n{curl}")],
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS_MAX,
        check=False,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    created, opened, paid, credited, listed = map(json.loads, run.stdout.splitlines())
    assert (created["state"], created["total"]) == ("draft", "120.00")
    assert (opened["state"], opened["amount_due"]) == ("open", "120.00")
    assert (paid["state"], paid["amount_due"]) == ("open", "20.00")
    assert (credited["state"], credited["amount_due"]) == ("paid", "0.00")
    assert [invoice["invoice_id"] for invoice in listed["data"]] == ["inv_1002"]
