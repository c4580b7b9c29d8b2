"""The API's application in this process, on the backends that a test gives it."""

from typing import Any

import httpx

from invoicing.api.app import create_app
from invoicing.api.auth.rates import Rates
from invoicing.api.reads.streams import Streams
from invoicing.api.state import AppState
from invoicing.domain.sellers import Sellers
from invoicing.runtime.settings import read_settings

NOWHERE = read_settings({}, postgres_dsn="postgresql://nowhere")


def client_of(
    *, database: Any = None, gateway: Any = None, tokens: Any = None, bearer: str = "any"
) -> httpx.AsyncClient:
    """A client of an application with these behind it; without tokens it is this machine's."""
    backend = AppState(
        settings=NOWHERE,
        database=database,
        gateway=gateway,
        rates=Rates(1_000_000),
        previews=Rates(10, burst_seconds=1),
        sellers=Sellers(),
        streams=Streams(),
        tokens=tokens,
        signing_key=None,
        clients={},
    )
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(backend, {}), raise_app_exceptions=False),
        base_url="http://127.0.0.1",
        headers={"Authorization": f"Bearer {bearer}"},
    )
