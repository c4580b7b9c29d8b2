"""Which commands were sent, and which of their answers have come."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from invoicing.ops.support.command_file import ReadyCommand

Reply = Mapping[str, Any]
"""The `data` of an answer, as JSON has it."""


class ReplyTracker:
    """Commands and their answers.

    Two commands under one identity have two answers: the stored one twice, or a conflict.
    """

    def __init__(self, commands: Sequence[ReadyCommand]) -> None:
        self.answers: list[Reply] = []
        self._count = len(commands)
        self._awaited = Counter((command.source, command.id) for command in commands)

    def take(self, answer: Reply) -> bool:
        """Note an answer; False where it was not awaited, being to somebody else's command."""
        identity = (answer["command_source"], answer["command_id"])
        if not self._awaited[identity]:
            return False
        self._awaited[identity] -= 1
        self.answers.append(answer)
        return True

    @property
    def is_complete(self) -> bool:
        """Whether every command has its answer."""
        return len(self.answers) == self._count

    @property
    def missing(self) -> list[str]:
        """The ids of the commands without an answer, as often as one is missing."""
        return [id_ for _, id_ in self._awaited.elements()]
