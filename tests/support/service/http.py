"""The API under test: a process of its own, called over HTTP."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from invoicing.api.auth.clients import ALL_SELLERS, SCOPES
from invoicing.api.auth.keys import SigningKey
from invoicing.api.auth.tokens import Client, issue
from invoicing.runtime.settings import Settings, read_settings
from tests.support.service.service import READY_SECONDS_MAX, Service
from tests.support.stack.ports import free_port
from tests.support.stack.wait import eventually

LIFETIME_SECONDS = 600.0
REQUEST_SECONDS_MAX = 40.0
WITHOUT_LIMIT = {"INVOICING_HTTP_REQUESTS_PER_SECOND_MAX": "1000000000"}
"""For tests that send requests as fast as the machine can, and must not get a 429."""


def new_key() -> str:
    """A private key to sign tokens by, as PEM."""
    private = Ed25519PrivateKey.generate()
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class Api:
    """An API process, and tokens that it takes. A setting that is empty is left out."""

    def __init__(
        self,
        service: Service,
        log: Path,
        module: str = "invoicing.ops.main",
        workers: int = 1,
        **settings: str,
    ) -> None:
        self.service = service
        self.pem = new_key()
        self.port = free_port()
        self.metrics_port = free_port()
        self._log = log
        environment = {
            **os.environ,
            **service.environment,
            "INVOICING_HTTP_PORT": str(self.port),
            "INVOICING_METRICS_PORT": str(self.metrics_port),
            "INVOICING_TOKEN_SIGNING_KEY": self.pem,
            **settings,
        }
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, "api", f"--workers={workers}"],
                env={name: value for name, value in environment.items() if value},
                stdout=output,
                stderr=output,
            )

    @property
    def log(self) -> str:
        """What it has logged."""
        return self._log.read_text(errors="replace")

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> Settings:
        """What tokens must match."""
        return read_settings({}, postgres_dsn=self.service.dsn)

    def token(
        self,
        client: str = "tests",
        seller: str = ALL_SELLERS,
        scopes: frozenset[str] = frozenset(SCOPES),
        seconds: float = LIFETIME_SECONDS,
    ) -> str:
        """A token that it takes."""
        stands_for = Client(client, seller, scopes, expires_at=None)
        return issue(SigningKey(self.pem), self.settings, stands_for, seconds)

    def connect(self, token: str | None = None) -> httpx.AsyncClient:
        """A client with a token; by default one that may do everything."""
        return httpx.AsyncClient(
            base_url=self.url,
            headers={"Authorization": f"Bearer {token or self.token()}"},
            timeout=REQUEST_SECONDS_MAX,
        )

    def metrics(self) -> str:
        """Its page of metrics."""
        url = f"http://127.0.0.1:{self.metrics_port}/metrics"
        return httpx.get(url, follow_redirects=True, timeout=5).text

    def is_ready(self) -> bool:
        """Whether it answers, and says that all is well."""
        assert self.process.poll() is None, self.log
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def close(self) -> None:
        """End it."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@contextmanager
def started_api(
    service: Service, module: str = "invoicing.ops.main", workers: int = 1, **settings: str
) -> Iterator[Api]:
    """An API process that may not be ready yet; it ends with the block."""
    api = Api(service, service.directory / f"api-{free_port()}.log", module, workers, **settings)
    try:
        yield api
    finally:
        api.close()


@asynccontextmanager
async def running_api(
    service: Service, module: str = "invoicing.ops.main", workers: int = 1, **settings: str
) -> AsyncIterator[Api]:
    """A ready API; it ends with the block."""
    with started_api(service, module, workers, **settings) as api:
        await eventually(api.is_ready, seconds=READY_SECONDS_MAX)
        yield api
