"""What the client library brings with it."""

import asyncio
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from invoicing.client import InMemoryVersions

ROOT = Path(__file__).parents[2]
SERVICE_ONLY = ("asyncpg", "fastapi", "faststream", "opentelemetry", "sqlalchemy", "uvicorn")
LOADED = """
import sys, invoicing.client
print(invoicing.client.__file__)
print(*sorted({name.partition(".")[0] for name in sys.modules}))
print(*sorted(name for name in sys.modules if name.startswith("invoicing.")))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", directory],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = directory.glob("*.whl")
    return built


def test_it_works_from_the_wheel_without_what_only_the_service_needs(
    wheel: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    run = subprocess.run(
        [sys.executable, "-c", LOADED],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    file, top_level, own = run.stdout.splitlines()

    assert file.startswith(str(tmp_path))
    assert not set(SERVICE_ONLY) & set(top_level.split())
    assert {name.split(".")[1] for name in own.split()} == {"client", "contracts"}


def test_versions_in_memory_are_those_of_the_invoices_handled_last() -> None:
    async def remembered() -> list[int]:
        versions = InMemoryVersions(kept=2)
        for invoice, version in (("a", 1), ("b", 1), ("a", 2), ("c", 1)):
            await versions.mark_handled(invoice, version)
        return [await versions.last_handled(invoice) for invoice in "abc"]

    assert asyncio.run(remembered()) == [2, 0, 1]
