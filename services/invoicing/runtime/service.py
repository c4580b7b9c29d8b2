"""What the worker and the API share: their start, their end, and the pages for operators."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar

import structlog
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from invoicing.runtime import clock
from invoicing.runtime.errors import OperatorError
from invoicing.runtime.health import HealthProbe, kafka_ping, postgres_ping
from invoicing.runtime.kafka.connect import KafkaLoginError
from invoicing.runtime.logs import configure_logs, log_task_failure
from invoicing.runtime.postgres import is_refused_login, usable_dsn
from invoicing.runtime.retry import retry_outage
from invoicing.runtime.settings import PREFIX, Settings, WrongSettingError, read_settings
from invoicing.runtime.tracing import configure_traces

log = structlog.get_logger()

Result = TypeVar("Result")
Checks = Callable[[], Mapping[str, bool]]


def run_service(
    role: str,
    work: Callable[[Settings], Coroutine[Any, Any, None]],
) -> None:
    """Run a service to its end, as `role` in its logs and traces.

    Exits with 1 after a log line: `..._gave_up` with the message of an `OperatorError`, or
    `..._failed` with the location of any other error, which is a bug.
    """
    # A wrong setting is logged in the format that was asked for, as far as that can be known yet.
    configure_logs("console" if os.environ.get("INVOICING_LOG_FORMAT") == "console" else "json")
    try:
        settings = read_settings()
        configure_logs(settings.log_format, settings.log_level)
        configure_traces(settings.traces_endpoint, role)
        if settings.clock_offset_seconds:
            clock.move(settings.clock_offset_seconds)
            log.warning("clock_moved", seconds=settings.clock_offset_seconds)
        with usable_dsn():
            _run(work(settings))
    except OperatorError as error:
        log.error(f"{role}_gave_up", message=str(error))
        sys.exit(1)
    except Exception:
        # Python would print its message, which may quote a customer's data.
        log.error(f"{role}_failed", exc_info=True)
        sys.exit(1)


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run in the fastest event loop there is."""

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(log_task_failure)
        await work

    if sys.platform == "win32":
        asyncio.run(watched())
    else:
        import uvloop

        uvloop.run(watched())


async def until_available(
    settings: Settings,
    what: str,
    is_outage: Callable[[BaseException], bool],
    operation: Callable[[], Awaitable[Result]],
) -> Result:
    """A step of the start, retried while `what` (Kafka or Postgres) is unavailable.

    A refused login is a wrong setting here, and not an outage: nothing has worked with it yet.
    Raises `GaveUpError`, `WrongSettingError`, and any error that is no outage.
    """

    def is_worth_retrying(error: BaseException) -> bool:
        is_refused = isinstance(error, KafkaLoginError) or is_refused_login(error)
        return is_outage(error) and not is_refused

    try:
        with usable_dsn():
            return await retry_outage(
                what, settings.retry_limit_seconds, is_worth_retrying, operation
            )
    except KafkaLoginError as error:
        raise WrongSettingError(
            f"Kafka refuses {PREFIX}KAFKA_SASL_USERNAME or _KAFKA_SASL_PASSWORD: {error}."
        ) from None


def health_probes(settings: Settings) -> dict[str, HealthProbe]:
    """A probe for each dependency, by its name in metrics and health reports."""
    return {
        "kafka": HealthProbe("kafka", kafka_ping(settings)),
        "postgres": HealthProbe("postgres", postgres_ping(settings)),
    }


def monitoring_app(live: Checks, ready: Checks) -> Starlette:
    """/metrics, /health/live (503: restart it) and /health/ready, to be served on their own port.

    `live` and `ready` say of each part of the process whether it is well.
    """

    # Coroutines, so that the event loop itself answers: a stuck one must not look alive.
    async def get_liveness(_request: Request) -> Response:
        return _health_report(live())

    async def get_readiness(_request: Request) -> Response:
        return _health_report(ready())

    async def get_metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(REGISTRY), headers={"Content-Type": content_type})

    return Starlette(
        routes=[
            Route("/health/live", get_liveness),
            Route("/health/ready", get_readiness),
            Route("/metrics", get_metrics),
        ]
    )


def _health_report(checks: Mapping[str, bool]) -> Response:
    is_well = all(checks.values())
    return JSONResponse({"ok": is_well, "checks": dict(checks)}, 200 if is_well else 503)
