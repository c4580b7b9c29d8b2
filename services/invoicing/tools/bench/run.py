"""The questions by name, asked one after the other."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

from invoicing.ops.support.failures import BenchError
from invoicing.runtime.settings import Settings
from invoicing.tools.bench.figures import Row
from invoicing.tools.bench.ground import Ground, Report, prepared
from invoicing.tools.bench.rows.full_loop import full_loop, hot_invoices
from invoicing.tools.bench.rows.growth import long_histories, stored_events
from invoicing.tools.bench.rows.instructions import instructions
from invoicing.tools.bench.rows.latency import latency
from invoicing.tools.bench.rows.memory import memory
from invoicing.tools.bench.rows.profile import profile
from invoicing.tools.bench.rows.rebuilding import rebuilding, verifying
from invoicing.tools.bench.rows.sellers import one_seller
from invoicing.tools.bench.rows.store import store
from invoicing.tools.bench.rows.workers import workers
from invoicing.tools.bench.scale import Scale

Question = Callable[[Ground, Scale], Awaitable[Row]]

QUESTIONS: Final[Mapping[str, Question]] = {
    "full-loop": full_loop,
    "hot-invoices": hot_invoices,
    "one-seller": one_seller,
    "store": store,
    "latency": latency,
    "stored-events": stored_events,
    "long-histories": long_histories,
    "rebuild": rebuilding,
    "verify": verifying,
    "workers": workers,
    "memory": memory,
    "instructions": instructions,
    "profile": profile,
}
ASKED_BY_NAME: Final = frozenset({"instructions", "profile"})
"""What needs more of a machine: Valgrind, or the right to look into a process."""
STANDARD_QUESTIONS: Final = [name for name in QUESTIONS if name not in ASKED_BY_NAME]
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
    report: Report,
    keep: Callable[[Row], None],
) -> None:
    """Ask the questions on the servers that the settings name; each row is kept as it comes."""
    async with prepared(settings, report) as ground:
        for question in questions:
            keep(await question(ground, scale))
