"""`invoicing worker`: commands in, events and replies out."""

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from invoicing.runtime.settings import Settings


def worker() -> None:
    """Handle commands until SIGTERM or Ctrl-C.

    A worker reads the commands topic, stores invoices in Postgres, and publishes events and
    replies. Run as many as you like: they share the partitions. Run `invoicing migrate` and
    `invoicing topics` first. It serves /metrics, /health/live and /health/ready on
    INVOICING_METRICS_PORT. If Kafka or Postgres stays away too long, it logs `worker_gave_up` and
    exits with 1.
    """
    from invoicing.ops.support.sellers import sellers_of
    from invoicing.runtime.service import run_service
    from invoicing.worker.app import run

    def work(settings: "Settings") -> Coroutine[Any, Any, None]:
        return run(settings, sellers_of(settings))

    run_service("worker", work)
