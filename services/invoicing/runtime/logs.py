"""Logs: one structlog event a line, ours and the libraries' alike. Ids, never a customer's data."""

import logging
import sys
from typing import Any, Literal

import structlog

# They tell of every reconnect and rebalance at INFO, and we tell what matters of it ourselves.
LIBRARIES = ("aiokafka", "faststream", "uvicorn", "asyncio", "alembic", "sqlalchemy")


def configure_logs(log_format: Literal["console", "json"], level: str = "INFO") -> None:
    """Send every log line of this process to standard error."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendered(log_format),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _rendered(log_format: Literal["console", "json"]) -> list[Any]:
    if log_format == "console":
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    return [
        structlog.processors.dict_tracebacks,
        structlog.processors.EventRenamer("event"),
        structlog.processors.JSONRenderer(),
    ]
