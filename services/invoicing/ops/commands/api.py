"""`invoicing api`: the HTTP service."""

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from invoicing.runtime.settings import Settings


def api() -> None:
    """Serve HTTP until SIGTERM or Ctrl-C.

    Invoices are read from Postgres. A change goes to the commands topic, and a worker handles it.
    The service listens on INVOICING_HTTP_HOST and INVOICING_HTTP_PORT; /docs is a page to try it.
    Clients authenticate by bearer tokens: see INVOICING_TOKEN_JWKS_URL, _TOKEN_JWKS_FILE and
    _TOKEN_SIGNING_KEY. Without any of these it serves only this machine, with full access. If it
    cannot start, it logs `api_gave_up` and exits with 1.
    """
    from invoicing.api.server import run
    from invoicing.ops.support.sellers import sellers_of
    from invoicing.runtime.service import run_service

    def serve(settings: "Settings") -> Coroutine[Any, Any, None]:
        return run(settings, sellers_of(settings))

    run_service("api", serve)
