"""`invoicing worker`: commands in, events and answers out, until it is told to stop."""

from collections.abc import Coroutine
from typing import Any

from invoicing.domain.sellers import Sellers, read_sellers
from invoicing.ops.support.failures import KNOWN_FAILURES
from invoicing.runtime.service import run_service
from invoicing.runtime.settings import Settings, WrongSettingError


def worker() -> None:
    """Handle commands until SIGTERM or Ctrl-C.

    Reads the commands topic, keeps the invoices in Postgres, and publishes events and answers. Run
    as many as you like: they share the partitions. Needs `invoicing migrate` and `invoicing topics`
    to have been run. Serves /metrics, /health/live and /health/ready on INVOICING_METRICS_PORT.
    Ends with 1 and a `worker_gave_up` line when Kafka or Postgres stays away too long.
    """
    # Imported here, for it takes half a second that no other command need wait for.
    from invoicing.worker.app import run

    def work(settings: Settings) -> Coroutine[Any, Any, None]:
        return run(settings, sellers_of(settings))

    run_service("worker", work, KNOWN_FAILURES)


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
