"""Migrations beside a service at work: they hold nobody up, and the last release goes on."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

import invoicing.store.migrations
from invoicing.store.migrations import MigrationBlockedError, current_revision, migrate
from tests.deploy.tools import REPOSITORY, run
from tests.support.service.commands import create_invoice, invoice_id, record_payment, void_invoice
from tests.support.service.promises import assert_promises_kept
from tests.support.service.service import Service
from tests.support.stack.wait import eventually

MIGRATIONS = Path(invoicing.store.migrations.__file__).parent / "versions"
(LAST_RELEASE,) = (REPOSITORY / "tests" / "deploy" / "releases").glob("*.whl")

WAITING = """
SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'invoices'::regclass
    AND mode = 'AccessExclusiveLock'
"""


@asynccontextmanager
async def reading(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """Somebody whose transaction has read invoices and stays open."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await connection.execute("SELECT FROM invoices")
            yield connection
    finally:
        await connection.close()


def test_every_migration_can_run_beside_a_service_at_work() -> None:
    run(Path(sys.executable).with_name("squawk"), *sorted(MIGRATIONS.glob("*.sql")))


async def test_a_blocked_migration_lets_others_pass_and_tries_again(empty_database: str) -> None:
    await asyncio.to_thread(migrate, empty_database, "0001")
    observer = await asyncpg.connect(empty_database)
    tries: set[int] = set()

    async def look() -> int:
        tries.update(row["pid"] for row in await observer.fetch(WAITING))
        return len(tries)

    async with reading(empty_database):
        migrating = asyncio.create_task(asyncio.to_thread(migrate, empty_database))
        await eventually(look, until=lambda count: count >= 1, seconds=60)
        # It waits in front of this one, and gives way before whoever blocks it does.
        async with asyncio.timeout(60):
            await observer.fetch("SELECT id FROM invoices")
        await eventually(look, until=lambda count: count >= 2, seconds=60)
    await migrating
    await observer.close()

    assert await asyncio.to_thread(current_revision, empty_database) > "0001"


async def test_a_migration_that_stays_blocked_changes_nothing_and_says_why(
    empty_database: str,
) -> None:
    await asyncio.to_thread(migrate, empty_database, "0001")

    async with reading(empty_database):
        with pytest.raises(MigrationBlockedError, match="pg_stat_activity"):
            await asyncio.to_thread(migrate, empty_database, patience_seconds=0)

    assert await asyncio.to_thread(current_revision, empty_database) == "0001"


async def test_the_last_releases_worker_runs_on_this_schema_and_hands_over_to_this_one(
    service: Service,
) -> None:
    subjects = [invoice_id() for _ in range(20)]
    before = [c for s in subjects for c in (create_invoice(s), record_payment(s, "14.25"))]
    after = [c for s in subjects for c in (record_payment(s, "200.00"), void_invoice(s))]
    old = await service.ready_worker("invoicing.ops.main", PYTHONPATH=str(LAST_RELEASE))
    assert_is_of_last_release(service)

    accepted = await service.ask(*before)
    await service.ready_worker()
    await service.send(after)
    old.process.terminate()
    assert await old.ended(seconds=60) == 0

    assert {answer.get("code") for answer in accepted} == {None}
    await assert_promises_kept(service, [*before, *after])
    await service.verify()


def assert_is_of_last_release(service: Service) -> None:
    """What that worker runs is the wheel's, and not what this environment has installed."""
    source = subprocess.run(
        [sys.executable, "-c", "import invoicing.worker; print(invoicing.worker.__file__)"],
        env={**service.environment, "PYTHONPATH": str(LAST_RELEASE)},
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert source.startswith(str(LAST_RELEASE))
