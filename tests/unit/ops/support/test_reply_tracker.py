"""Commands and their replies: which are still missing."""

from invoicing.ops.support.command_file import ReadyCommand
from invoicing.ops.support.reply_tracker import ReplyTracker


def command(id_: str, source: str = "/test") -> ReadyCommand:
    return ReadyCommand(source, id_, "inv_1", b"")


def reply(id_: str, source: str = "/test") -> dict[str, str]:
    return {"command_id": id_, "command_source": source}


def test_no_command_is_complete_at_once() -> None:
    assert ReplyTracker([]).is_complete


def test_it_is_complete_when_every_command_has_its_reply() -> None:
    tracker = ReplyTracker([command("a"), command("b")])

    tracker.take(reply("b"))
    tracker.take(reply("a"))

    assert tracker.is_complete
    assert tracker.missing == []


def test_a_reply_to_another_clients_command_is_ignored() -> None:
    tracker = ReplyTracker([command("a")])

    assert not tracker.take(reply("a", source="/somebody-else"))
    assert tracker.missing == ["a"]


def test_two_commands_under_one_identity_await_two_replies() -> None:
    tracker = ReplyTracker([command("a"), command("a")])

    tracker.take(reply("a"))

    assert tracker.missing == ["a"]


def test_one_reply_too_many_is_ignored() -> None:
    tracker = ReplyTracker([command("a")])
    tracker.take(reply("a"))

    assert not tracker.take(reply("a"))
    assert len(tracker.replies) == 1


def test_replies_are_kept_by_the_order_of_the_commands() -> None:
    tracker = ReplyTracker([command("a"), command("b"), command("a")])

    for id_ in ("b", "a", "a"):
        tracker.take(reply(id_))

    assert [tracker.replies[index]["command_id"] for index in range(3)] == ["a", "b", "a"]
