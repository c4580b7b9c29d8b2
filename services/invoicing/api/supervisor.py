"""Several API processes behind one port, one set of metrics and one health check.

The supervisor binds the port and passes the socket on: any free process accepts a connection, and
none is lost with a process. It serves no request itself.
"""

import asyncio
import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack, suppress
from typing import Final

import structlog
from prometheus_client import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector, CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from invoicing.runtime.errors import OperatorError
from invoicing.runtime.http import bind, serving
from invoicing.runtime.process import background, run_until_signal, stop_signal
from invoicing.runtime.settings import Settings

REPLACE_PAUSE_SECONDS: Final = 1.0
ASK_SECONDS_MAX: Final = 2.0
# A process gives its requests 10 s, and closes its connections to Kafka and Postgres.
STOP_SECONDS_MAX: Final = 15

log = structlog.get_logger()


class ProcessEndedError(OperatorError):
    """One of the processes gave up. Its own log line says why."""


class ApiProcess:
    """One of the processes: started, asked about its health, replaced if it was killed."""

    def __init__(self, number: int, http: socket.socket) -> None:
        self._number = number
        self._http = http
        self._monitoring_port = 0
        self._process: asyncio.subprocess.Process | None = None

    async def run(self) -> None:
        """Keep the process running. Raises `ProcessEndedError` if it gives up."""
        while True:
            with bind("127.0.0.1", 0) as monitoring:
                self._monitoring_port = monitoring.getsockname()[1]
                self._process = await self._start(monitoring)
            code = await self._process.wait()
            if code > 0:
                raise ProcessEndedError(
                    f"API process {self._number} ended with exit code {code}: see its log."
                )
            log.warning("api_process_replaced", process=self._number, exit_code=code)
            await asyncio.sleep(REPLACE_PAUSE_SECONDS)

    async def stop(self) -> None:
        """End the process, with the grace that it gives its requests."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS_MAX):
                await self._process.wait()
        except TimeoutError:
            log.warning("api_process_killed", process=self._number)
            self._process.kill()
            await self._process.wait()

    async def is_well(self, path: str) -> bool:
        """Whether the process says so on this page."""
        head, _ = await self._ask(path)
        return b" 200 " in head.partition(b"\r\n")[0]

    async def metrics(self) -> list[Metric]:
        """Its metrics, with its number as the label `process`; none if it does not answer."""
        _, body = await self._ask("/metrics")
        families = list(text_string_to_metric_families(body.decode()))
        for family in families:
            family.samples = [
                sample._replace(labels={**sample.labels, "process": str(self._number)})
                for sample in family.samples
            ]
        return families

    async def _start(self, monitoring: socket.socket) -> asyncio.subprocess.Process:
        sockets = (self._http.fileno(), monitoring.fileno())
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "invoicing.ops.main", "api", "--sockets", *map(str, sockets)),
            # It ends with this pipe, and so with this process, however this process ends.
            stdin=asyncio.subprocess.PIPE,
            pass_fds=sockets,
        )

    async def _ask(self, path: str) -> tuple[bytes, bytes]:
        """The head and body of a page of its monitoring port; empty if it does not answer."""
        answer = b""
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(ASK_SECONDS_MAX):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._monitoring_port)
                try:
                    writer.write(b"GET %s HTTP/1.0\r\n\r\n" % path.encode())
                    answer = await reader.read(-1)
                finally:
                    writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        return head, body


async def supervise(settings: Settings, workers: int) -> None:
    """Serve HTTP by several processes until SIGTERM or SIGINT.

    Raises `WrongSettingError` if a port is not available, and `ProcessEndedError`.
    """
    stopped = stop_signal()
    async with AsyncExitStack() as stack:
        http = stack.enter_context(bind(settings.http_host, settings.http_port))
        processes = [ApiProcess(number, http) for number in range(1, workers + 1)]
        monitoring = bind(settings.metrics_host, settings.metrics_port)
        await stack.enter_async_context(serving(_monitoring_app(processes), monitoring))
        try:
            await run_until_signal(stopped, _run_all(processes))
        finally:
            # Its own copy first: as long as one is open, new connections would wait in vain.
            http.close()
            await asyncio.gather(*(process.stop() for process in processes))
            log.info("api_processes_stopped")


async def _run_all(processes: Iterable[ApiProcess]) -> None:
    async with background(*(process.run() for process in processes)):
        await asyncio.Event().wait()


class _Collected(Collector):
    """Metrics that were read from the processes."""

    def __init__(self, pages: Iterable[Iterable[Metric]]) -> None:
        self._pages = pages

    def collect(self) -> Iterator[Metric]:
        """The families, each once, with the samples of all processes."""
        families: dict[str, Metric] = {}
        for page in self._pages:
            for family in page:
                families.setdefault(family.name, family)
                if families[family.name] is not family:
                    families[family.name].samples += family.samples
        yield from families.values()


def _monitoring_app(processes: Iterable[ApiProcess]) -> Starlette:
    """The pages of `runtime.service.monitoring_app`, for all processes together."""

    async def get_health(request: Request) -> Response:
        answers = await asyncio.gather(*(p.is_well(request.url.path) for p in processes))
        checks = {f"process_{number}": is_well for number, is_well in enumerate(answers, 1)}
        is_well = all(answers)
        return JSONResponse({"ok": is_well, "checks": checks}, 200 if is_well else 503)

    async def get_metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        registry = CollectorRegistry()
        registry.register(_Collected(await asyncio.gather(*(p.metrics() for p in processes))))
        return Response(encode(registry), headers={"Content-Type": content_type})

    return Starlette(
        routes=[
            Route("/health/live", get_health),
            Route("/health/ready", get_health),
            Route("/metrics", get_metrics),
        ]
    )
