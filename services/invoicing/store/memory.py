"""A store without a database, for playing a story: what a batch appends, the next one loads."""

from collections import Counter
from collections.abc import Mapping, Sequence

from invoicing.domain.numbering import NumberSeries, format_number
from invoicing.domain.sellers import Sellers
from invoicing.store.store import (
    CommandKey,
    Loaded,
    Position,
    Store,
    StoredEvent,
    StoredInvoice,
    StoredReply,
    WriteBatch,
)


class MemoryStore(Store):
    """Keeps all in memory, and numbers 1, 2, 3, ... in each series."""

    def __init__(self, sellers: Sellers) -> None:
        self.events: list[StoredEvent] = []
        self.answers: dict[CommandKey, StoredReply] = {}
        self.invoices: dict[str, StoredInvoice] = {}
        self._sellers = sellers
        self._last_numbers = Counter[NumberSeries]()

    async def load(
        self, invoice_ids: Sequence[str], commands: Mapping[CommandKey, Sequence[Position]]
    ) -> Loaded:
        """What was appended before. Nothing is ever delivered a second time here."""
        known = {id_: self.invoices[id_] for id_ in invoice_ids if id_ in self.invoices}
        answers = {key: self.answers[key] for key in commands if key in self.answers}
        return Loaded({id_: invoice.document for id_, invoice in known.items()}, answers, {})

    async def append(self, write_batch: WriteBatch) -> None:
        """Keep it, with the numbers in their places."""
        numbers = {}
        for request in write_batch.numbers:
            self._last_numbers[request.series] += 1
            sequence = self._last_numbers[request.series]
            numbers[request.placeholder] = format_number(request.series, sequence, self._sellers)
        write_batch.set_numbers(numbers)
        self.events += write_batch.events
        self.answers |= {answer.command_key: answer for answer in write_batch.answers}
        self.invoices |= write_batch.invoices
