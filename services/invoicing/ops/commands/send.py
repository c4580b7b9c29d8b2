"""`invoicing send`: a file of commands to Kafka, and their answers back."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Final
from uuid import uuid4

import orjson
import typer
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from rich import box
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from invoicing.contracts.envelope import HEADERS
from invoicing.ops.support.command_file import BadLine, ReadyCommand, read_lines
from invoicing.ops.support.console import err, out, print_line, print_note
from invoicing.ops.support.failures import reaching_kafka
from invoicing.ops.support.kafka_readers import producing, reading
from invoicing.ops.support.reply_tracker import Reply, ReplyTracker
from invoicing.runtime.settings import Settings, read_settings

MESSAGES_SHOWN: Final = 3
POLL_MS: Final = 200

_COLUMNS: Final = (
    TextColumn("{task.description:<8}"),
    BarColumn(),
    MofNCompleteColumn(),
    TimeElapsedColumn(),
)


def send(
    file: Annotated[typer.FileBinaryRead, typer.Argument(help="JSON lines; - is standard input.")],
    wait_seconds: Annotated[
        float,
        typer.Option("--wait", min=0, metavar="SECONDS", help="How long to wait for a new answer."),
    ] = 30,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each answer's data, one JSON line each.")
    ] = False,
) -> None:
    """Send commands from a file, and wait for their answers.

    Each line is a command as a CloudEvent, with at least its type, its subject (the invoice) and
    its data; missing specversion, id, source and time are filled in. All lines are checked first:
    a line that cannot be read stops it, and nothing is sent. A rejected command is an answer too.
    Exits with 1 when answers are missing.

    A line: `{"type": "OpenInvoice", "subject": "inv_1001", "data": {}}`
    """
    commands = _read(file)
    if not commands:
        print_note("There is no command in it.")
        return
    settings = read_settings()
    tell = _print_answer if as_json else _tell_nothing
    with reaching_kafka():
        correspondence = asyncio.run(_correspond(settings, commands, wait_seconds, tell))
    if not as_json:
        out.print(outcomes_table(correspondence.answers))
    if correspondence.missing:
        print_note(f"No answer has come for {wait_seconds:g} seconds. Not answered:")
        for id_ in correspondence.missing:
            print_note(id_)
        raise typer.Exit(1)


def _read(lines: Iterable[bytes]) -> list[ReadyCommand]:
    read = list(read_lines(lines, datetime.now(UTC), lambda: str(uuid4())))
    bad_lines = [line for line in read if isinstance(line, BadLine)]
    if bad_lines:
        for line in bad_lines:
            print_note(f"Line {line.number}: {line.reason}")
        print_note("Nothing was sent.")
        raise typer.Exit(1)
    return [line for line in read if isinstance(line, ReadyCommand)]


async def _correspond(
    settings: Settings,
    commands: Sequence[ReadyCommand],
    wait_seconds: float,
    tell: Callable[[Reply], None],
) -> ReplyTracker:
    correspondence = ReplyTracker(commands)
    # Read from before the first is sent, so that no answer comes unseen.
    async with (
        reading(settings, settings.topic_replies) as consumer,
        producing(settings) as producer,
    ):
        with Progress(*_COLUMNS, console=err, disable=not err.is_terminal) as progress:
            sent = progress.add_task("sent", total=len(commands))
            answered = progress.add_task("answered", total=len(commands))
            sending = asyncio.create_task(
                send_all(
                    producer, settings.topic_commands, commands, partial(progress.advance, sent)
                )
            )
            async for answer in _awaited(consumer, correspondence, sending, wait_seconds):
                progress.advance(answered)
                tell(answer)
            await sending
    return correspondence


async def send_all(
    producer: AIOKafkaProducer,
    topic: str,
    commands: Sequence[ReadyCommand],
    advance: Callable[[], None],
) -> None:
    """Send the commands in order, until the broker has all of them."""
    acknowledgements = []
    for command in commands:
        key = command.invoice_id.encode()
        acknowledgements.append(
            await producer.send(topic, command.value, key=key, headers=list(HEADERS))
        )
        advance()
    await asyncio.gather(*acknowledgements)


async def _awaited(
    consumer: AIOKafkaConsumer,
    correspondence: ReplyTracker,
    sending: asyncio.Task[None],
    wait_seconds: float,
) -> AsyncIterator[Reply]:
    """Each answer as it comes, until all have come or none has for too long."""
    last_came = time.monotonic()
    while not correspondence.is_complete and time.monotonic() - last_came <= wait_seconds:
        if sending.done() and sending.exception():
            return
        for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
            for record in records:
                answer = orjson.loads(record.value)["data"]
                if correspondence.take(answer):
                    last_came = time.monotonic()
                    yield answer


def outcomes_table(answers: Sequence[Reply]) -> Table:
    """How many answers were accepted, and how many rejected with each code, and why."""
    by_outcome: dict[str, list[Reply]] = {}
    for answer in answers:
        by_outcome.setdefault(answer.get("code", "accepted"), []).append(answer)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Outcome", no_wrap=True)
    table.add_column("Answers", justify="right", no_wrap=True)
    table.add_column("The first of them")
    for outcome, of_them in sorted(by_outcome.items(), key=lambda pair: -len(pair[1])):
        table.add_row(outcome, str(len(of_them)), Text("\n".join(_messages(of_them))))
    return table


def _messages(answers: Sequence[Reply]) -> Iterator[str]:
    for answer in answers[:MESSAGES_SHOWN]:
        if "code" in answer:
            faults = (f" {error['field']} {error['reason']}." for error in answer["errors"])
            yield f"{answer['invoice_id']}: {answer['message']}{''.join(faults)}"


def _print_answer(answer: Reply) -> None:
    print_line(orjson.dumps(answer).decode())


def _tell_nothing(_answer: Reply) -> None:
    """The table at the end tells of all answers."""
