"""What the services in Docker have in common."""

import os

from docker.errors import DockerException, ImageNotFound

# Read when testcontainers is imported. Ryuk, its own clean-up, is one more image to pull; the
# fixtures here clean up after themselves.
os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")

from testcontainers.core.docker_client import DockerClient

STOP_TIMEOUT_SECONDS = 20


def docker_refusal(image: str) -> str | None:
    """Why this machine cannot run `image`; None where it is at hand, pulled if it must be."""
    try:
        images = DockerClient().client.images
        try:
            images.get(image)
        except ImageNotFound:
            images.pull(image)
    except DockerException as error:
        return f"Docker: {str(error).splitlines()[0]}"
    return None


def docker_host() -> str:
    """Where the ports of containers are reached from here."""
    return DockerClient().host()
