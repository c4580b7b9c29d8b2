"""What the benchmark makes of its samples."""

import pytest

from ops.bench.figures import Series, percentile, ratio
from ops.bench.load import hot, mixed
from ops.bench.run import asked
from ops.failures import BenchError


def test_a_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    ours, theirs = Series("ours", "/s", [10.0, 1.0, 6.0]), Series("theirs", "/s", [2.0, 1.0, 2.0])

    assert ratio(ours, theirs, aim=3).median == 3.0


def test_an_aim_from_above_is_met_from_below() -> None:
    fast, slow = Series("fast", "ms", [1.0]), Series("slow", "ms", [2.0])

    assert ratio(fast, slow, 1.0, "at most").is_met
    assert not ratio(slow, fast, 1.0, "at most").is_met


def test_a_percentile_is_a_value_that_was_seen() -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], 0.5) == 3.0
    assert percentile([4.0, 1.0], 0.99) == 4.0


def test_a_mixed_load_has_repeats_and_follows_most_invoices_beyond_their_creation() -> None:
    commands = mixed(2_000, seed=1)

    assert len({command.id for command in commands}) < len(commands) == 2_000
    assert len({command.invoice_id for command in commands}) < 1_400


def test_a_hot_load_falls_on_the_invoices_given() -> None:
    assert {command.invoice_id for command in hot(50, ["a", "b"], seed=1)} == {"a", "b"}


def test_a_row_that_nobody_knows_is_refused() -> None:
    with pytest.raises(BenchError, match="There is no row speed"):
        asked(["speed"], quick=False)
