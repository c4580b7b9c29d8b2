"""The API process: Postgres, Kafka and HTTP, from its start to its end."""

import asyncio
import socket
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

from invoicing.api.app import create_app
from invoicing.api.auth.clients import read_clients
from invoicing.api.auth.keys import signing_key, token_keys
from invoicing.api.auth.rates import Rates
from invoicing.api.auth.tokens import Tokens
from invoicing.api.http.connections import GuardedConnection
from invoicing.api.reads.database import Database, open_database
from invoicing.api.reads.streams import Streams
from invoicing.api.state import AppState
from invoicing.api.writes.gateway import open_gateway
from invoicing.api.writes.preview import PREVIEWS_PER_SECOND_MAX
from invoicing.domain.sellers import Sellers
from invoicing.runtime.addresses import is_loopback
from invoicing.runtime.health import HealthProbe, running_probes
from invoicing.runtime.http import bind, serving
from invoicing.runtime.kafka.connect import is_kafka_outage
from invoicing.runtime.process import run_until_signal, stop_at_end_of_input, stop_signal
from invoicing.runtime.service import health_probes, monitoring_app, until_available
from invoicing.runtime.settings import Settings, WrongSettingError
from invoicing.store.errors import check_schema, is_infrastructure_error

GRACE_SECONDS: Final = 10

log = structlog.get_logger()


@dataclass(frozen=True)
class Addresses:
    """The sockets of a process: bound, and not listening yet."""

    http: socket.socket
    monitoring: socket.socket


async def run(settings: Settings, sellers: Sellers, shared: Addresses | None = None) -> None:
    """Serve HTTP until SIGTERM or SIGINT.

    `shared` are the addresses of one of several processes. It ends when standard input does, since
    its supervisor is gone then.

    Raises `WrongSettingError`; `GaveUpError` when an outage outlasts the start; `TopicsError` and
    `SchemaError` when the topics or the database are not what they must be.
    """
    stopped = stop_signal()
    if shared:
        stop_at_end_of_input(stopped)
    addresses = shared or Addresses(
        bind(settings.http_host, settings.http_port),
        bind(settings.metrics_host, settings.metrics_port),
    )
    tokens = check_access(settings)
    probes = health_probes(settings)
    monitoring = monitoring_app(
        live=dict, ready=lambda: {name: probe.is_up for name, probe in probes.items()}
    )
    async with (
        serving(monitoring, addresses.monitoring),
        running_probes(probes),
        open_database(settings) as database,
    ):
        await run_until_signal(
            stopped, _serve(settings, sellers, database, tokens, probes, addresses.http)
        )
        log.info("api_stopped")


def check_access(settings: Settings) -> Tokens | None:
    """The verifier of tokens; None in loopback-only mode. Raises `WrongSettingError`."""
    keys = token_keys(settings)
    if keys is not None:
        return Tokens(settings, keys)
    if not is_loopback(settings.http_host):
        raise WrongSettingError(
            f"INVOICING_HTTP_HOST is {settings.http_host}, which is not a loopback address,"
            " and no token keys are configured. Set INVOICING_TOKEN_JWKS_URL, _TOKEN_JWKS_FILE or"
            " _TOKEN_SIGNING_KEY, or listen on 127.0.0.1."
        )
    return None


async def _serve(
    settings: Settings,
    sellers: Sellers,
    database: Database,
    tokens: Tokens | None,
    probes: dict[str, HealthProbe],
    address: socket.socket,
) -> None:
    await until_available(
        settings, "Postgres", is_infrastructure_error, partial(check_schema, database.everything)
    )
    async with AsyncExitStack() as stack:
        gateway = await until_available(
            settings,
            "Kafka",
            is_kafka_outage,
            lambda: stack.enter_async_context(open_gateway(settings, database.everything)),
        )
        state = AppState(
            settings=settings,
            database=database,
            gateway=gateway,
            rates=Rates(settings.http_requests_per_second_max),
            previews=Rates(PREVIEWS_PER_SECOND_MAX, burst_seconds=1),
            sellers=sellers,
            streams=Streams(),
            tokens=tokens,
            signing_key=signing_key(settings),
            clients=read_clients(settings.clients_file) if settings.clients_file else {},
        )
        app = create_app(state, probes)
        port = await stack.enter_async_context(
            serving(app, address, GuardedConnection, GRACE_SECONDS)
        )
        stack.callback(state.streams.closing.set)
        stack.callback(gateway.closing.set)
        log.info("api_started", host=settings.http_host, port=port, fenced=tokens is not None)
        await asyncio.Event().wait()
