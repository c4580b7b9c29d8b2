"""The command `invoicing` as an operator runs it: its own process, with a service's settings."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from tests.support.service.service import Service

SECONDS_MAX = 90

Run = Callable[..., Awaitable[subprocess.CompletedProcess[str]]]


def command_line(service: Service) -> Run:
    """Runs `invoicing` with these arguments; settings come on top of the service's."""

    async def run(
        *arguments: str, module: str = "invoicing.ops.main", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", module, *arguments],
            env={**os.environ, **service.environment, **environment},
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )

    return run


def json_lines(run: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """The JSON lines that a successful command printed."""
    assert run.returncode == 0, run.stdout + run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]
