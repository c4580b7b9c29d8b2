"""Nobody else is at work."""

from invoicing.runtime.errors import OperatorError
from invoicing.runtime.kafka.groups import group_members
from invoicing.runtime.settings import Settings


class RecoveryError(OperatorError):
    """The recovery cannot be done. Nothing was changed by it; the message says what to do."""


async def check_quiet(settings: Settings) -> None:
    """Raises `RecoveryError` while workers run: they would decide by what is about to change."""
    if members := await group_members(settings, settings.consumer_group):
        raise RecoveryError(
            f"{members} workers of group {settings.consumer_group} are running. Stop all of them"
            " first; one that was killed is out of the group after its session timeout."
        )
