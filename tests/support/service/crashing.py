"""The command `invoicing` with a bug in every process: an exception that quotes what was handled.

python -m tests.support.service.crashing worker
"""

from typing import Any

from invoicing.api.writes.gateway import Gateway
from invoicing.ops.main import main
from invoicing.runtime import postgres
from invoicing.worker.batch import BatchHandler


async def handle(_handler: BatchHandler, records: Any, _lane: Any) -> Any:
    value = records[0].value.decode()
    raise LookupError(f"a bug: {value}")


async def ask(_gateway: Gateway, command: Any, value: bytes, _wait_seconds: float) -> Any:
    body = value.decode()
    raise LookupError(f"a bug: {command.data} {body}")


async def open_pool(settings: Any, *_: Any, **__: Any) -> Any:
    dsn = settings.dsn
    raise LookupError(f"a bug: {dsn}")


if __name__ == "__main__":
    import sys

    BatchHandler.handle = handle  # type: ignore[method-assign]
    Gateway.ask = ask  # type: ignore[method-assign]
    if sys.argv[1] not in {"worker", "api"}:
        postgres.open_pool = open_pool  # type: ignore[assignment]
    main()
