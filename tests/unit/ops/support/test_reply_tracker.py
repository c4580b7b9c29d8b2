"""Commands and their answers: which are still missing."""

from invoicing.ops.support.command_file import ReadyCommand
from invoicing.ops.support.reply_tracker import ReplyTracker


def command(id_: str, source: str = "/test") -> ReadyCommand:
    return ReadyCommand(source, id_, "inv_1", b"")


def answer(id_: str, source: str = "/test") -> dict[str, str]:
    return {"command_id": id_, "command_source": source}


def test_nothing_sent_is_answered_at_once() -> None:
    assert ReplyTracker([]).is_complete


def test_it_is_complete_when_every_command_has_its_answer() -> None:
    correspondence = ReplyTracker([command("a"), command("b")])

    correspondence.take(answer("b"))
    correspondence.take(answer("a"))

    assert correspondence.is_complete
    assert correspondence.missing == []


def test_an_answer_to_somebody_elses_command_is_passed_over() -> None:
    correspondence = ReplyTracker([command("a")])

    assert not correspondence.take(answer("a", source="/somebody-else"))
    assert correspondence.missing == ["a"]


def test_two_commands_under_one_identity_await_two_answers() -> None:
    correspondence = ReplyTracker([command("a"), command("a")])

    correspondence.take(answer("a"))

    assert correspondence.missing == ["a"]


def test_an_answer_more_than_was_awaited_is_passed_over() -> None:
    correspondence = ReplyTracker([command("a")])
    correspondence.take(answer("a"))

    assert not correspondence.take(answer("a"))
    assert len(correspondence.answers) == 1
