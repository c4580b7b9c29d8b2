"""The payments, credit notes and sendings of an invoice, however many there are.

Up to `INLINE_MAX` of a kind are a dict or a tuple, and a part of the invoice's snapshot. More are
`Entries`, and each has a row of its own: a batch loads those that its commands name. What decisions
ask about all of them is therefore a `Fact`, whose total is kept up to date.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Generic, NamedTuple, TypeVar

from invoicing.contracts.model import ContractModel

INLINE_MAX: Final = 32
_CHANGED_MAX: Final = 64
"""Beyond it, changes are merged: to copy them with each event would take quadratic time."""

EntryT = TypeVar("EntryT", bound=ContractModel)

Amount = int | Decimal
PartKey = tuple[str, str]
"""The kind and the id of a part of an entry, such as a refund of a payment."""


class NotLoadedError(Exception):
    """A decision needs an entry that was not loaded, or all of a kind: load it and decide again."""

    def __init__(self, kind: str, id_: str | None) -> None:
        super().__init__(kind, id_)
        self.kind = kind
        self.id = id_


class Fact(NamedTuple):
    """A count or a sum over all entries of a kind, by what each one adds to it; usually 0."""

    name: str
    of: Callable[[Any], Amount]


@dataclass(frozen=True, slots=True, eq=False)
class Kind(Generic[EntryT]):
    """A kind of entries. Decisions on any command may look at the open ones.

    `parts_of` are those parts of an entry whose ids are unique in the invoice. Entries of equal
    `shape_of` have equal facts; None is no shape.
    """

    name: str
    model: type[EntryT]
    facts: tuple[Fact, ...] = ()
    is_open: Callable[[EntryT], bool] = lambda _entry: False
    parts_of: Callable[[EntryT], Iterable[PartKey]] = lambda _entry: ()
    shape_of: Callable[[EntryT], Hashable | None] = lambda _entry: None
    _facts_of_shape: dict[Hashable, Mapping[str, Amount]] = field(default_factory=dict)

    def facts_of(self, entry: EntryT) -> Mapping[str, Amount]:
        """What an entry adds to each fact, but for zeros."""
        shape = self.shape_of(entry)
        facts = self._facts_of_shape.get(shape)
        if facts is None:
            facts = {fact.name: value for fact in self.facts if (value := fact.of(entry))}
            if shape is not None:
                self._facts_of_shape[shape] = facts
        return facts


class Tally(NamedTuple):
    """What is known of all entries without loading them; a fact without a total has 0."""

    size: int
    open_ids: frozenset[str]
    totals: Mapping[str, Amount]


class Entry(NamedTuple, Generic[EntryT]):
    """An entry, its place in the order of entries, and its parts that have no row yet."""

    id: str
    position: int
    value: EntryT
    parts: tuple[PartKey, ...]


class Entries(Mapping[str, EntryT]):
    """Many entries by id, in the order in which they were added. Immutable.

    If they are not complete, only those named when they were loaded can be read: any other one
    raises `NotLoadedError`. A loaded id without an entry has the value None in `known`.
    """

    __slots__ = (
        "_changed", "_known", "_owners", "_positions", "is_complete", "is_stored", "kind", "tally",
    )  # fmt: skip

    def __init__(
        self,
        kind: Kind[EntryT],
        tally: Tally,
        known: Mapping[str, EntryT | None],
        *,
        positions: Mapping[str, int] | None = None,
        owners: Mapping[PartKey, str | None] | None = None,
        is_complete: bool = True,
        is_stored: bool = True,
    ) -> None:
        self.kind = kind
        self.tally = tally
        self.is_complete = is_complete
        self.is_stored = is_stored
        self._known = known
        self._changed: Mapping[str, EntryT] = {}
        self._positions = positions or {}
        self._owners = owners or {}

    @classmethod
    def of(cls, kind: Kind[EntryT], entries: Mapping[str, EntryT]) -> "Entries[EntryT]":
        """All entries of a kind, none of which has a row yet."""
        values = entries.values()
        tally = Tally(
            len(entries),
            frozenset(id_ for id_, entry in entries.items() if kind.is_open(entry)),
            {fact.name: sum(map(fact.of, values)) for fact in kind.facts},
        )
        return cls(kind, tally, entries, is_stored=False)

    def __getitem__(self, id_: str) -> EntryT:
        entry = self._changed.get(id_) or self._known.get(id_)
        if entry is not None:
            return entry
        if self.is_complete or id_ in self._known:
            raise KeyError(id_)
        raise NotLoadedError(self.kind.name, id_)

    def __iter__(self) -> Iterator[str]:
        if not self.is_complete:
            raise NotLoadedError(self.kind.name, None)
        return iter(self._merged())

    def __len__(self) -> int:
        return self.tally.size

    def __hash__(self) -> int:
        return id(self)

    def with_entry(self, id_: str, entry: EntryT) -> "Entries[EntryT]":
        """The entries with this one added or replaced."""
        before = self.get(id_)
        tally, kind, owners = self.tally, self.kind, self._owners
        totals = dict(tally.totals)
        for name, value in kind.facts_of(entry).items():
            totals[name] = totals.get(name, 0) + value
        for name, value in kind.facts_of(before).items() if before else ():
            totals[name] -= value
        open_ids = tally.open_ids | {id_} if kind.is_open(entry) else tally.open_ids - {id_}
        parts = dict.fromkeys(kind.parts_of(entry), id_)
        if parts and not self.is_complete:
            owners = {**owners, **parts}
        after = Entries(
            kind,
            Tally(tally.size + (before is None), open_ids, totals),
            self._known,
            positions=self._positions,
            owners=owners,
            is_complete=self.is_complete,
            is_stored=self.is_stored,
        )
        after._changed = {**self._changed, id_: entry}
        if not self.is_stored and len(after._changed) > _CHANGED_MAX:
            after._known, after._changed = after._merged(), {}
        return after

    def open(self) -> list[EntryT]:
        """The open entries, in order."""
        if not self.tally.open_ids:
            return []
        loaded = {**self._known, **self._changed}
        assert self.tally.open_ids <= loaded.keys(), "an open entry was not loaded"
        return [entry for id_, entry in loaded.items() if entry and id_ in self.tally.open_ids]

    def owner(self, part: PartKey) -> EntryT | None:
        """The entry that has this part; None if there is none."""
        if self.is_complete:
            return next((e for e in self.values() if part in self.kind.parts_of(e)), None)
        if part not in self._owners:
            raise NotLoadedError(*part)
        owner = self._owners[part]
        return None if owner is None else self[owner]

    def unwritten(self) -> Iterator[Entry[EntryT]]:
        """The entries whose rows are missing or outdated."""
        if not self.is_stored:
            for position, (id_, entry) in enumerate(self.items()):
                yield Entry(id_, position, entry, tuple(self.kind.parts_of(entry)))
            return
        added = [id_ for id_ in self._changed if self._known.get(id_) is None]
        positions = {
            **self._positions,
            **{id_: self.tally.size - len(added) + index for index, id_ in enumerate(added)},
        }
        for id_, entry in self._changed.items():
            before = self._known.get(id_)
            known_parts = set(self.kind.parts_of(before)) if before else set()
            parts = (part for part in self.kind.parts_of(entry) if part not in known_parts)
            yield Entry(id_, positions[id_], entry, tuple(parts))

    def _merged(self) -> dict[str, EntryT]:
        merged = {**self._known, **self._changed}
        return {id_: entry for id_, entry in merged.items() if entry is not None}


class EntrySequence(Sequence[EntryT]):
    """Entries as a sequence, for a kind that is a tuple where there are few."""

    __slots__ = ("entries",)

    def __init__(self, entries: Entries[EntryT]) -> None:
        self.entries = entries

    def __getitem__(self, index: Any) -> Any:
        return tuple(self)[index]

    def __iter__(self) -> Iterator[EntryT]:
        return iter(self.entries.values())

    def __len__(self) -> int:
        return len(self.entries)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(self.entries)


def with_entry(
    kind: Kind[EntryT], entries: Mapping[str, EntryT], id_: str, entry: EntryT
) -> Mapping[str, EntryT]:
    """The entries with this one added or replaced."""
    if not isinstance(entries, Entries):
        if len(entries) < INLINE_MAX or id_ in entries:
            return {**entries, id_: entry}
        entries = Entries.of(kind, entries)
    return entries.with_entry(id_, entry)


def total(entries: Mapping[str, Any], fact: Fact) -> Amount:
    """The total of a fact over all entries."""
    if isinstance(entries, Entries):
        return entries.tally.totals.get(fact.name, 0)
    return sum(map(fact.of, entries.values()))


def facts_of_any(kind: Kind[EntryT], entries: Mapping[str, EntryT]) -> set[str]:
    """The names of the facts that some entry adds to."""
    if isinstance(entries, Entries):
        return {name for name, amount in entries.tally.totals.items() if amount}
    return {name for entry in entries.values() for name in kind.facts_of(entry)}


def open_entries(kind: Kind[EntryT], entries: Mapping[str, EntryT]) -> list[EntryT]:
    """The open entries, in order."""
    if isinstance(entries, Entries):
        return entries.open()
    return [entry for entry in entries.values() if kind.is_open(entry)]


def owner(kind: Kind[EntryT], entries: Mapping[str, EntryT], part: PartKey) -> EntryT | None:
    """The entry that has this part; None if there is none."""
    if isinstance(entries, Entries):
        return entries.owner(part)
    return next((entry for entry in entries.values() if part in kind.parts_of(entry)), None)
