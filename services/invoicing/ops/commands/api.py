"""`invoicing api`: the HTTP service."""

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from invoicing.runtime.settings import Settings


def api(
    workers: Annotated[
        int, typer.Option(min=1, metavar="N", help="Processes that serve the port together.")
    ] = 1,
    sockets: Annotated[
        tuple[int, int] | None, typer.Option(hidden=True, help="Of one of several processes.")
    ] = None,
) -> None:
    """Serve HTTP until SIGTERM or Ctrl-C.

    Invoices are read from Postgres. A change goes to the commands topic, and a worker handles it.
    The service listens on INVOICING_HTTP_HOST and INVOICING_HTTP_PORT; /docs is a page to try it.
    Clients authenticate by bearer tokens: see INVOICING_TOKEN_JWKS_URL, _TOKEN_JWKS_FILE and
    _TOKEN_SIGNING_KEY. Without any of these it serves only this machine, with full access. If it
    cannot start, it logs `api_gave_up` and exits with 1.

    A process uses one processor: with --workers N, so many share the port, the metrics and the
    health checks. One that was killed is replaced; if one gives up, all end.
    """
    from invoicing.runtime.service import run_service

    if workers > 1:
        from invoicing.api.supervisor import supervise

        run_service("api", lambda settings: supervise(settings, workers))
        return

    import socket

    from invoicing.api.server import Addresses, run
    from invoicing.ops.support.sellers import sellers_of

    def serve(settings: "Settings") -> Coroutine[Any, Any, None]:
        shared = sockets and Addresses(*(socket.socket(fileno=number) for number in sockets))
        return run(settings, sellers_of(settings), shared)

    run_service("api", serve)
