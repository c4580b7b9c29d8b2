"""`invoicing worker`: commands in, events and answers out, until it is told to stop."""

import asyncio
import os
import sys
from collections.abc import Coroutine
from typing import Any

import structlog
import typer

from invoicing.domain.sellers import Sellers, read_sellers
from invoicing.ops.support.failures import KNOWN_FAILURES, usable_dsn
from invoicing.runtime.logs import configure_logs
from invoicing.runtime.settings import Settings, WrongSettingError, read_settings
from invoicing.runtime.tracing import configure_traces

log = structlog.get_logger()


def worker() -> None:
    """Handle commands until SIGTERM or Ctrl-C.

    Reads the commands topic, keeps the invoices in Postgres, and publishes events and answers. Run
    as many as you like: they share the partitions. Needs `invoicing migrate` and `invoicing topics`
    to have been run. Serves /metrics, /health/live and /health/ready on INVOICING_METRICS_PORT.
    Ends with 1 and a `worker_gave_up` line when Kafka or Postgres stays away too long.
    """
    # Imported here, for it takes half a second that no other command need wait for.
    from invoicing.worker.app import run

    configure_first_logs()
    try:
        settings = read_settings()
        configure_logs(settings.log_format, settings.log_level)
        configure_traces(settings.traces_endpoint, "worker")
        with usable_dsn():
            run_to_its_end(run(settings, sellers_of(settings)))
    except KNOWN_FAILURES as error:
        log.error("worker_gave_up", message=str(error))
        raise typer.Exit(1) from None


def sellers_of(settings: Settings) -> Sellers:
    """The sellers in force. Raises `WrongSettingError`."""
    path = settings.sellers_file
    if path is None:
        return Sellers()
    try:
        return read_sellers(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except ValueError as error:
        reason = str(error)
    raise WrongSettingError(f"INVOICING_SELLERS_FILE: {path} cannot be used: {reason}")


def configure_first_logs() -> None:
    """Log somehow, until the settings say how."""
    # A wrong setting is told as the log format says, even where that is not known to be right.
    wants_console = os.environ.get("INVOICING_LOG_FORMAT") == "console"
    configure_logs("console" if wants_console else "json")


def run_to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Run a service in the fastest event loop that there is."""
    if sys.platform == "win32":
        asyncio.run(work)
    else:
        import uvloop

        uvloop.run(work)
