"""GETs and lists a second over HTTP, in turns with two others: a bare application of uvicorn,
Starlette and asyncpg with the same SQL and the same bytes, and pgbench running that SQL.

    python -m tests.bench.http [invoices] [rounds] [seconds]

Kafka and Postgres are chosen as for the tests. Client, API, Postgres, and with the writes a worker
and Kafka share the machine's processors, as the others and Postgres do in their turns.
"""

import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import asyncpg
import psutil

from invoicing.api.auth.tokens import LOCAL_CLIENT
from invoicing.api.reads.filters import ListQuery
from invoicing.api.reads.list_sql import page_statement
from invoicing.api.reads.queries import FIND_INVOICE
from invoicing.tools.scratch.databases import migrated_databases
from tests.bench.figures import Figures, median_of
from tests.bench.http_load import Load
from tests.bench.pgbench import run_pgbench
from tests.support.service.commands import create_invoice, invoice_id, record_payment
from tests.support.service.http import WITHOUT_LIMIT, Api, running_api
from tests.support.service.service import Service, running_service
from tests.support.stack.kafka import choose_kafka
from tests.support.stack.many_invoices import ID_IN_SNAPSHOT, write_many_invoices
from tests.support.stack.postgres import choose_postgres
from tests.support.stack.topics import fresh_topics

PARTITIONS = 2
CONNECTIONS = 8
CUSTOMERS = 5_000
WRITES_PER_SECOND = 100
LINE = {"description": "Pro plan", "unit_price": "100.00", "tax": {"rate": "0.07125"}}


@dataclass(frozen=True)
class Question:
    """The same question, as an address and as SQL; `n` is a random number from 1 to `numbers`."""

    name: str
    path: str
    statement: str
    values: dict[str, str]
    numbers: int


@dataclass
class Turns:
    """What one contender did with a question, round by round."""

    figures: list[Figures] = field(default_factory=list)
    processor_us: list[float] = field(default_factory=list)
    """A request's processor time in the contender's process."""

    def __str__(self) -> str:
        return f"{median_of(self.figures)}  {statistics.median(self.processor_us):5.0f} µs"


@dataclass
class Comparison:
    """What each did with one question."""

    question: Question
    writes_per_second: int
    http: Turns = field(default_factory=Turns)
    bare: Turns = field(default_factory=Turns)
    pgbench: list[Figures] = field(default_factory=list)

    def __str__(self) -> str:
        http, bare, pgbench = map(median_of, (self.http.figures, self.bare.figures, self.pgbench))
        return (
            f"{self.question.name}, {self.writes_per_second} writes/s:"
            f" {http.per_second / bare.per_second:.2f} of the bare application's rate,"
            f" {http.per_second / pgbench.per_second:.2f} of pgbench's\n"
            f"  HTTP    {self.http}\n  bare    {self.bare}\n  pgbench {pgbench}"
        )


def questions(invoices: int) -> list[Question]:
    """One invoice by its id; and ten invoices of a customer, the newest first."""
    query = ListQuery(customer_id="any")
    statement, values = page_statement(
        query, LOCAL_CLIENT, position=None, backwards=False, limit=query.limit + 1
    )
    customer, limit = values
    assert (customer, limit) == ("any", query.limit + 1)
    return [
        Question(
            "GET one invoice",
            "/v1/invoices/inv_{n}",
            FIND_INVOICE,
            {"$1": "'inv_' || :n::int", "$2": "'*'"},
            invoices,
        ),
        Question(
            "GET a list of ten",
            "/v1/invoices?customer_id=cus_{n}",
            statement,
            {"$1": "'cus_' || :n::int", "$2": str(limit)},
            CUSTOMERS - 1,
        ),
    ]


async def compare(
    service: Service, api: Api, bare: Api, invoices: int, rounds: int, seconds: int
) -> list[Comparison]:
    """The figures of every question, without and with writes, in turns of so many seconds."""
    comparisons = [
        Comparison(question, writes)
        for writes in (0, WRITES_PER_SECOND)
        for question in questions(invoices)
    ]
    for _ in range(rounds):
        for comparison in comparisons:
            async with writing(service, comparison.writes_per_second):
                await _turn(comparison, service, api, bare, seconds)
    return comparisons


async def _turn(
    comparison: Comparison, service: Service, api: Api, bare: Api, seconds: int
) -> None:
    question = comparison.question
    for contender, turns in ((api, comparison.http), (bare, comparison.bare)):
        load = Load(
            contender.port, api.token(), question.path, question.numbers, CONNECTIONS, seconds
        )
        began = processor_seconds(contender)
        figures = await _run_load(load)
        used = processor_seconds(contender) - began
        turns.figures.append(figures)
        turns.processor_us.append(used / (figures.per_second * seconds) * 1e6)
    comparison.pgbench.append(
        await run_pgbench(
            service.dsn,
            question.statement,
            question.values,
            question.numbers,
            CONNECTIONS,
            seconds,
        )
    )
    print(comparison, flush=True)


def processor_seconds(contender: Api) -> float:
    """The processor time that its process has used."""
    times = psutil.Process(contender.process.pid).cpu_times()
    return times.user + times.system


async def _run_load(load: Load) -> Figures:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.http_load"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate(json.dumps(asdict(load)).encode())
    assert process.returncode == 0
    return Figures(**json.loads(output))


@asynccontextmanager
async def writing(service: Service, per_second: int) -> AsyncIterator[None]:
    """While the block runs: half of the commands make an invoice, the others pay it."""

    async def write() -> None:
        while True:
            subjects = [invoice_id() for _ in range(per_second // 20)]
            await service.send([create_invoice(subject) for subject in subjects])
            await service.send([record_payment(subject) for subject in subjects])
            await asyncio.sleep(0.1)

    task = asyncio.create_task(write()) if per_second else None
    try:
        yield
    finally:
        if task:
            task.cancel()
            await asyncio.wait({task})


async def fill(service: Service, invoices: int) -> None:
    """So many invoices, each with the document of one that the worker has written."""
    subject = invoice_id()
    await service.ask(create_invoice(subject, items=[LINE, LINE, LINE]))
    connection = await asyncpg.connect(service.dsn)
    snapshot = await connection.fetchval("SELECT snapshot FROM invoices WHERE id = $1", subject)
    await write_many_invoices(connection, invoices, snapshot.replace(subject, ID_IN_SNAPSHOT))
    await connection.close()


async def check_same_bytes(api: Api, bare: Api) -> None:
    """Both must have the same work, or the comparison means nothing."""
    async with api.connect() as ours, bare.connect() as theirs:
        for path in ("/v1/invoices/inv_1", "/v1/invoices?customer_id=cus_1"):
            assert (await ours.get(path)).content == (await theirs.get(path)).content, path


@asynccontextmanager
async def prepared(invoices: int) -> AsyncIterator[tuple[Service, Api, Api]]:
    """A service with its worker and so many invoices, its API, and the bare application."""
    kafka = await asyncio.to_thread(choose_kafka().option)
    postgres = await asyncio.to_thread(choose_postgres().option)
    try:
        async with (
            migrated_databases(postgres.dsn) as databases,
            databases.fresh() as dsn,
            fresh_topics(kafka, PARTITIONS) as topics,
            running_service(kafka.bootstrap, dsn, topics, Path(tempfile.mkdtemp())) as service,
        ):
            await service.ready_worker()
            await fill(service, invoices)
            async with (
                running_api(service, **WITHOUT_LIMIT) as api,
                running_api(service, module="tests.bench.http_bare") as bare,
            ):
                yield service, api, bare
    finally:
        kafka.close()
        postgres.close()


async def main(invoices: int, rounds: int, seconds: int) -> None:
    async with prepared(invoices) as (service, api, bare):
        await check_same_bytes(api, bare)
        comparisons = await compare(service, api, bare, invoices, rounds, seconds)
    print("", *comparisons, sep="\n")


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    asyncio.run(main(*(given + [1_000_000, 3, 5][len(given) :])))
