"""The questions by name, asked one after the other."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

from ops.bench.figures import Row
from ops.bench.ground import Ground, Tell, prepared
from ops.bench.rows.full_loop import full_loop, hot_invoices
from ops.bench.rows.growth import long_histories, stored_events
from ops.bench.rows.latency import latency
from ops.bench.rows.memory import memory
from ops.bench.rows.profile import profile
from ops.bench.rows.rebuilding import rebuilding, verifying
from ops.bench.rows.store import store
from ops.bench.rows.workers import workers
from ops.bench.scale import Scale
from ops.failures import BenchError
from runtime.settings import Settings

Question = Callable[[Ground, Scale], Awaitable[Row]]

QUESTIONS: Final[Mapping[str, Question]] = {
    "full-loop": full_loop,
    "hot-invoices": hot_invoices,
    "store": store,
    "latency": latency,
    "stored-events": stored_events,
    "long-histories": long_histories,
    "rebuild": rebuilding,
    "verify": verifying,
    "workers": workers,
    "memory": memory,
    "profile": profile,
}
STANDARD_QUESTIONS: Final = [name for name in QUESTIONS if name != "profile"]
QUICK_QUESTIONS: Final = ["full-loop"]


def asked(only: Iterable[str] | None, quick: bool) -> list[Question]:
    """The questions of these names, else all of the scale. Raises `BenchError` for an unknown."""
    names = list(only or (QUICK_QUESTIONS if quick else STANDARD_QUESTIONS))
    if unknown := [name for name in names if name not in QUESTIONS]:
        raise BenchError(f"There is no row {unknown[0]}; there are: {', '.join(QUESTIONS)}.")
    return [QUESTIONS[name] for name in names]


async def run(
    settings: Settings,
    questions: Iterable[Question],
    scale: Scale,
    tell: Tell,
    keep: Callable[[Row], None],
) -> None:
    """Ask the questions on the servers that the settings name; each row is kept as it comes."""
    async with prepared(settings, tell) as ground:
        for question in questions:
            keep(await question(ground, scale))
