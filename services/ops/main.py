"""`invoicing`: the command line for those who run the service."""

import logging
import signal
import sys

import typer

from ops.api import api
from ops.bench.command import bench
from ops.dead_letters import dead_letters
from ops.demo.command import demo
from ops.failures import KNOWN_FAILURES
from ops.rebuild import rebuild
from ops.recover import recover
from ops.send import send
from ops.setup import migrate, topics
from ops.show import history, show
from ops.token import client_secret, token
from ops.verify import verify
from ops.watch import watch
from ops.worker import worker

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


if __name__ == "__main__":
    main()
