"""What a process logs of an exception that nobody expected, seen from outside."""

import json
import subprocess
import sys

import pytest

CANARY = "Kanarienvogel"

# Everything that can carry the canary does: a header, a local variable, a message, a cause, a note.
PROGRAM = """
import asyncio, gc, logging, sys, urllib.request
import structlog
from invoicing.runtime.http import bind, serving
from invoicing.runtime.service import run_service
from invoicing.runtime.settings import WrongSettingError

def fail(token):
    try:
        int(token)
    except ValueError as cause:
        error = LookupError(f"customer {token}")
        error.add_note(token)
        raise error from cause

async def app(scope, receive, send):
    fail(dict(scope["headers"])[b"authorization"].decode())

async def lose(token):
    raise ExceptionGroup(token, [ValueError(token)])

async def work(settings):
    token = "{canary}"
    async with serving(app, bind("127.0.0.1", 0)) as port:
        url, headers = f"http://127.0.0.1:{port}/", {"Authorization": token}
        request = urllib.request.Request(url, headers=headers)
        try:
            await asyncio.to_thread(urllib.request.urlopen, request)
        except OSError:
            pass
    lost = asyncio.create_task(lose(token))
    await asyncio.wait({lost})
    del lost
    gc.collect()
    try:
        fail(token)
    except LookupError:
        logging.getLogger("faststream").exception("A library's own line")
        structlog.get_logger().error("one_of_ours", exc_info=True)
    if sys.argv[1] == "refused":
        raise WrongSettingError("INVOICING_X is wrong.")
    fail(token)

run_service("worker", work)
"""


def run(ends: str, log_format: str) -> tuple[int, str]:
    """Exit code and log of a process that fails in every way there is."""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("{canary}", CANARY), ends],
        env={"INVOICING_LOG_FORMAT": log_format},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.stdout == ""
    return ended.returncode, ended.stderr


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_log_line_holds_a_header_a_local_variable_or_a_message(log_format: str) -> None:
    code, log = run("crashed", log_format)

    assert code == 1
    assert CANARY not in log
    assert log.count("LookupError") >= 4
    assert log.count("ExceptionGroup") == 1
    assert "fail" in log


def test_each_line_says_where_it_failed() -> None:
    _, log = run("crashed", "json")

    lines = [json.loads(line) for line in log.splitlines()]
    events = [line["event"] for line in lines]
    assert events[1:] == ["task_failed", "A library's own line", "one_of_ours", "worker_failed"]
    assert "ASGI" in events[0]
    for line in lines:
        frames = [frame for exception in line["exception"] for frame in exception["frames"]]
        assert frames, line["event"]
        assert set(frames[0]) == {"filename", "lineno", "name"}


def test_a_known_failure_is_its_own_sentence() -> None:
    code, log = run("refused", "json")

    last = json.loads(log.splitlines()[-1])
    assert (code, last["event"]) == (1, "worker_gave_up")
    assert last["message"] == "INVOICING_X is wrong."
