"""`invoicing api`: HTTP, until it is told to stop."""

import structlog
import typer

from invoicing.ops.commands.worker import configure_first_logs, run_to_its_end
from invoicing.ops.support.failures import KNOWN_FAILURES, usable_dsn
from invoicing.runtime.logs import configure_logs
from invoicing.runtime.settings import read_settings
from invoicing.runtime.tracing import configure_traces

log = structlog.get_logger()


def api() -> None:
    """Serve HTTP until SIGTERM or Ctrl-C.

    Reads invoices from Postgres; what changes them goes to the commands topic, where a worker takes
    it. Listens on INVOICING_HTTP_HOST and INVOICING_HTTP_PORT; /docs there is a page to try it out
    on. Who may ask, tokens say: see INVOICING_TOKEN_JWKS_URL, _TOKEN_JWKS_FILE, _TOKEN_SIGNING_KEY.
    Without any of them it serves this machine only, and everything to everybody on it. Ends with 1
    and an `api_gave_up` line when it cannot start.
    """
    # Imported here, for it takes half a second that no other command need wait for.
    from invoicing.api.server import run

    configure_first_logs()
    try:
        settings = read_settings()
        configure_logs(settings.log_format, settings.log_level)
        configure_traces(settings.traces_endpoint, "api")
        with usable_dsn():
            run_to_its_end(run(settings))
    except KNOWN_FAILURES as error:
        log.error("api_gave_up", message=str(error))
        raise typer.Exit(1) from None
