"""Apache Kafka's own image in Docker."""

from testcontainers.core.container import DockerContainer

from tests.support.stack.docker import STOP_TIMEOUT_SECONDS, docker_host, docker_refusal, started
from tests.support.stack.kafka.ready import wait_until_ready
from tests.support.stack.kafka.settings import KAFKA_VERSION, broker_settings
from tests.support.stack.ports import free_port

IMAGE = f"apache/kafka:{KAFKA_VERSION}"
CONTROLLER_PORT = 9093


class DockerKafka:
    kind = f"Docker ({IMAGE})"
    real = True
    can_restart = True

    @staticmethod
    def refusal() -> str | None:
        return docker_refusal(IMAGE)

    def __init__(self) -> None:
        host, port = docker_host(), free_port()
        settings = broker_settings(host, port, CONTROLLER_PORT, "/tmp/kafka-logs")
        self.bootstrap = f"{host}:{port}"
        self._container = DockerContainer(IMAGE).with_bind_ports(port, port)
        self._container.with_envs(KAFKA_HEAP_OPTS="-Xms256m -Xmx512m", **as_variables(settings))
        with started(self._container):
            wait_until_ready(self.bootstrap)

    def stop(self) -> None:
        self._container.get_wrapped_container().stop(timeout=STOP_TIMEOUT_SECONDS)

    def kill(self) -> None:
        self._container.get_wrapped_container().kill()

    def freeze(self) -> None:
        self._container.get_wrapped_container().pause()

    def thaw(self) -> None:
        self._container.get_wrapped_container().unpause()

    def start(self) -> None:
        self._container.get_wrapped_container().start()
        wait_until_ready(self.bootstrap)

    def close(self) -> None:
        self._container.stop()


def as_variables(settings: dict[str, str]) -> dict[str, str]:
    """Settings as the image takes them: https://hub.docker.com/r/apache/kafka"""
    signs = {"_": "__", "-": "___", ".": "_"}
    return {
        f"KAFKA_{''.join(signs.get(sign, sign) for sign in name).upper()}": value
        for name, value in settings.items()
    }
