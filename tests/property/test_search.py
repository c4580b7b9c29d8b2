"""Everything that sequences of commands can make of an invoice's money, each situation once."""

import os
from time import perf_counter

import pytest

from invoicing.contracts.commands import COMMANDS
from tests.support.domain.search.facts import EFFECTS
from tests.support.domain.search.search import Search
from tests.support.domain.search.steps import LEFT_OUT
from tests.support.stack.summary import add_line

DEPTH = int(os.environ.get("SEARCH_DEPTH", "4"))
FINDINGS_SHOWN = 20


def test_equal_facts_have_equal_amounts_and_journal_and_model_agree(
    pytestconfig: pytest.Config,
) -> None:
    began = perf_counter()
    search = Search().run(DEPTH)
    seconds = perf_counter() - began
    add_line(
        pytestconfig,
        f"search, {DEPTH} commands deep: {search.commands:,} tried, {search.situations:,}"
        f" situations by {len(search.by_facts):,} facts, {seconds:.0f} s",
    )
    shown = "\n".join(f"{oracle}: {found}" for oracle, found in search.findings[:FINDINGS_SHOWN])
    assert not search.findings, f"{len(search.findings)} findings:\n{shown}"
    assert search.accepted == EFFECTS.keys(), "a command about money was never accepted"


def test_every_command_is_tried_or_changes_no_amount() -> None:
    assert EFFECTS.keys() | LEFT_OUT == COMMANDS.keys()
    assert not EFFECTS.keys() & LEFT_OUT
