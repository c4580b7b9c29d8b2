"""`docker compose` on this repository's file: a project of its own, on ports of its own."""

import json
import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any, Self

import yaml

from tests.support.stack.docker import docker_refusal
from tests.support.stack.ports import free_port
from tests.support.stack.topics import Topics

ROOT = Path(__file__).parents[2]
UP_SECONDS_MAX = 600
RUN_SECONDS_MAX = 120
COMPOSE_FILE = "docker-compose.yml"
# Where the image of its profile `metrics` cannot be pulled.
STAND_INS = "tests/deploy/images/compose.yaml"
PYTHON_IMAGE = "python:3.13-slim"
IMAGES = (PYTHON_IMAGE, "postgres:17", "apache/kafka:4.1.1")
TOPICS = Topics(
    commands="invoices.commands",
    events="invoices.events",
    replies="invoices.replies",
    dead_letter="invoices.commands.dead-letter",
    group="invoicing",
    partitions=8,
)


def compose_refusal() -> str | None:
    """Why this machine cannot run the compose file; None where it can."""
    if shutil.which("docker") is None:
        return "there is no docker command"
    for image in IMAGES:
        if refusal := docker_refusal(image):
            return refusal
    if not _docker_has("compose"):
        return "docker has no compose plugin"
    return None


def image_refusal(service: str) -> str | None:
    """Why this machine cannot run the image that the compose file names; None where it can."""
    services = yaml.safe_load((ROOT / COMPOSE_FILE).read_text())["services"]
    return docker_refusal(services[service]["image"])


class ComposeProject:
    """The stack of docker-compose.yml while the block runs, and then gone without a trace."""

    def __init__(self) -> None:
        self.name = f"invoicing-test-{uuid.uuid4().hex[:8]}"
        self.image = f"{self.name}:latest"
        self._stand_in = f"{self.name}-prometheus"
        self._ports = {
            name: free_port() for name in ("KAFKA", "POSTGRES", "HTTP", "PROMETHEUS", "GRAFANA")
        }
        self._environment = {
            **os.environ,
            # The older builder comes with every engine; the newer one is a plugin.
            **({} if _docker_has("buildx") else {"DOCKER_BUILDKIT": "0"}),
            **{f"{name}_PORT": str(port) for name, port in self._ports.items()},
            "COMPOSE_FILE": COMPOSE_FILE,
            "COMPOSE_PROJECT_NAME": self.name,
            "INVOICING_IMAGE": self.image,
            "PROMETHEUS_STAND_IN": self._stand_in,
        }

    def __enter__(self) -> Self:
        try:
            self.compose("up", "--wait", seconds=UP_SECONDS_MAX)
        except BaseException as error:
            error.add_note(self.compose("logs", "--no-color", "--tail", "50", check=False))
            self.close()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove what it started and built; the builder's cache stays, for the next time."""
        self.compose("--profile", "*", "down", "--volumes", "--timeout", "5", check=False)
        self.docker("image", "rm", "--no-prune", self.image, self._stand_in, check=False)

    def stand_in_for_prometheus(self) -> None:
        """Build one of Debian's package, to be used from here on."""
        self._environment["COMPOSE_FILE"] = f"{COMPOSE_FILE}{os.pathsep}{STAND_INS}"
        self.compose("build", "prometheus", seconds=UP_SECONDS_MAX)

    @property
    def bootstrap(self) -> str:
        return f"localhost:{self._ports['KAFKA']}"

    @property
    def dsn(self) -> str:
        """As the superuser, from this machine."""
        return f"postgresql://invoicing:invoicing@localhost:{self._ports['POSTGRES']}/invoicing"

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"http://localhost:{self._ports['HTTP']}"

    def start(self, service: str) -> str:
        """Start a service of the profile `metrics`; returns where it is."""
        self.compose("up", "--detach", "--wait", "--no-deps", service, seconds=UP_SECONDS_MAX)
        return f"http://localhost:{self._ports[service.upper()]}"

    def compose(self, *arguments: str, seconds: float = RUN_SECONDS_MAX, check: bool = True) -> str:
        """What `docker compose` prints. Raises AssertionError, with its errors, where it fails."""
        return self.docker("compose", *arguments, seconds=seconds, check=check)

    def docker(self, *arguments: str, seconds: float = RUN_SECONDS_MAX, check: bool = True) -> str:
        run = subprocess.run(
            ["docker", *arguments],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert not check or run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    def container(self, service: str) -> str:
        """The id of a service's container."""
        return self.compose("ps", "--all", "--quiet", service).strip()

    def inspect(self, container: str) -> dict[str, Any]:
        """All that the engine knows of a container."""
        (told,) = json.loads(self.docker("inspect", container))
        return dict(told)

    def is_healthy(self, service: str) -> bool:
        state = self.inspect(self.container(service))["State"]
        return bool(state["Running"] and state["Health"]["Status"] == "healthy")

    def invoicing(self, *arguments: str, given: str = "") -> list[dict[str, Any]]:
        """The JSON lines that the command line prints, run on this machine and in no container."""
        run = subprocess.run(
            [sys.executable, "-m", "invoicing.ops.main", *arguments, "--json"],
            env={**os.environ, "INVOICING_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap},
            input=given,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS_MAX,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        return [json.loads(line) for line in run.stdout.splitlines()]


def _docker_has(plugin: str) -> bool:
    return subprocess.run(["docker", plugin, "version"], capture_output=True).returncode == 0
