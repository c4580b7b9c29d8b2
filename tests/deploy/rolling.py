"""Workers replaced one after the other, as an upgrade does it, while commands keep coming."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import quantiles

from tests.deploy.compose import ComposeProject
from tests.support.service.commands import Sent, create_invoice, invoice_id, record_payment
from tests.support.service.promises import (
    assert_events_are_the_stored_ones,
    assert_versions_without_gap_or_repeat,
)
from tests.support.service.service import Service

WORKERS = ("worker-1", "worker-2")
COMMANDS_PER_SECOND = 50
TICK_SECONDS = 0.2
BEHIND_SECONDS_MAX = 180


@dataclass
class Rolling:
    """One run. What it measured is in `figures`."""

    project: ComposeProject
    service: Service
    restarts: int = 0
    mebibytes: dict[str, list[float]] = field(default_factory=dict)
    _sent_at: dict[tuple[str, str], float] = field(default_factory=dict)
    _sent: list[Sent] = field(default_factory=list)

    async def run(self, seconds: float) -> None:
        """Replace every worker once, and again until the time is over; then check."""
        load = asyncio.create_task(self._send_commands())
        until = time.monotonic() + seconds
        while True:
            for worker in WORKERS:
                await asyncio.to_thread(self._replace, worker)
                assert not load.done(), load.exception()
            await asyncio.to_thread(self._weigh)
            if time.monotonic() >= until:
                break
        load.cancel()
        with suppress(asyncio.CancelledError):
            await load
        await self._check()

    async def _send_commands(self) -> None:
        while True:
            # A batch that was begun is sent to its end: all of it must have its answers.
            await asyncio.shield(asyncio.ensure_future(self._send_some()))
            await asyncio.sleep(TICK_SECONDS)  # the rhythm of the load

    async def _send_some(self) -> None:
        commands = [
            command
            for _ in range(int(COMMANDS_PER_SECOND * TICK_SECONDS / 2))
            for command in _life(invoice_id())
        ]
        now = time.time()
        self._sent += commands
        self._sent_at |= {command.identity: now for command in commands}
        await self.service.send(commands)

    def _replace(self, worker: str) -> None:
        self.project.compose(
            *("up", "--detach", "--wait", "--no-deps", "--force-recreate", worker), seconds=180
        )
        self.restarts += 1

    def _weigh(self) -> None:
        """The memory of each worker, as the engine sees it."""
        for worker in WORKERS:
            told = self.project.docker(
                *("stats", "--no-stream", "--format", "{{.MemUsage}}"),
                self.project.container(worker),
            )
            self.mebibytes.setdefault(worker, []).append(float(told.partition("MiB")[0]))

    async def _check(self) -> None:
        await self.service.answered(self._sent, seconds=BEHIND_SECONDS_MAX)
        answers = self.service.answers_by_command()
        once = Counter({command.identity: 1 for command in self._sent})
        assert Counter({identity: len(answers[identity]) for identity in once}) == once
        await assert_events_are_the_stored_ones(self.service)
        assert_versions_without_gap_or_repeat(self.service)
        told = await asyncio.to_thread(
            self.project.compose, "run", "--rm", "operator", "verify", "--json"
        )
        summary = json.loads(told.splitlines()[-1])
        assert summary["findings"] == 0
        assert summary["compared"]["offsets_not_yet_due"] == 0, "there still is a lag"

    @property
    def figures(self) -> str:
        """How long commands waited for their answers, and what workers weighed."""
        waits = sorted(self._waits())
        percentiles = quantiles(waits, n=1000)
        memory = "; ".join(
            f"{worker} {weights[0]:.0f} to {weights[-1]:.0f} MiB, at most {max(weights):.0f}"
            for worker, weights in self.mebibytes.items()
        )
        return (
            f"{self.restarts} restarts, {len(waits)} commands; seconds to the answer:"
            f" p50 {percentiles[499]:.2f}, p99 {percentiles[989]:.2f}, longest {waits[-1]:.2f};"
            f" {sum(wait > 1 for wait in waits) / len(waits):.1%} took more than one; {memory}"
        )

    def _waits(self) -> Iterator[float]:
        answers = self.service.answers
        for record, document in zip(answers.records, answers.documents, strict=True):
            data = document["data"]
            sent_at = self._sent_at.get((data["command_source"], data["command_id"]))
            if sent_at is not None:
                yield record.timestamp / 1000 - sent_at


def _life(subject: str) -> tuple[Sent, Sent]:
    return create_invoice(subject), record_payment(subject)
