"""`invoicing demo`: starts the service, plays the story, and explains the run."""

import asyncio
from collections.abc import Sequence
from time import perf_counter

import typer
from rich.rule import Rule
from rich.text import Text

from invoicing.ops.support.console import out, print_note
from invoicing.ops.support.interruption import interrupted_once
from invoicing.ops.support.panels import history_table, invoice_panel
from invoicing.ops.support.postgres import database
from invoicing.runtime.settings import Settings
from invoicing.store.history import events_of, replay
from invoicing.store.rows import StoredEvent
from invoicing.tools.demo.lines import message_line, scene_line
from invoicing.tools.demo.play import NoOutcomeError, differences, scene_player
from invoicing.tools.demo.service import DemoService, demo_service
from invoicing.tools.demo.story import EARLIER_VERSION, LONGEST_INVOICE, SCENES


def demo() -> None:
    """Run the demonstration. Raises `typer.Exit` if an outcome differs from the story's."""
    began = perf_counter()

    def report(words: str) -> None:
        out.print(f"{perf_counter() - began:5.1f} s  {words}", markup=False)

    with interrupted_once():
        out.print(Rule("The stage", align="left"))
        with demo_service(report) as service:
            surprises = _play(service)
            out.print(Rule("The end", align="left"))
            _explain(service.settings)
        report("all of it, with everything stopped and removed")
    print_surprises(surprises)


def print_surprises(surprises: Sequence[str]) -> None:
    """Print the differences from the story; exit with 1 if there are any."""
    for surprise in surprises:
        print_note(f"Not as the story has it: {surprise}")
    if surprises:
        raise typer.Exit(1)


def _play(service: DemoService) -> list[str]:
    """Play every scene and show the longest history. Returns the differences from the story."""
    out.print(Rule("The story: -> sent to Kafka, <- answered, * happened", align="left"))
    try:
        surprises = asyncio.run(_play_scenes(service.settings))
    except NoOutcomeError as error:
        raise service.failure(str(error)) from None

    async def longest_history() -> list[StoredEvent]:
        async with database(service.settings) as connection:
            return await events_of(connection, LONGEST_INVOICE)

    events = asyncio.run(longest_history())
    out.print(Rule(f"The history of {LONGEST_INVOICE}, from its events", align="left"))
    out.print(history_table(events))
    out.print(Rule(f"The same invoice as of version {EARLIER_VERSION}", align="left"))
    out.print(invoice_panel(replay(events[:EARLIER_VERSION])[-1]))
    return surprises


async def _play_scenes(settings: Settings) -> list[str]:
    surprises = []
    async with scene_player(settings) as player:
        for number, scene in enumerate(SCENES, start=1):
            out.print(scene_line(number, scene.shows))
            out.print(message_line(scene.title))
            outcome = await player.play(scene, out.print)
            surprises += [
                f"{number}. {scene.title}: {difference}"
                for difference in differences(scene.expected, outcome)
            ]
    return surprises


def _explain(settings: Settings) -> None:
    if settings.is_transactional:
        text = (
            "This was a real Kafka: each batch's events, answers and offsets were one transaction."
            " The demo's topics are deleted."
        )
    else:
        text = (
            "The mock broker kept all of this in memory, keeps nothing, and has no transactions:"
            " the worker ran with INVOICING_KAFKA_TRANSACTIONS=off, at least once. On a real Kafka"
            " it is exactly once. Play it there with\n\n"
            "  INVOICING_KAFKA_BOOTSTRAP_SERVERS=localhost:9092 make demo\n\n"
            "and run the service with: invoicing migrate, invoicing topics, invoicing worker."
        )
    out.print(Text(text))
