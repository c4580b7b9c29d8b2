"""`invoicing`: the command line for those who run the service."""

import logging
import signal
import sys

import typer

from invoicing.ops.commands.api import api
from invoicing.ops.commands.dead_letters import dead_letters
from invoicing.ops.commands.rebuild import rebuild
from invoicing.ops.commands.recover import recover
from invoicing.ops.commands.send import send
from invoicing.ops.commands.setup import migrate, topics
from invoicing.ops.commands.show import history, show
from invoicing.ops.commands.token import client_secret, token
from invoicing.ops.commands.verify import verify
from invoicing.ops.commands.watch import watch
from invoicing.ops.commands.worker import worker
from invoicing.ops.support.failures import KNOWN_FAILURES
from invoicing.runtime.logs import format_traceback
from invoicing.tools.bench.command import bench
from invoicing.tools.demo.command import demo

app = typer.Typer(
    name="invoicing",
    help="Event-driven invoicing: commands in on Kafka, invoices in Postgres, events out."
    " Settings come from the environment, INVOICING_*.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    # A traceback is a bug's; its local variables may be a customer's.
    pretty_exceptions_enable=False,
)
app.command()(demo)
app.command()(worker)
app.command()(api)
app.command()(migrate)
app.command()(topics)
app.command()(send)
app.command()(watch)
app.command()(show)
app.command()(history)
app.command()(verify)
app.command()(rebuild)
app.add_typer(recover)
app.add_typer(dead_letters)
app.command()(token)
app.command()(client_secret)
app.command()(bench)


def main() -> None:
    """Run the command line. A failure that is no bug is one sentence, and exit code 1."""
    # The clients log what they then raise, and we say it once.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    # A container's first process has no default action for SIGTERM: it would have to be killed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app()
    except KNOWN_FAILURES as error:
        sys.exit(f"invoicing: {error}")
    except Exception as error:  # noqa: BLE001 (Python would print its text, which may quote data)
        sys.exit(f"invoicing: This is a bug in the program.\n{format_traceback(error)}")


if __name__ == "__main__":
    main()
