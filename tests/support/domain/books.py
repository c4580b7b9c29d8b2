"""The books of one invoice: balances of accounts in cents, changed by postings and nothing else.

What a posting to the customer touches follows from the balances: he pays off what he owes before he
has credit, and uses up his credit before he owes. Whether he owes it for good or it was given up is
where the debt stands already. No amount is ever worked out from totals.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

RECEIVABLE: Final = "receivable"
BAD_DEBT: Final = "bad debt"
CUSTOMER_CREDIT: Final = "customer credit"
REVENUE: Final = "revenue"
CASH: Final = "cash"
DISPUTED: Final = "held in disputes"
REFUNDS: Final = "refunds payable"
REFUNDS_ON_THEIR_WAY: Final = "refunds on their way"


@dataclass
class Books:
    """Accounts by their names. A balance above zero is a debit, one below zero a credit."""

    balances: Counter[str] = field(default_factory=Counter)
    is_issued: bool = False

    def post(self, *, debit: str, credit: str, cents: int) -> None:
        """Move an amount from one account to another."""
        assert cents >= 0
        self.balances[debit] += cents
        self.balances[credit] -= cents

    def charge(self, cents: int, *, to: str) -> None:
        """The customer is to bear an amount, first out of his credit."""
        out_of_credit = min(cents, self.overpaid)
        self.post(debit=CUSTOMER_CREDIT, credit=to, cents=out_of_credit)
        self.post(debit=self._debts, credit=to, cents=cents - out_of_credit)

    def relieve(self, cents: int, *, by: str) -> None:
        """The customer has borne an amount, or need not: first of what he owes."""
        debts = self._debts
        off_the_debt = min(cents, self.balances[debts])
        self.post(debit=by, credit=debts, cents=off_the_debt)
        self.post(debit=by, credit=CUSTOMER_CREDIT, cents=cents - off_the_debt)

    def issue(self, total: int) -> None:
        """Bill the total. What was owed without an invoice stands with it from now on."""
        self.is_issued = True
        self.reinstate()
        self.charge(total, to=REVENUE)

    def withdraw(self) -> None:
        """Take back what is billed. What is owed beyond it is owed without an invoice."""
        self.relieve(-self.balances[REVENUE], by=REVENUE)
        self.is_issued = False
        self.give_up()

    def give_up(self) -> None:
        """Make bad debt of what is due."""
        self.post(debit=BAD_DEBT, credit=RECEIVABLE, cents=self.due)

    def reinstate(self) -> None:
        """Make what was given up due again."""
        self.post(debit=RECEIVABLE, credit=BAD_DEBT, cents=self.given_up)

    @property
    def due(self) -> int:
        """What is due."""
        return self.balances[RECEIVABLE]

    @property
    def given_up(self) -> int:
        """What was written off."""
        return self.balances[BAD_DEBT]

    @property
    def overpaid(self) -> int:
        """What the customer has too much with us."""
        return -self.balances[CUSTOMER_CREDIT]

    @property
    def billed(self) -> int:
        """What is billed and not credited."""
        return -self.balances[REVENUE]

    @property
    def kept(self) -> int:
        """The money that came and did not go back."""
        return self.balances[CASH] + self.balances[DISPUTED]

    @property
    def _debts(self) -> str:
        """Where debts stand: as bad debt if there is some already, or no invoice to owe it on."""
        return RECEIVABLE if self.is_issued and not self.given_up else BAD_DEBT

    def check(self) -> None:
        """What holds of any books."""
        assert sum(self.balances.values()) == 0
        assert self.due >= 0
        assert self.given_up >= 0
        assert 0 <= self.overpaid <= max(self.kept, 0)
        assert sum(map(bool, (self.due, self.given_up, self.overpaid))) <= 1
