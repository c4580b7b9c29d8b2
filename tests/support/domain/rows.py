"""An invoice as a store keeps it: a snapshot, and rows for the entries of which it has many."""

from types import SimpleNamespace
from typing import Any

from invoicing.contracts.replies import Rejection
from invoicing.domain.decide import decide
from invoicing.domain.decision import Accepted, Command, Context
from invoicing.domain.entries import NotLoadedError
from invoicing.domain.invoice import Invoice
from invoicing.domain.transitions import available_commands
from invoicing.store.entries import EntryKey, StoredEntry, read, wanted_by, whole, written

PARTS = {"refund", "return", "dispute"}


class Rows:
    """Decides commands on what they name, beside a desk that has the whole invoice."""

    def __init__(self) -> None:
        self.snapshot: str | None = None
        self.rows: dict[tuple[str, str, str], StoredEntry] = {}
        self.loads = 0

    def load(self, wanted: set[EntryKey]) -> list[StoredEntry]:
        """What a store loads: these rows, and those that they lead to."""
        found = {
            row for row in self.rows.values() if row[:3] in wanted or (*row[:2], None) in wanted
        }
        leads = {(row.invoice_id, "payment", row.document) for row in found if row.kind in PARTS}
        found |= {self.rows[key] for key in leads}
        return sorted(found, key=lambda row: (row.kind, row.position))

    def check(
        self, command: Command, data: object, context: Context, expected: Accepted | Rejection
    ) -> None:
        """Decide on the rows that the command names: it must come to the same, and be kept."""
        if self.snapshot is None or not self.snapshot.startswith('{"entries":'):
            self._keep(expected)
            return
        envelope: Any = SimpleNamespace(subject=command.invoice_id, type=command.type, data=data)
        wanted = wanted_by({command.invoice_id: self.snapshot}, [envelope])
        while True:
            self.loads += 1
            invoice = read(self.snapshot, wanted, self.load(wanted))
            try:
                decided = decide(invoice, command, context)
                if isinstance(decided, Rejection):
                    assert decided == expected
                    offered = available_commands(invoice)
                    assert offered == available_commands(self.invoice())
                    return
            except NotLoadedError as missing:
                key = EntryKey(command.invoice_id, missing.kind, missing.id)
                assert key not in wanted
                wanted.add(key)
                continue
            assert isinstance(expected, Accepted)
            assert decided.events == expected.events
            assert decided.numbers == expected.numbers
            self._keep(decided)
            return

    def invoice(self) -> Invoice:
        """All of the invoice that is stored."""
        assert self.snapshot is not None
        return Invoice.model_validate_json(whole(self.snapshot, sorted(self.rows.values())))

    def assert_equals(self, invoice: Invoice) -> None:
        """What is stored bit by bit is what would be stored of the invoice at once."""
        assert self.snapshot is not None
        snapshot, rows = written(Invoice.model_validate_json(invoice.to_json()))
        assert self.snapshot == snapshot
        assert set(self.rows.values()) == set(rows)
        in_order = sorted(self.rows.values(), key=lambda row: (row.kind, row.position))
        assert whole(snapshot, in_order) == invoice.to_json()

    def _keep(self, decided: Accepted | Rejection) -> None:
        if isinstance(decided, Accepted) and decided.events:
            self.snapshot, rows = written(decided.invoice)
            self.rows |= {row[:3]: row for row in rows}
