"""Commands that were sent, and the replies that have arrived."""

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import Any

from invoicing.ops.support.command_file import ReadyCommand

Reply = Mapping[str, Any]
"""The `data` of a reply, as JSON has it."""


class ReplyTracker:
    """Matches replies with commands.

    Two commands under one identity get two replies: the stored one twice, or a conflict.
    """

    def __init__(self, commands: Sequence[ReadyCommand]) -> None:
        self.replies: dict[int, Reply] = {}
        """By the command's index."""
        self._commands = commands
        self._awaited: dict[tuple[str, str], deque[int]] = defaultdict(deque)
        for index, command in enumerate(commands):
            self._awaited[command.source, command.id].append(index)

    def take(self, reply: Reply) -> bool:
        """Record a reply; False if it was not awaited, as with other clients' commands."""
        awaited = self._awaited.get((reply["command_source"], reply["command_id"]))
        if not awaited:
            return False
        self.replies[awaited.popleft()] = reply
        return True

    @property
    def is_complete(self) -> bool:
        """Whether every command has its reply."""
        return len(self.replies) == len(self._commands)

    @property
    def missing(self) -> list[str]:
        """The ids of the commands without a reply, in order."""
        return [
            command.id for index, command in enumerate(self._commands) if index not in self.replies
        ]
