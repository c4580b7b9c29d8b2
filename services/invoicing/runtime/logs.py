"""Logs: one structlog event per line, ours and the libraries' alike, on standard error.

A line carries ids and codes, never a customer's data or a secret. For an exception that means its
type and where it was raised: its message may quote the value that caused it, and a frame's local
variables may hold a token.
"""

import asyncio
import logging
import math
import sys
import time
from collections.abc import Callable, MutableMapping
from types import TracebackType
from typing import Any, Final, Literal, TextIO

import structlog
from structlog.tracebacks import ExceptionDictTransformer

LogFormat = Literal["console", "json"]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

# They report every reconnect and rebalance at INFO. What matters of it, we log ourselves.
LIBRARIES: Final = ("aiokafka", "faststream", "uvicorn", "asyncio", "alembic", "sqlalchemy")

KAFKA_LINE_INTERVAL_SECONDS: Final = 1.0

log = structlog.get_logger()


def configure_logs(log_format: LogFormat, level: str = "INFO") -> None:
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
                *_renderers(log_format),
            ],
        )
    )
    handler.addFilter(KafkaNoiseFilter())
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in LIBRARIES:
        logger = logging.getLogger(name)
        logger.setLevel(logging.WARNING)
        # FastStream brings a handler of its own, which writes exceptions with their messages.
        logger.handlers.clear()
        logger.propagate = True
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


class KafkaNoiseFilter(logging.Filter):
    """Passes one line of aiokafka per second, and all with an exception.

    While brokers are away, each of its clients logs every attempt to connect, hundreds of lines a
    second in all. Our own `dependency_down` would drown in them.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._passed_at = -math.inf
        self._dropped = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log the line; the next one that passes says how many did not."""
        if not record.name.startswith("aiokafka") or record.exc_info:
            return True
        if self._clock() - self._passed_at < KAFKA_LINE_INTERVAL_SECONDS:
            self._dropped += 1
            return False
        if self._dropped:
            record.msg = f"{record.getMessage()} ({self._dropped} lines before it left out)"
            record.args = ()
        self._passed_at, self._dropped = self._clock(), 0
        return True


def _renderers(log_format: LogFormat) -> list[Any]:
    if log_format == "console":
        return [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=_write_traceback
            )
        ]
    return [
        structlog.processors.ExceptionRenderer(_describe_exception),
        structlog.processors.EventRenamer("event"),
        structlog.processors.JSONRenderer(),
    ]


def _describe_exception(exc_info: ExcInfo) -> list[dict[str, Any]]:
    """An exception and its causes: types and frames, without messages and local variables."""
    return _without_messages(ExceptionDictTransformer(show_locals=False)(exc_info))


def _without_messages(stacks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for stack in stacks:
        for name in ("exc_value", "exc_notes", "syntax_error"):
            stack.pop(name, None)
        for group in stack.get("exceptions", ()):
            _without_messages(group)
    return stacks


def _write_traceback(file: TextIO, exc_info: ExcInfo) -> None:
    file.write("\n" + format_traceback(exc_info[1]))


def format_traceback(error: BaseException) -> str:
    """Python's usual traceback, without messages and without the lines of source."""
    lines = []
    for stack in reversed(_describe_exception((type(error), error, error.__traceback__))):
        lines.append(f"{stack['exc_type']} raised at")
        lines += [
            f"  {frame['filename']}:{frame['lineno']} in {frame['name']}"
            for frame in stack["frames"]
        ]
    return "\n".join(lines)


def log_task_failure(_loop: asyncio.AbstractEventLoop, context: MutableMapping[str, Any]) -> None:
    """An event loop's exception handler. asyncio's own logs the failed task with its exception."""
    log.error("task_failed", exc_info=context.get("exception"))
