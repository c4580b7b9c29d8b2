"""Checks that cannot see a slip prove nothing: each planted slip is found by the check it names.

That these checks find nothing where there is no slip, `test_search` and `test_life` say.
"""

import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from invoicing.domain import balance, consequences, disputes, payments, refunds, returns, write_offs
from invoicing.domain.invoice import Payment
from tests.property.test_life import Life
from tests.support.domain.search.search import Search

DEPTH = 4


def oracles() -> Iterator[str]:
    """What the search finds something by, with few commands first."""
    for depth in range(1, DEPTH + 1):
        yield from (oracle for oracle, _ in Search().run(depth).findings)


def search_of_facts() -> bool:
    """Whether equal facts lead to another state or amount, or money goes that is not there."""
    return "facts" in oracles()


def journal() -> bool:
    """Whether the journal has other balances than the state."""
    return "journal" in oracles()


def model_on_postings() -> bool:
    """Whether the model would have decided otherwise."""
    return "model" in oracles()


def own_assertions() -> bool:
    """Whether a decision stops at an invoice that cannot be."""
    try:
        list(oracles())
    except AssertionError:
        return True
    return False


def random_lives() -> bool:
    """Whether random lives go otherwise than the model says."""
    lives = settings(
        max_examples=400,
        stateful_step_count=30,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
    )
    try:
        run_state_machine_as_test(Life, settings=lives)
    except AssertionError:
        return True
    return False


class Slip(NamedTuple):
    """A mistake in a function: what it says, what it ought to say, and the check that finds it."""

    function: Callable[..., object]
    right: str
    wrong: str
    found_by: Callable[[], bool]


SLIPS: dict[str, Slip] = {
    "returns do not lower what was received": Slip(
        balance.net_received, '- facts["amount_returned"]', "", search_of_facts
    ),
    "credit notes do not count": Slip(
        balance.balance, ' - facts["amount_credited"]', "", search_of_facts
    ),
    "credit notes count twice": Slip(
        balance.balance,
        '- facts["amount_credited"]',
        '- 2 * facts["amount_credited"]',
        own_assertions,
    ),
    "an invoice that is paid to the cent stays open": Slip(
        balance.balance, "remaining <= zero", "remaining < zero", search_of_facts
    ),
    "a minimum where a maximum belongs": Slip(
        balance.balance, "max(received, zero))", "min(received, zero))", own_assertions
    ),
    "a void invoice owes what is refunded": Slip(
        balance.balance, "zero, max(-received, zero)", "max(-received, zero), zero", journal
    ),
    "the total of a void invoice counts": Slip(
        balance.balance, "if state not in ISSUED:", "if state is State.DRAFT:", own_assertions
    ),
    "a recovery forgets the write-off": Slip(
        balance.balance,
        "state is State.UNCOLLECTIBLE",
        'state is State.UNCOLLECTIBLE and not facts["amount_paid"]',
        own_assertions,
    ),
    "a reinstatement forgets the state": Slip(
        write_offs.reinstate, "state=State.OPEN", "state=State.UNCOLLECTIBLE", search_of_facts
    ),
    "what is written off cannot be charged": Slip(
        balance.payable, " + invoice.amount_written_off", "", model_on_postings
    ),
    "an overpayment is reported again without having risen": Slip(
        consequences.emit_consequences,
        "amount_overpaid > before.amount_overpaid",
        "amount_overpaid > 0",
        model_on_postings,
    ),
    "times paid are not counted": Slip(
        consequences.emit_consequences, "times_paid + 1", "times_paid", model_on_postings
    ),
    "a reopened invoice cannot be overdue again": Slip(
        consequences._reopened, "None", "_invoice.overdue_as_of", random_lives
    ),
    "a dispute won after it was lost has the wrong sign": Slip(
        disputes.close, "-dispute.amount if was_lost", "dispute.amount if was_lost", journal
    ),
    "a pending refund that fails gives money back": Slip(
        refunds.fail, "known.amount if had_settled else 0", "known.amount", search_of_facts
    ),
    "a return takes all again after a part was returned": Slip(
        returns.record, "payment.amount - payment.returned", "payment.amount", model_on_postings
    ),
    "pending refunds are left to be refunded": Slip(
        Payment.refundable.fget,
        " - pending",
        "",
        search_of_facts,  # type: ignore[attr-defined]
    ),
    "a request is not superseded by a cent": Slip(
        payments.cancel_superseded,
        "payment.amount > payable(decision.invoice)",
        "payment.amount > payable(before)",
        model_on_postings,
    ),
}


def plant(slip: Slip, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the function's code, for all that have imported it."""
    source = textwrap.dedent(inspect.getsource(slip.function))
    assert source.count(slip.right) == 1, "the function does not say that any more"
    namespace = dict(slip.function.__globals__)
    exec(source.replace(slip.right, slip.wrong).removeprefix("@property\n"), namespace)
    planted = namespace[slip.function.__name__]
    monkeypatch.setattr(slip.function, "__code__", planted.__code__)


@pytest.mark.parametrize("name", SLIPS)
def test_a_slip_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(SLIPS[name], monkeypatch)
    assert SLIPS[name].found_by(), "nothing was found"
