"""What every request needs: made once when the process starts."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from api.clients import RegisteredClients
from api.database import Database
from api.gateway import Gateway
from api.keys import SigningKey
from api.rates import Rates
from api.streams import Streams
from api.tokens import Tokens
from runtime.settings import Settings


@dataclass(frozen=True)
class Backend:
    """What every request needs. `tokens` is None where only this machine can reach us."""

    settings: Settings
    database: Database
    gateway: Gateway
    rates: Rates
    streams: Streams
    tokens: Tokens | None
    signing_key: SigningKey | None
    clients: RegisteredClients


# Here and elsewhere async without need: FastAPI sends what is not to a thread, which costs more.
async def _backend_of(request: Request) -> Backend:
    backend: Backend = request.app.state.backend
    return backend


BackendOf = Annotated[Backend, Depends(_backend_of)]
