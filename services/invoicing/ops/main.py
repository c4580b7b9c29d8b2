"""`invoicing`: the command line for operators.

A command's module is imported when the command is invoked, and imports what it works with when it
runs: so `--help` and shell completion answer at once.
"""

import logging
import signal
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from invoicing.runtime.errors import OperatorError


class Entry(NamedTuple):
    """A command that is not imported yet: its line in the list of commands, and its function."""

    help: str
    module: str
    attribute: str


_COMMANDS: Final = "invoicing.ops.commands"

COMMANDS: Final = {
    "worker": Entry("Handle commands until SIGTERM or Ctrl-C.", f"{_COMMANDS}.worker", "worker"),
    "api": Entry("Serve HTTP until SIGTERM or Ctrl-C.", f"{_COMMANDS}.api", "api"),
    "migrate": Entry("Migrate the database to the newest schema.", f"{_COMMANDS}.setup", "migrate"),
    "topics": Entry(
        "Create missing topics, and check existing ones.", f"{_COMMANDS}.setup", "topics"
    ),
    "send": Entry("Send commands from a file, and wait for replies.", f"{_COMMANDS}.send", "send"),
    "watch": Entry("Show events as they are published.", f"{_COMMANDS}.watch", "watch"),
    "show": Entry("Show an invoice, now or in the past.", f"{_COMMANDS}.show", "show"),
    "history": Entry(
        "List an invoice's events, and what each one changed.", f"{_COMMANDS}.show", "history"
    ),
    "journal": Entry("Print the bookkeeping of all invoices.", f"{_COMMANDS}.journal", "journal"),
    "verify": Entry(
        "Check every promise: compare Postgres with the topics.", f"{_COMMANDS}.verify", "verify"
    ),
    "rebuild": Entry(
        "Rebuild the current state from the events.", f"{_COMMANDS}.rebuild", "rebuild"
    ),
    "restate": Entry(
        "Publish amounts that follow from facts, once after an upgrade.",
        f"{_COMMANDS}.restate",
        "restate",
    ),
    "recover": Entry(
        "Recover Postgres or Kafka after a restore or a loss.", f"{_COMMANDS}.recover", "recover"
    ),
    "dead-letters": Entry(
        "List, show and redrive dead letters.", f"{_COMMANDS}.dead_letters", "dead_letters"
    ),
    "settings": Entry(
        "Show the settings in force, with secrets masked.", f"{_COMMANDS}.settings", "settings"
    ),
    "token": Entry("Create a bearer token.", f"{_COMMANDS}.token", "token"),
    "client-secret": Entry(
        "Create a client's secret and its hash.", f"{_COMMANDS}.token", "client_secret"
    ),
}

# The image leaves this package out.
TOOLS: Final = "invoicing.tools"
TOOL_COMMANDS: Final = {
    "demo": Entry("Run a demonstration on a service of its own.", f"{TOOLS}.commands", "demo"),
    "bench": Entry("Benchmark the service beside other designs.", f"{TOOLS}.commands", "bench"),
}


class LazyGroup(TyperGroup):
    """The list of commands; the one that is invoked is imported."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self._entries = COMMANDS | (TOOL_COMMANDS if find_spec(TOOLS) else {})
        for name, entry in self._entries.items():
            self.add_command(TyperCommand(name, help=entry.help), name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that these arguments name, as click does, and import it."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in self._entries:
            command = load(name, self._entries[name])
        return name, command, rest


def load(name: str, entry: Entry) -> Any:
    """Import a command, and build its parser."""
    target = getattr(import_module(entry.module), entry.attribute)
    if not isinstance(target, typer.Typer):
        single = typer.Typer(add_completion=False, rich_markup_mode="markdown")
        single.command(name)(target)
        target = single
    return typer.main.get_command(target)


app = typer.Typer(
    name="invoicing",
    cls=LazyGroup,
    help="Event-driven invoicing: commands in on Kafka, invoices in Postgres, events out."
    " Settings are environment variables, INVOICING_*.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    # Local variables in a traceback may hold customers' data.
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"invoicing {version('invoicing')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Options without a command."""


def main() -> None:
    """Run the command line. A known failure is printed as one sentence, with exit code 1."""
    # The clients log what they then raise; the failure is printed once, by us.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    # PID 1 of a container has no default action for SIGTERM: it would have to be killed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app(prog_name="invoicing")
    except OperatorError as error:
        sys.exit(f"invoicing: {error}")
    except Exception as error:  # noqa: BLE001 (Python would print its text, which may quote data)
        from invoicing.runtime.logs import format_traceback

        sys.exit(f"invoicing: This is a bug in the program.\n{format_traceback(error)}")


if __name__ == "__main__":
    main()
