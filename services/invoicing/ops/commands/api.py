"""`invoicing api`: HTTP, until it is told to stop."""

from invoicing.ops.support.failures import KNOWN_FAILURES
from invoicing.runtime.service import run_service


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

    run_service("api", run, KNOWN_FAILURES)
