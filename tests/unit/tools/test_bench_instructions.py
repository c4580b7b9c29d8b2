"""What a command's instructions are counted on; an acceptance test counts them."""

from collections import Counter
from datetime import UTC, datetime

from invoicing.tools.bench.figures import Row
from invoicing.tools.bench.instructions.counts import Counts
from invoicing.tools.bench.instructions.stages import REST, STAGES, staged
from invoicing.tools.bench.instructions.workload import KINDS, batch_of
from invoicing.tools.bench.page import page
from invoicing.tools.bench.rows.instructions import by_stage


async def test_every_kind_comes_to_the_outcome_that_its_name_says() -> None:
    for kind in KINDS:
        outgoing = await (await batch_of(kind, 2)).handle()

        expected = "illegal_transition" if kind.name == "open, refused" else "accepted"
        assert outgoing.outcomes == {expected: 2}, kind.name


async def test_every_stage_is_seen() -> None:
    seen = Counter[str]()

    with staged(lambda stage: seen.update([stage])):
        for kind in KINDS:
            await (await batch_of(kind, 1)).handle()

    assert seen.keys() == {*STAGES.values(), REST}


def test_the_shares_of_the_mixed_load_are_all_of_it() -> None:
    assert sum(kind.percent for kind in KINDS) == 100


def test_a_command_s_instructions_are_shown_by_stage_with_the_rest() -> None:
    sums = {kind.name: [10_000.0, 10_001.0] for kind in KINDS}
    stages = {kind.name: {"read": 2_500.0, "decide": 4_500.0} for kind in KINDS}

    grid = by_stage(Counts(sums, stages))

    assert grid.columns == ["read", "decide", "rest", "sum"]
    assert grid.rows["pay"] == grid.rows["mixed"] == [2.5, 4.5, 3.0, 10.0]
    shown = page([Row("a", "Counts", [], grids=[grid])], datetime(2026, 11, 20, tzinfo=UTC))
    assert "<tr><td>pay<td>2.5<td>4.5<td>3<td>10" in shown
