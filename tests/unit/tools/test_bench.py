"""What the benchmark makes of its samples."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from invoicing.ops.support.failures import BenchError
from invoicing.tools.bench.figures import Curves, Row, Series, percentile, ratio
from invoicing.tools.bench.load import hot, mixed
from invoicing.tools.bench.page import page
from invoicing.tools.bench.rows import profile
from invoicing.tools.bench.run import asked

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


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


def test_the_page_shows_every_row_with_its_ratios_and_plots() -> None:
    ours, theirs = Series("ours", "/s", [10.0, 12.0]), Series("<theirs>", "/s", [2.0, 3.0])
    curves = Curves("Growth", "events", "/s", {"ours": [(0.0, 1.0), (5.0, 2.0)]})

    shown = page([Row("a", "Speed", [ours, theirs], [ratio(ours, theirs, 3)], [curves])], NOW)

    assert "<h2>Speed</h2>" in shown
    assert "4.50" in shown
    assert "&lt;theirs&gt;" in shown
    assert shown.count("<svg") == 2


def test_a_profile_counts_a_function_once_for_each_sample_that_it_is_in(tmp_path: Path) -> None:
    services = Path(profile.__file__).parents[3]
    ours, package = f"{services}/invoicing/lane.py:7", "/lib/site-packages/aiokafka/client.py:1"
    raw = tmp_path / "raw"
    raw.write_text(f"run ({ours});run ({ours});send ({package}) 3\nsend ({package}) 1\n")

    below, itself = profile.figures(raw)

    assert [(one.name, one.median) for one in below] == [("invoicing/lane.run", 75.0)]
    assert [(one.name, one.median) for one in itself] == [
        ("invoicing/lane.run", 75.0),
        ("package aiokafka", 25.0),
    ]
