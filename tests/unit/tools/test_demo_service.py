"""What the demo says when its worker fails."""

from pathlib import Path

from invoicing.runtime.settings import read_settings
from invoicing.tools.demo.service import LOG_LINES_SHOWN, DemoService


def test_a_failure_shows_the_end_of_the_workers_log(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    log.write_text("".join(f"line {number}\n" for number in range(100)))

    failure = DemoService(read_settings({}, postgres_dsn="postgresql://nowhere"), log).failure(
        "It ended."
    )

    assert str(failure).splitlines()[0] == "It ended."
    assert str(failure).splitlines()[-LOG_LINES_SHOWN:] == [f"line {n}" for n in range(80, 100)]
