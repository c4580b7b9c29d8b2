"""PostgreSQL's own image in Docker."""

import asyncio

import asyncpg
from testcontainers.core.container import DockerContainer

from tests.support.stack.docker import (
    STOP_TIMEOUT_SECONDS,
    docker_host,
    docker_refusal,
    network_is_ours,
    started,
)
from tests.support.stack.ports import free_port
from tests.support.stack.wait import eventually

IMAGE = "postgres:17"
PORT = 5432
PASSWORD = "invoicing"
SMALL_DISK_SIZE = "size=48m,mode=1777"
START_TIMEOUT_SECONDS = 180


class DockerPostgres:
    kind = f"Docker ({IMAGE})"
    can_restart = True

    @staticmethod
    def refusal() -> str | None:
        return docker_refusal(IMAGE)

    def __init__(self, small_disk: str | None = None) -> None:
        host, port = docker_host(), free_port()
        self.dsn = f"postgresql://postgres:{PASSWORD}@{host}:{port}/postgres"
        self._container = DockerContainer(IMAGE)
        if network_is_ours():
            self._container.with_kwargs(network_mode="host").with_env("PGPORT", str(port))
            listen = "-c listen_addresses=localhost"
        else:
            self._container.with_bind_ports(PORT, port)
            listen = "-c listen_addresses=*"
        if small_disk is not None:
            # In memory, for tablespaces; what is on it goes with a stop.
            self._container.with_tmpfs_mount(small_disk, SMALL_DISK_SIZE)
        self._container.with_env("POSTGRES_PASSWORD", PASSWORD)
        # The data of a test need not survive a power cut.
        self._container.with_command(f"postgres {listen} -c fsync=off -c full_page_writes=off")
        with started(self._container):
            self._wait_until_ready()

    def stop(self) -> None:
        self._container.get_wrapped_container().stop(timeout=STOP_TIMEOUT_SECONDS)

    def kill(self) -> None:
        self._container.get_wrapped_container().kill()

    def start(self) -> None:
        self._container.get_wrapped_container().start()
        self._wait_until_ready()

    def close(self) -> None:
        self._container.stop()

    def _wait_until_ready(self) -> None:
        asyncio.run(eventually(self._answers, seconds=START_TIMEOUT_SECONDS))

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self.dsn)
        except (OSError, asyncpg.PostgresError):
            return False
        await connection.close()
        return True
