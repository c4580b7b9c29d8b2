"""The programs in docs/clients, run as they stand there.

Those in Java, Go and TypeScript run where their tools are installed; in CI they must be. What they
fetch is kept in .local.
"""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deploy.tools import lacking
from tests.support.service.service import Service
from tests.support.stack.wait import eventually

ROOT = Path(__file__).parents[2]
GUIDES = ROOT / "docs" / "clients"
CACHE = ROOT / ".local" / "client-guides"
FETCH_SECONDS_MAX = 300
RUN_SECONDS_MAX = 90
FILE = re.compile(r"^`([\w.]+)`:\n\n```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Toolchain:
    """How a guide's program gets its libraries, is built and run, in the folder of its files."""

    guide: str
    tools: Sequence[str]
    fetch: Sequence[str]
    build: Sequence[str]
    run: Sequence[str]


TOOLCHAINS = [
    Toolchain(
        "java",
        ("java", "mvn"),
        fetch=["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib"],
        build=["java", "-version"],  # `java` compiles the one file when it runs it
        run=["java", "-cp", "lib/*", "Billing.java"],
    ),
    Toolchain(
        "go",
        ("go",),
        fetch=["go", "mod", "tidy"],
        build=["go", "build", "."],
        run=["./billing"],
    ),
    Toolchain(
        "typescript",
        ("node", "npm"),
        fetch=["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"],
        build=[
            *("node_modules/.bin/tsc", "--strict", "--target", "es2022"),
            *("--module", "commonjs", "billing.ts"),
        ],
        run=["node", "billing.js"],
    ),
]


def files_of(guide: str) -> dict[str, str]:
    return dict(FILE.findall((GUIDES / f"{guide}.md").read_text()))


def environment_of(service: Service, order: str) -> dict[str, str]:
    prefix = service.topics.commands.removesuffix(".commands")
    return {**os.environ, "KAFKA": service.bootstrap, "TOPIC_PREFIX": prefix, "ORDER": order}


def new_order() -> str:
    return uuid.uuid4().hex[:16]


@pytest.mark.real_kafka
@pytest.mark.timeout(FETCH_SECONDS_MAX + RUN_SECONDS_MAX)
@pytest.mark.parametrize("toolchain", TOOLCHAINS, ids=lambda toolchain: toolchain.guide)
async def test_a_stock_client_sends_awaits_and_follows(
    service: Service, toolchain: Toolchain
) -> None:
    if missing := [tool for tool in toolchain.tools if shutil.which(tool) is None]:
        lacking(", ".join(missing))
    folder = await asyncio.to_thread(_prepared, toolchain)
    await service.ready_worker()

    order = new_order()
    run = await asyncio.to_thread(
        subprocess.run,
        toolchain.run,
        cwd=folder,
        env=environment_of(service, order),
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS_MAX,
        check=False,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.splitlines() == [
        "accepted open version 2",
        f"inv_{order} 1 invoice.created",
        f"inv_{order} 2 invoice.opened",
    ]


async def test_the_programs_in_python_send_await_and_follow(
    service: Service, tmp_path: Path
) -> None:
    for name, text in files_of("python").items():
        (tmp_path / name).write_text(text)
    await service.ready_worker()
    order = new_order()
    environment = environment_of(service, order) | {"PYTHONUNBUFFERED": "1"}
    produced = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, tmp_path / "produce.py"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS_MAX,
        check=False,
    )
    assert produced.stdout == "accepted open version 2\n", produced.stderr

    output = tmp_path / "events"
    with output.open("wb") as events:
        consuming = await asyncio.create_subprocess_exec(
            sys.executable, tmp_path / "consume.py", env=environment, stdout=events
        )
    try:
        lines = await eventually(
            lambda: output.read_text().splitlines(), until=lambda seen: len(seen) >= 2, seconds=60
        )
    finally:
        consuming.kill()
        await consuming.wait()
    assert lines == [
        f"inv_{order} 1 invoice.created 120.00",
        f"inv_{order} 2 invoice.opened 120.00",
    ]


def _prepared(toolchain: Toolchain) -> Path:
    """The guide's files with what they need, fetched and built once for each state of the page."""
    folder = CACHE / toolchain.guide
    folder.mkdir(parents=True, exist_ok=True)
    ready, state = folder / "ready", repr(sorted(files_of(toolchain.guide).items()))
    if not (ready.exists() and ready.read_text() == state):
        for name, text in files_of(toolchain.guide).items():
            (folder / name).write_text(text)
        fetched = _run(toolchain.fetch, folder)
        if fetched.returncode != 0:
            lacking(f"what `{' '.join(toolchain.fetch)}` fetches: {fetched.stderr.strip()}")
        built = _run(toolchain.build, folder)
        assert built.returncode == 0, built.stdout + built.stderr
        ready.write_text(state)
    return folder


def _run(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=FETCH_SECONDS_MAX, check=False
    )
