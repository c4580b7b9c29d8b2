"""The state of the application, shared by all requests."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from invoicing.api.auth.clients import RegisteredClients
from invoicing.api.auth.keys import SigningKey
from invoicing.api.auth.rates import Rates
from invoicing.api.auth.tokens import Tokens
from invoicing.api.reads.database import Database
from invoicing.api.reads.streams import Streams
from invoicing.api.writes.gateway import Gateway
from invoicing.domain.sellers import Sellers
from invoicing.runtime.settings import Settings


@dataclass(frozen=True)
class AppState:
    """What requests share. `tokens` is None in loopback-only mode."""

    settings: Settings
    database: Database
    gateway: Gateway
    rates: Rates
    previews: Rates
    sellers: Sellers
    streams: Streams
    tokens: Tokens | None
    signing_key: SigningKey | None
    clients: RegisteredClients


# Async without need, here and elsewhere: FastAPI would run it in a thread, which costs more.
async def _state_of(request: Request) -> AppState:
    state: AppState = request.app.state.app_state
    return state


AppStateOf = Annotated[AppState, Depends(_state_of)]
