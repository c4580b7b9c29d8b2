"""What every request needs: made once when the process starts."""

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
from invoicing.runtime.settings import Settings


@dataclass(frozen=True)
class AppState:
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
async def _state_of(request: Request) -> AppState:
    state: AppState = request.app.state.app_state
    return state


AppStateOf = Annotated[AppState, Depends(_state_of)]
