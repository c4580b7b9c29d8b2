"""Credit notes by tax group: what is left of an invoice in each, and what a credit takes.

An amount with tax is kept as its portions: net and tax by category and rate. What is untaxed, such
as duties and importer tax, is a portion of its own.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from invoicing.contracts.events import CreditedItem, CreditNote, CreditNoteTaxGroup
from invoicing.contracts.invoice import Document, Tax, TaxRounding
from invoicing.domain.pricing.rounding import ZERO, RoundingPolicy

GroupKey = tuple[str | None, Decimal | None]
"""Category and rate; of the untaxed portion, neither."""

_UNTAXED: Final[GroupKey] = (None, None)
_SHIPPING: Final = None
"""In the place of a line's id."""


class Portion(NamedTuple):
    """The part of an amount that is in one tax group."""

    net: Decimal = ZERO
    tax: Decimal = ZERO

    @property
    def gross(self) -> Decimal:
        """Net and tax."""
        return self.net + self.tax


Portions = Mapping[GroupKey, Portion]


class Credit(NamedTuple):
    """The amounts of a credit note, with tax. Without items and shipping, it is by amount."""

    amount: Decimal
    items: tuple[CreditedItem, ...] | None = None
    shipping_amount: Decimal | None = None


class Remainder:
    """What standing credit notes leave of an invoice: by tax group, by line and of shipping."""

    def __init__(self, document: Document, notes: Iterable[CreditNote]) -> None:
        self._document = document
        self._policy = RoundingPolicy.of(
            document.currency, TaxRounding.GROUP, tax_inclusive=document.tax_inclusive
        )
        self._groups = _portions_of_document(document)
        self._credited_parts: defaultdict[str | None, list[Decimal]] = defaultdict(list)
        for note in notes:
            self._groups = _subtracted(self._groups, self.portions_of_note(note))

    def take(self, credit: Credit) -> Portions | None:
        """The portions of a credit; None if it takes more of a tax group than is left there.

        An amount is shared over what is left of each group. Lines bring tax of their own; of that,
        a group gives what it has left, for an earlier credit by amount may have taken some. The
        last credit takes the rest of every group, so lines must be just what is left of each.
        """
        portions = self._take_unchecked(credit)
        is_last = credit.amount == _gross_of(self._groups)
        fitted = {}
        for key in {**self._groups, **portions}:
            portion, left = portions.get(key, Portion()), self._groups.get(key, Portion())
            least = left.gross if is_last else ZERO
            if not min(left.gross, least) <= portion.gross <= max(left.gross, least):
                return None
            fitted[key] = _fitted(portion, left)
        return fitted

    def portions_of_note(self, note: CreditNote) -> Portions:
        """The portions of the note that follows those already subtracted."""
        if not note.tax_groups:
            # The first releases recorded only how much tax a note holds.
            credit = Credit(note.amount, note.items or None, note.shipping_amount)
            is_last = credit.amount == _gross_of(self._groups)
            portions = self._groups if is_last else self._take_unchecked(credit)
            return self._with_tax(portions, note.tax_amount)
        for item in note.items:
            self._credited_parts[item.id].append(item.amount)
        if note.shipping_amount:
            self._credited_parts[_SHIPPING].append(note.shipping_amount)
        return {
            _key(group.category, group.rate): Portion(group.net, group.tax)
            for group in note.tax_groups
        }

    def _take_unchecked(self, credit: Credit) -> Portions:
        """What an amount takes of each group, or what lines and shipping hold of each."""
        if credit.items is None and credit.shipping_amount is None:
            return _take(self._groups, credit.amount, self._policy)
        parts = [self._take_part(item.id, item.amount) for item in credit.items or ()]
        if credit.shipping_amount:
            parts.append(self._take_part(_SHIPPING, credit.shipping_amount))
        return _added(*parts)

    def _take_part(self, id_: str | None, amount: Decimal) -> Portions:
        """Take an amount of a line, or of shipping, from what is left of it."""
        left = _portions_of_part(self._document, id_)
        for credited in self._credited_parts[id_]:
            left = _subtracted(left, _take(left, credited, self._policy))
        self._credited_parts[id_].append(amount)
        return _take(left, amount, self._policy)

    def _with_tax(self, portions: Portions, tax: Decimal) -> Portions:
        """The same gross amounts with another amount of tax in all, shared like the tax in them."""
        taxes = [portion.tax for portion in portions.values()]
        if not sum(taxes):
            taxes = [portion.gross for portion in portions.values()]
        shares = _shared(tax, taxes, self._policy)
        return {
            key: Portion(portion.gross - share, share)
            for (key, portion), share in zip(portions.items(), shares, strict=True)
        }


def tax_groups_of_note(
    document: Document, earlier: Iterable[CreditNote], note: CreditNote
) -> tuple[CreditNoteTaxGroup, ...]:
    """The tax groups of a note; of one of the first releases, which had none, as derived."""
    if note.tax_groups:
        return note.tax_groups
    return tax_groups_of(Remainder(document, earlier).portions_of_note(note), document)


def tax_groups_of(portions: Portions, document: Document) -> tuple[CreditNoteTaxGroup, ...]:
    """Portions as a credit note shows them, in the order of the invoice's tax groups."""
    groups = [
        *(
            (_key(group.category, group.rate), group.category, group.rate)
            for group in document.tax_groups
        ),
        (_UNTAXED, None, None),
    ]
    return tuple(
        CreditNoteTaxGroup.construct_unchecked(
            category=category, rate=rate, net=portions[key].net, tax=portions[key].tax
        )
        for key, category, rate in groups
        if any(portions.get(key, Portion()))
    )


def _portions_of_document(document: Document) -> Portions:
    """The whole invoice: its tax groups, and the rest of its total, which is untaxed."""
    taxed = {
        _key(group.category, group.rate): Portion(group.net, group.tax)
        for group in document.tax_groups
    }
    return {**taxed, _UNTAXED: Portion(document.total - _gross_of(taxed))}


def _portions_of_part(document: Document, id_: str | None) -> Portions:
    """A line with its fees, duties and importer tax; or shipping."""
    inclusive = document.tax_inclusive
    if id_ is _SHIPPING:
        shipping = document.shipping
        assert shipping is not None, "shipping is credited of an invoice without any"
        return _portion(shipping.amount, shipping.tax, shipping.tax_amount, inclusive)
    item = next(item for item in document.items if item.id == id_)
    tax_on_goods = item.tax_amount - sum((fee.tax_amount for fee in item.fees), ZERO)
    return _added(
        _portion(item.net, item.tax, tax_on_goods, inclusive),
        *(_portion(fee.amount, fee.tax, fee.tax_amount, inclusive) for fee in item.fees),
        {_UNTAXED: Portion(item.duties_amount + item.importer_tax_amount)},
    )


def _portion(
    amount: Decimal, tax: Tax | None, tax_amount: Decimal, tax_inclusive: bool
) -> Portions:
    """A price with its tax, which is in the price or comes on top."""
    if tax is None:
        return {_UNTAXED: Portion(amount)}
    net = amount - tax_amount if tax_inclusive else amount
    return {_key(tax.category, tax.rate): Portion(net, tax_amount)}


def _key(category: str | None, rate: str | None) -> GroupKey:
    return (category, None if rate is None else Decimal(rate))


def _gross_of(portions: Portions) -> Decimal:
    return sum((portion.gross for portion in portions.values()), ZERO)


def _added(*several: Portions) -> Portions:
    sums: defaultdict[GroupKey, Portion] = defaultdict(Portion)
    for portions in several:
        for key, (net, tax) in portions.items():
            sums[key] = Portion(sums[key].net + net, sums[key].tax + tax)
    return sums


def _subtracted(portions: Portions, taken: Portions) -> Portions:
    return _added(portions, {key: Portion(-net, -tax) for key, (net, tax) in taken.items()})


def _take(left: Portions, amount: Decimal, policy: RoundingPolicy) -> Portions:
    """Share an amount over what is left, of the same sign and no less; tax goes in proportion."""
    if amount == _gross_of(left):
        return left
    shares = _shared(amount, [portion.gross for portion in left.values()], policy)
    taken = {}
    for (key, portion), share in zip(left.items(), shares, strict=True):
        tax = policy.zero
        if portion.gross:
            tax = policy.rounded(portion.tax * share / portion.gross)
        taken[key] = Portion(share - tax, tax)
    return taken


def _shared(total: Decimal, weights: Sequence[Decimal], policy: RoundingPolicy) -> list[Decimal]:
    """Share by largest remainder, in proportion to weights whose sum may be below 0."""
    whole = sum(weights, ZERO)
    sign = -1 if whole < 0 else 1
    return policy.share(total, [sign * total * weight for weight in weights], sign * whole)


def _fitted(portion: Portion, left: Portion) -> Portion:
    """The same gross amount, with no more net and no more tax than is left."""
    if portion.gross == left.gross:
        return left
    tax = _clamped(portion.tax, left.tax)
    net = _clamped(portion.gross - tax, left.net)
    return Portion(net, portion.gross - net)


def _clamped(amount: Decimal, left: Decimal) -> Decimal:
    return min(max(amount, min(left, ZERO)), max(left, ZERO))
