"""Consumer groups: their offsets, members and assignments."""

from collections.abc import Collection
from typing import Any

from aiokafka import TopicPartition
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import GroupCoordinatorNotAvailableError, GroupIdNotFound, for_code
from aiokafka.structs import OffsetAndMetadata

from invoicing.runtime.kafka.connect import admin_client
from invoicing.runtime.settings import Settings


async def committed_offsets(
    settings: Settings, group: str, partitions: Collection[TopicPartition]
) -> dict[TopicPartition, OffsetAndMetadata]:
    """The group's committed offsets of these partitions; those without one are left out.

    Raises a `KafkaError` while the group's coordinator cannot answer. aiokafka ignores the error
    code of the response as a whole, so the `committed` of its consumer takes a coordinator that is
    still loading, as after a restart, for one without any offset: a reader would start over.
    """
    async with admin_client(settings) as admin:
        offsets = await admin.list_consumer_group_offsets(group, partitions=list(partitions))
    if missing := set(partitions) - offsets.keys():
        raise GroupCoordinatorNotAvailableError(
            f"The coordinator of group {group} has no answer for {len(missing)} partitions."
        )
    return {
        partition: committed for partition, committed in offsets.items() if committed.offset >= 0
    }


async def group_members(settings: Settings, group: str) -> int:
    """How many members the group has right now. Raises a `KafkaError` if that is unknown."""
    return len((await _describe(settings, group))["members"])


async def owned_partitions(settings: Settings, group: str) -> set[TopicPartition] | None:
    """The partitions assigned to the group's members; None during a rebalance.

    Raises a `KafkaError` if that is unknown.
    """
    description = await _describe(settings, group)
    if description["state"] != "Stable":
        return None
    return {
        partition
        for member in description["members"]
        for partition in ConsumerProtocolMemberAssignment.decode(
            member["member_assignment"]
        ).partitions()
    }


async def _describe(settings: Settings, group: str) -> dict[str, Any]:
    async with admin_client(settings) as admin:
        (response,) = await admin.describe_consumer_groups([group])
    (description,) = response.to_object()["groups"]
    code = description["error_code"]
    if code and for_code(code) is not GroupIdNotFound:
        raise for_code(code)(f"group {group}")
    return dict(description)
