"""The API's application without a process around it, on whatever the test puts behind it."""

from typing import Any

import httpx

from api.app import create_app
from api.backend import Backend
from api.rates import Rates
from api.streams import Streams
from runtime.settings import read_settings


def client_of(
    *, database: Any = None, gateway: Any = None, tokens: Any = None
) -> httpx.AsyncClient:
    """A client of an application with these behind it; without tokens it is this machine's."""
    backend = Backend(
        settings=read_settings({}, postgres_dsn="postgresql://nowhere"),
        database=database,
        gateway=gateway,
        rates=Rates(1_000),
        streams=Streams(),
        tokens=tokens,
        signing_key=None,
        clients={},
    )
    transport = httpx.ASGITransport(create_app(backend, {}), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")
