"""What services in Docker share."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

from docker.errors import DockerException, ImageNotFound

# Read when testcontainers is imported. Ryuk, its own clean-up, is one more image to pull; the
# fixtures here clean up after themselves.
os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")

from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient

STOP_TIMEOUT_SECONDS = 20


def docker_refusal(image: str) -> str | None:
    """Why this machine cannot run `image`; None where it is at hand, pulled if it must be."""
    try:
        images = DockerClient().client.images
    except DockerException:
        return "no Docker engine answers"
    try:
        try:
            images.get(image)
        except ImageNotFound:
            images.pull(image)
    except DockerException:
        return f"Docker cannot pull {image}"
    return None


def docker_host() -> str:
    """Where the ports of containers are reached from here."""
    return DockerClient().host()


def network_is_ours() -> bool:
    """Whether a container may listen in this machine's own network, without anything in between.

    The proxy before a published port takes a processor's time: a fifth of what Postgres can send.
    """
    engine = DockerClient().client.info()
    is_rootless = "name=rootless" in (engine.get("SecurityOptions") or ())
    is_here = docker_host() == "localhost" and engine["KernelVersion"] == platform.release()
    return is_here and not is_rootless


@contextmanager
def started(container: DockerContainer) -> Iterator[None]:
    """Start it; where that or the block fails, remove it and add its output to the error."""
    try:
        container.start()
        yield
    except BaseException as error:
        if container.status != "not_started":
            error.add_note(container.get_wrapped_container().logs().decode())
        container.stop()
        raise
