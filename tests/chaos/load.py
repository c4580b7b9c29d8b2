"""Commands as they come in real life: in order and not, repeated, misrouted, broken."""

import random
import zlib
from collections import Counter
from dataclasses import dataclass, field

from tests.service.commands import (
    Sent,
    create_invoice,
    invoice_id,
    open_invoice,
    record_payment,
    void_invoice,
)
from tests.service.service import Service

SELLERS = ("north", "south", "west")


@dataclass
class Load:
    """Sends commands, and remembers what each of them must lead to."""

    service: Service
    chance: random.Random
    sent: Counter[tuple[str, str]] = field(default_factory=Counter)
    broken: int = 0
    _lives: list[list[Sent]] = field(default_factory=list)
    _past: list[Sent] = field(default_factory=list)

    async def send(self, number: int) -> None:
        """Send so many records, and wait until Kafka has them all."""
        futures = []
        for _ in range(number):
            key, value, partition = self._next_record()
            futures.append(
                await self.service.producer.send(
                    self.service.topics.commands, value, key=key, partition=partition
                )
            )
        for future in futures:
            await future

    def _next_record(self) -> tuple[bytes | None, bytes | None, int | None]:
        dice = self.chance.random()
        if dice < 0.01:
            self.broken += 1
            return b"broken", self.chance.choice([None, b"", b"[]", b'{"id": NaN}']), None
        repeated = dice < 0.06 and self._past
        command = self.chance.choice(self._past) if repeated else self._next_command()
        self._past.append(command)
        del self._past[:-500]
        self.sent[command.identity] += 1
        return self._placed(command)

    def _placed(self, command: Sent) -> tuple[bytes | None, bytes, int | None]:
        dice, key = self.chance.random(), command.subject.encode()
        if dice < 0.05:
            return None, command.value, self.chance.randrange(self.service.topics.partitions)
        if dice < 0.10:
            return key, command.value, zlib.crc32(key) % self.service.topics.partitions
        return key, command.value, None

    def _next_command(self) -> Sent:
        """The next command of some invoice's life; many lives go on side by side."""
        if len(self._lives) < 200:
            self._lives.append(self._life())
        life = self.chance.choice(self._lives)
        command = life.pop(0)
        if not life:
            self._lives.remove(life)
        return command

    def _life(self) -> list[Sent]:
        subject = invoice_id()
        follow = [
            open_invoice(subject),
            record_payment(subject, "14.25"),
            record_payment(subject, "200.00"),
            void_invoice(subject),
        ]
        self.chance.shuffle(follow)
        create = create_invoice(
            subject,
            seller_id=self.chance.choice(SELLERS),
            state=self.chance.choice(["open", "draft"]),
        )
        life = [create, *follow[: self.chance.randrange(len(follow) + 1)]]
        if self.chance.random() < 0.1:  # somebody was faster than the one who creates
            life[0], life[-1] = life[-1], life[0]
        return life
