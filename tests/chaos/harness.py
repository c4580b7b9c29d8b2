"""A round of chaos: load, workers, faults; then peace, and every promise is checked."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from time import monotonic

from tests.chaos.crew import Crew, Fates
from tests.chaos.evidence import keep_evidence
from tests.chaos.faults import Fault, Stage
from tests.chaos.load import Load
from tests.chaos.report import Round
from tests.support.service.promises import (
    assert_events_are_the_stored_ones,
    assert_numbers_without_gap_or_repeat,
    assert_versions_without_gap_or_repeat,
)
from tests.support.service.service import Service
from tests.support.stack.kafka import RestartableKafka
from tests.support.stack.postgres import RestartablePostgres
from tests.support.stack.proxy import proxied
from tests.support.stack.wait import POLL_INTERVAL_SECONDS

RECORDS_AT_ONCE = 50
# What is behind must be caught up with at the end.
BEHIND_MAX = 1_500
# Members of the group that die without a word hold it up for so long.
SESSION_SECONDS = 6
PAUSE_SECONDS = (0.05, 0.8)
PROGRESS_SECONDS_MAX = 5.0
PEACE_SECONDS_MAX = 180


class Chaos:
    """One round on a service, whose workers reach Postgres through a proxy."""

    def __init__(self, stage: Stage, told: Round, chance: random.Random) -> None:
        self.service = stage.service
        self.told = told
        self._stage = stage
        self._load = stage.load
        self._chance = chance

    async def run(self, seconds: float, kinds: Mapping[Fault, float], kills: int = 0) -> None:
        """Let faults of these kinds, by weight, happen for so long and until so many SIGKILLs.

        Each kind comes once before any comes twice. Then every promise is checked.
        """
        watching = asyncio.create_task(self._watch())
        feeding = asyncio.create_task(self._feed())
        try:
            # Before, nobody is at work, nor is it settled where invoices are at home.
            await self._until(lambda: bool(self.service.answers.documents))
            for fault in self._plan(kinds, monotonic() + seconds, kills):
                if feeding.done():
                    feeding.result()
                await fault(self._stage)
                self.told.note(fault.__name__)
                await self._rest(self._chance.uniform(*PAUSE_SECONDS))
                await self._progress()
            feeding.cancel()
            await asyncio.wait({feeding})
            assert feeding.cancelled(), feeding.exception()
            await self._make_peace()
        finally:
            watching.cancel()
            feeding.cancel()
        await self._check()

    def _plan(self, kinds: Mapping[Fault, float], until: float, kills: int) -> Iterator[Fault]:
        yield from self._chance.sample(list(kinds), len(kinds))
        while monotonic() < until or self.told.kills < kills:
            yield from self._chance.choices(list(kinds), list(kinds.values()))

    async def _rest(self, seconds: float) -> None:
        until = monotonic() + seconds
        while True:
            self._stage.crew.fill()
            if monotonic() > until:
                return
            await asyncio.sleep(POLL_INTERVAL_SECONDS)

    async def _progress(self) -> None:
        """Who is killed again and again before it has done a thing is never killed at its work."""
        answers, until = len(self.service.answers.documents), monotonic() + PROGRESS_SECONDS_MAX
        while len(self.service.answers.documents) == answers and monotonic() < until:
            await self._rest(POLL_INTERVAL_SECONDS)

    async def _watch(self) -> None:
        while True:
            self.told.see(len(self.service.answers.documents))
            await asyncio.sleep(POLL_INTERVAL_SECONDS)

    async def _feed(self) -> None:
        while True:
            await asyncio.shield(asyncio.ensure_future(self._send(RECORDS_AT_ONCE)))
            while self._behind > BEHIND_MAX:  # noqa: ASYNC110 (nobody could set an event)
                await asyncio.sleep(POLL_INTERVAL_SECONDS)

    async def _send(self, number: int) -> None:
        futures = []
        for _ in range(number):
            key, value, partition = self._load.next_record()
            futures.append(
                await self.service.producer.send(
                    self.service.topics.commands, value, key=key, partition=partition
                )
            )
        for future in futures:
            await future

    @property
    def _behind(self) -> int:
        return sum(self._load.sent.values()) - len(self.service.answers.documents)

    async def _make_peace(self) -> None:
        await self._stage.crew.calm_down()
        await self.service.producer.flush()
        # Those who still had a fate may meet it now.
        await self._until(lambda: self._all_answered)
        self.told.see(len(self.service.answers.documents))

    async def _until(self, condition: Callable[[], bool]) -> None:
        until = monotonic() + PEACE_SECONDS_MAX
        while not condition():
            assert monotonic() < until, f"{self._behind} commands were not answered"
            await self._rest(POLL_INTERVAL_SECONDS)

    @property
    def _all_answered(self) -> bool:
        return self._behind <= 0 and len(self.service.dead_letters.records) >= self._load.broken

    async def _check(self) -> None:
        told, service = self.told, self.service
        told.commands = sum(self._load.sent.values())
        told.records = told.commands + self._load.broken
        told.dead_letters = len(service.dead_letters.records)
        await service.verify()
        await assert_events_are_the_stored_ones(service)
        assert_versions_without_gap_or_repeat(service)
        assert_numbers_without_gap_or_repeat(service)
        by_command = service.answers_by_command()
        assert Counter({key: len(got) for key, got in by_command.items()}) == self._load.sent
        for answers in by_command.values():
            assert all(answer == answers[0] for answer in answers)
        assert told.dead_letters == self._load.broken


@asynccontextmanager
async def chaos_round(
    name: str,
    seed: int,
    service: Service,
    kafka: RestartableKafka,
    postgres: RestartablePostgres,
    fates: Fates,
) -> AsyncIterator[Chaos]:
    """A round with its workers. Its report is written; where it fails, what they said is kept."""
    chance = random.Random(seed)
    told = Round(name, seed)
    async with proxied(service.dsn) as (proxy, dsn):
        environment = {
            **service.environment,
            "INVOICING_POSTGRES_DSN": dsn,
            "INVOICING_SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS),
        }
        crew = Crew(environment, service.directory, chance, fates, SESSION_SECONDS, told.note)
        load = Load(chance, service.topics.partitions)
        stage = Stage(service, crew, kafka, postgres, proxy, load)
        try:
            crew.fill()
            yield Chaos(stage, told, chance)
            told.finding = None
        except BaseException as error:
            told.finding = f"{type(error).__name__}: {error}"[:2000]
            await keep_evidence(told, service)
            raise
        finally:
            crew.close()
            told.save()
