"""The stages of a command: the functions between which its instructions are divided."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pkgutil import resolve_name
from typing import Any, Final
from unittest.mock import patch

STAGES: Final[Mapping[str, str]] = {
    "invoicing.worker.batch:read_command": "read",
    "invoicing.domain.handling:read_data": "data",
    "invoicing.domain.handling:decide": "decide",
    "invoicing.worker.decisions:render": "events",
    "invoicing.worker.decisions:Decisions._reply": "reply",
    "invoicing.worker.decisions:stored_invoice": "row",
    "invoicing.domain.invoice:Invoice.model_validate_json": "state",
}
"""By function, as its caller knows it: the stage that its own instructions belong to."""
REST: Final = "rest"

Mark = Callable[[str], None]
"""Called with the stage that has run since the last call."""


@contextmanager
def staged(mark: Mark) -> Iterator[None]:
    """Mark where stages begin and end. One within another counts for itself alone."""
    running = [REST]

    def marked(function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        def marking(*args: Any, **kwargs: Any) -> Any:
            mark(running[-1])
            running.append(stage)
            try:
                return function(*args, **kwargs)
            finally:
                mark(running.pop())

        return marking

    with ExitStack() as stack:
        for path, stage in STAGES.items():
            owner, _, name = path.replace(":", ".").rpartition(".")
            function = marked(resolve_name(path), stage)
            stack.enter_context(patch.object(resolve_name(owner), name, function))
        yield
