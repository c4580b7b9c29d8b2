"""Laws of credit notes: whatever is credited and voided, tax groups add up, to the last unit."""

from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from invoicing.contracts.events import CreditNote
from invoicing.contracts.types.money import EXPONENTS, UNITS
from invoicing.domain.credit_tax import Credit, Remainder, tax_groups_of
from invoicing.domain.decision import Accepted
from invoicing.domain.invoice import Invoice
from invoicing.domain.pricing.rounding import exact_arithmetic, rounded
from tests.support.domain.desk import Desk
from tests.support.domain.strategies import documents, items, written

Groups = defaultdict[tuple[str | None, Decimal | None], Fraction]


def billed(invoice: Invoice) -> tuple[Groups, Groups]:
    """Net and tax of the invoice by category and rate; what is in no group is untaxed."""
    nets, taxes = Groups(Fraction), Groups(Fraction)
    for group in invoice.document.tax_groups:
        rate = None if group.rate is None else Decimal(group.rate)
        nets[group.category, rate] = Fraction(group.net)
        taxes[group.category, rate] = Fraction(group.tax)
    nets[None, None] = Fraction(invoice.total) - sum(nets.values()) - sum(taxes.values())
    return nets, taxes


def credited(invoice: Invoice) -> tuple[Groups, Groups]:
    """Net and tax of the standing credit notes."""
    nets, taxes = Groups(Fraction), Groups(Fraction)
    for note in invoice.credit_notes:
        for group in note.tax_groups:
            rate = None if group.rate is None else Decimal(group.rate)
            if note.voided_at is None:
                nets[group.category, rate] += Fraction(group.net)
                taxes[group.category, rate] += Fraction(group.tax)
    return nets, taxes


def open_desk(data: dict[str, Any]) -> Desk:
    desk = Desk()
    decided = desk.send("CreateInvoice", **data | {"state": "open"})
    assume(isinstance(decided, Accepted) and desk.current.total > 0)
    return desk


def draw_credit(data: st.DataObject, invoice: Invoice) -> dict[str, Any]:
    """By an amount, by some lines in part or whole, or by shipping."""
    left = invoice.total - invoice.amount_credited
    units = int(left / UNITS[invoice.currency])
    kind = data.draw(st.sampled_from(["amount", "rest", "lines"]))
    if kind == "rest":
        return {"amount": str(left)}
    if kind == "amount":
        drawn = data.draw(st.integers(1, max(units, 1)))
        return {"amount": written(drawn, EXPONENTS[invoice.currency])}
    ids = [item.id for item in invoice.document.items]
    chosen = data.draw(st.lists(st.sampled_from(ids), unique=True, min_size=1))
    parts = [{"id": id_} | draw_part(data, invoice.currency) for id_ in chosen]
    with_shipping: bool = data.draw(st.booleans())
    return {"items": parts, "shipping": with_shipping}


def draw_part(data: st.DataObject, currency: str) -> dict[str, str]:
    whole: st.SearchStrategy[dict[str, str]] = st.just({})
    amounts = st.integers(1, 5_000).map(lambda units: written(units, EXPONENTS[currency]))
    return data.draw(
        whole
        | st.fixed_dictionaries({"amount": amounts})
        | st.fixed_dictionaries({"quantity": st.sampled_from(["1", "0.5", "0.333"])})
    )


@given(st.data(), documents())
def test_whatever_is_credited_and_voided_tax_groups_add_up(
    data: st.DataObject, document: dict[str, Any]
) -> None:
    desk = open_desk(document)
    nets, taxes = billed(desk.current)
    for number in range(data.draw(st.integers(1, 8))):
        standing = [note.credit_note_id for note in desk.current.standing_credit_notes]
        if standing and data.draw(st.booleans()):
            desk.accept("VoidCreditNote", credit_note_id=data.draw(st.sampled_from(standing)))
            continue
        credit = draw_credit(data, desk.current)
        decided = desk.send("IssueCreditNote", credit_note_id=f"cn_{number}", **credit)
        if not isinstance(decided, Accepted):
            continue
        note = desk.current.credit_notes[-1]
        assert sum(group.tax for group in note.tax_groups) == note.tax_amount
        assert sum(group.net + group.tax for group in note.tax_groups) == note.amount
        net_credited, tax_credited = credited(desk.current)
        assert net_credited.keys() <= nets.keys()
        for key, net in nets.items():
            gross, gross_credited = net + taxes[key], net_credited[key] + tax_credited[key]
            nothing = gross * 0
            assert min(gross, nothing) <= gross_credited <= max(gross, nothing)
        if desk.current.amount_credited == desk.current.total:
            assert all(net_credited[key] == nets[key] for key in nets)
            assert all(tax_credited[key] == taxes[key] for key in nets)


@given(st.data(), documents())
def test_an_amount_takes_the_same_share_of_every_group(
    data: st.DataObject, document: dict[str, Any]
) -> None:
    desk = open_desk(document)
    invoice = desk.current
    unit = Fraction(UNITS[invoice.currency])
    units = data.draw(st.integers(1, int(Fraction(invoice.total) / unit)))
    amount = written(units, EXPONENTS[invoice.currency])

    nets, taxes = credited(desk.accept("IssueCreditNote", credit_note_id="cn_1", amount=amount))

    share = units * unit / Fraction(invoice.total)
    all_nets, all_taxes = billed(invoice)
    for key, net in all_nets.items():
        assert abs(nets[key] + taxes[key] - share * (net + all_taxes[key])) < unit
        in_proportion = abs(taxes[key] - share * all_taxes[key]) <= 2 * unit
        is_ordinary = 0 <= all_taxes[key] <= net
        assert in_proportion or not is_ordinary


@given(st.data(), st.lists(items("USD", minimum=0), min_size=1, max_size=4))
def test_what_was_voided_can_be_credited_again(
    data: st.DataObject, lines: list[dict[str, Any]]
) -> None:
    desk = open_desk({"customer_id": "cus_1", "currency": "USD", "items": lines})
    before = desk.current
    credit = draw_credit(data, before)
    if not isinstance(desk.send("IssueCreditNote", credit_note_id="cn_1", **credit), Accepted):
        return
    first = desk.current.credit_notes[-1]
    desk.accept("VoidCreditNote", credit_note_id="cn_1")
    assert desk.current.amount_due == before.amount_due
    desk.accept("IssueCreditNote", credit_note_id="cn_2", **credit)
    assert desk.current.credit_notes[-1].tax_groups == first.tax_groups


@given(st.data(), documents())
def test_notes_that_show_no_groups_leave_what_the_others_can_take(
    data: st.DataObject, document: dict[str, Any]
) -> None:
    """The first releases showed only how much tax a note holds: a share of what was left."""
    invoice = open_desk(document).current
    unit, total_tax = UNITS[invoice.currency], invoice.document.total_tax
    notes: list[CreditNote] = []
    with exact_arithmetic():
        while (left := invoice.total - sum(note.amount for note in notes)) > 0:
            is_last = len(notes) == 5 or data.draw(st.booleans())
            units = int(left / unit) if is_last else data.draw(st.integers(1, int(left / unit)))
            portions = Remainder(invoice.document, notes).take(Credit(units * unit))
            assert portions is not None
            tax = sum(portion.tax for portion in portions.values())
            is_old = units * unit < left and data.draw(st.booleans())
            if is_old:
                tax_left = total_tax - sum(note.tax_amount for note in notes)
                tax = rounded(tax_left * units * unit / left, unit)
            notes.append(
                CreditNote.construct_unchecked(
                    credit_note_id=str(len(notes)),
                    credit_note_number=str(len(notes)),
                    document_date=invoice.document.document_date,
                    amount=units * unit,
                    tax_amount=tax,
                    tax_groups=() if is_old else tax_groups_of(portions, invoice.document),
                )
            )
    assert sum(note.tax_amount for note in notes) == total_tax
