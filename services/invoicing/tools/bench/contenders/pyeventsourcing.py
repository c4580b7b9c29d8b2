"""The `eventsourcing` library with its Postgres recorder, on the same events.

    python -m invoicing.tools.bench.contenders.pyeventsourcing save|batch COMMANDS

`save` saves after each command, in threads, as its users do; `batch` saves the aggregates of many
commands at once. It stores events only: no answers, no states, no numbers. Aggregates stay in
memory, so that nothing is read back. Prints how many events it stored a second.
"""

import sys
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from operator import attrgetter
from time import perf_counter
from typing import Any, Final
from uuid import UUID

import orjson
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from psycopg.conninfo import conninfo_to_dict

from invoicing.ops.support.console import print_line
from invoicing.runtime.settings import Settings, read_settings
from invoicing.store.rows import StoredEvent
from invoicing.tools.bench.decided import decided
from invoicing.tools.bench.load import mixed

BATCH: Final = 500
THREADS: Final = 8

Command = list[StoredEvent]


class Invoice(Aggregate):
    """An aggregate with events that hold what the service's hold."""

    @event("Created")
    def __init__(self, kind: str, data: dict[str, Any]) -> None:
        self.kind, self.data = kind, data

    @event("Changed")
    def change(self, kind: str, data: dict[str, Any]) -> None:
        """Let something happen to it."""
        self.kind, self.data = kind, data


class Invoices(Application[UUID]):
    """The library's application with the invoices."""


def prepared(number: int) -> list[Command]:
    """The events of each command that led to any."""
    (write_batch,) = decided(mixed(number, seed=0), batch=number)
    return [list(own) for _, own in groupby(write_batch.events, attrgetter("command_key"))]


def application(settings: Settings) -> Invoices:
    """The application on the database of the settings."""
    server = conninfo_to_dict(settings.dsn)
    return Invoices(
        env={
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": str(server["dbname"]),
            "POSTGRES_HOST": str(server["host"]),
            "POSTGRES_PORT": str(server.get("port", 5432)),
            "POSTGRES_USER": str(server["user"]),
            "POSTGRES_PASSWORD": str(server.get("password", "none")),
            "POSTGRES_POOL_SIZE": str(THREADS),
            "POSTGRES_MAX_OVERFLOW": str(THREADS),
            # Without it, `save` is three to four times slower.
            "POSTGRES_ENABLE_DB_FUNCTIONS": "yes",
        }
    )


def save_each(app: Invoices, commands: Sequence[Command]) -> None:
    """Save after every command; an invoice's commands are one thread's, in order."""
    by_invoice: dict[str, list[Command]] = defaultdict(list)
    for command in commands:
        by_invoice[command[0].invoice_id].append(command)

    def live(own: list[Command]) -> None:
        invoices: dict[str, Invoice] = {}
        for command in own:
            app.save(_happened(invoices, command))

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(live, by_invoice.values()))


def save_in_batches(app: Invoices, commands: Sequence[Command]) -> None:
    """Save what many commands have changed at once."""
    invoices: dict[str, Invoice] = {}
    for start in range(0, len(commands), BATCH):
        changed = {}
        for command in commands[start : start + BATCH]:
            invoice = _happened(invoices, command)
            changed[invoice.id] = invoice
        app.save(*changed.values())


def _happened(invoices: dict[str, Invoice], command: Command) -> Invoice:
    for stored in command:
        data = orjson.loads(stored.document)
        invoice = invoices.get(stored.invoice_id)
        if invoice is None:
            invoices[stored.invoice_id] = Invoice(kind=stored.type, data=data)
        else:
            invoice.change(kind=stored.type, data=data)
    return invoices[command[0].invoice_id]


def main(mode: str, number: int) -> None:
    """Store the events of so many commands."""
    commands = prepared(number)
    app = application(read_settings())
    began = perf_counter()
    {"save": save_each, "batch": save_in_batches}[mode](app, commands)
    seconds = perf_counter() - began
    print_line(str(sum(map(len, commands)) / seconds))
    app.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
