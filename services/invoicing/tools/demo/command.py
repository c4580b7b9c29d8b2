"""`invoicing demo`: sets the stage, plays the story, and says what it was."""

import asyncio
from collections.abc import Sequence
from time import perf_counter

import typer
from rich.rule import Rule
from rich.text import Text

from invoicing.ops.support.console import out, print_note
from invoicing.ops.support.interruption import interrupted_once
from invoicing.ops.support.kafka_readers import database
from invoicing.ops.support.panels import history_table, invoice_panel
from invoicing.runtime.settings import Settings
from invoicing.store.history import events_of, replay
from invoicing.store.rows import StoredEvent
from invoicing.tools.demo.lines import message_line, scene_line
from invoicing.tools.demo.play import NoOutcomeError, differences, theatre
from invoicing.tools.demo.stage import Stage, staged
from invoicing.tools.demo.story import EARLIER_VERSION, LONGEST_INVOICE, SCENES


def demo() -> None:
    """Run the demonstration. Raises `typer.Exit` if an outcome differs from the story's."""
    began = perf_counter()

    def tell(words: str) -> None:
        out.print(f"{perf_counter() - began:5.1f} s  {words}", markup=False)

    with interrupted_once():
        out.print(Rule("The stage", align="left"))
        with staged(tell) as stage:
            surprises = _play(stage)
            out.print(Rule("The end", align="left"))
            _explain(stage.settings)
        tell("all of it, with everything stopped and removed")
    tell_surprises(surprises)


def tell_surprises(surprises: Sequence[str]) -> None:
    """Tell what came otherwise than the story has it, and exit with 1 where anything did."""
    for surprise in surprises:
        print_note(f"Not as the story has it: {surprise}")
    if surprises:
        raise typer.Exit(1)


def _play(stage: Stage) -> list[str]:
    """Everything that came otherwise than the story has it."""
    out.print(Rule("The story: -> sent to Kafka, <- answered, * happened", align="left"))
    try:
        surprises = asyncio.run(_play_scenes(stage.settings))
    except NoOutcomeError as error:
        raise stage.failure(str(error)) from None
    events = asyncio.run(_events(stage.settings))
    out.print(Rule(f"The history of {LONGEST_INVOICE}, from its events", align="left"))
    out.print(history_table(events))
    out.print(Rule(f"The same invoice as of version {EARLIER_VERSION}", align="left"))
    out.print(invoice_panel(replay(events[:EARLIER_VERSION])[-1]))
    return surprises


async def _play_scenes(settings: Settings) -> list[str]:
    surprises = []
    async with theatre(settings) as stage:
        for place, scene in enumerate(SCENES, start=1):
            out.print(scene_line(place, scene.shows))
            out.print(message_line(scene.title))
            outcome = await stage.play(scene, out.print)
            surprises += [
                f"{place}. {scene.title}: {difference}"
                for difference in differences(scene.expected, outcome)
            ]
    return surprises


async def _events(settings: Settings) -> list[StoredEvent]:
    async with database(settings) as connection:
        return await events_of(connection, LONGEST_INVOICE)


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
