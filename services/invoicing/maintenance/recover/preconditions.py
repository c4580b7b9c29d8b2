"""The precondition of every recovery: no worker is running."""

from invoicing.runtime.errors import OperatorError
from invoicing.runtime.kafka.groups import group_members
from invoicing.runtime.settings import Settings


class RecoveryError(OperatorError):
    """The recovery cannot be done. It has changed nothing; the message says what to do."""


async def check_quiet(settings: Settings) -> None:
    """Raises `RecoveryError` while workers run: they decide on state that is about to change."""
    if members := await group_members(settings, settings.consumer_group):
        raise RecoveryError(
            f"{members} workers of group {settings.consumer_group} are running. Stop all of them"
            " first; a killed worker leaves the group after its session timeout."
        )
