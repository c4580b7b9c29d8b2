"""The reply to a command."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path
from pydantic import Field
from starlette.responses import Response

from invoicing.api.auth.access import Reader
from invoicing.api.http.bodies import Body
from invoicing.api.http.problems import ProblemCode, ProblemError
from invoicing.api.http.query import Query
from invoicing.api.http.routing import DirectRoute
from invoicing.api.reads.answers import MEDIA_TYPE, RETRY_AFTER_HEADER, json_response
from invoicing.api.reads.cloud_events import AnswerDocument
from invoicing.api.state import AppState, AppStateOf
from invoicing.contracts.envelope import IDENTITY_CHARACTERS_MAX

FIND_ANSWER: Final = """
SELECT answer FROM commands WHERE source = $1 AND id = $2
"""

FIND_CHECKPOINT: Final = """
SELECT max(next_offset) FROM lanes WHERE topic = $1 AND "partition" = $2
"""

router = APIRouter(route_class=DirectRoute, tags=["Commands"])

CommandId = Annotated[
    str, Path(min_length=1, max_length=IDENTITY_CHARACTERS_MAX, description="The command's id.")
]


class Pending(Body):
    """The command was sent; its reply is pending."""

    status: str = Field(description="Always `pending`.", examples=["pending"])
    command_id: str = Field(description="The command's id.")
    command_source: str = Field(description="The command's source.")
    invoice_id: str | None = Field(
        None, description="The invoice that it names; absent where only the command is known."
    )


class BySource(Query):
    """Which command, and where it was sent."""

    source: str | None = Field(
        None,
        min_length=1,
        max_length=IDENTITY_CHARACTERS_MAX,
        pattern=r"^[^\u0000]*$",
        description="The command's source; by default your client id.",
    )
    sent_to: str | None = Field(
        None,
        pattern=r"^[0-9]{1,9}-[0-9]{1,18}$",
        description="The command's position in Kafka, from the `Location` of a 202. With it, 202"
        " means that the reply is pending, and 404 that there will be none.",
        examples=["3-1042"],
    )


# A command's id may contain any printable character, also a slash.
@router.get(
    "/v1/commands/{command_id:path}",
    response_model=AnswerDocument,
    responses={202: {"model": Pending, "headers": {"Retry-After": RETRY_AFTER_HEADER}}},
)
async def get_command(
    command_id: CommandId,
    client: Reader,
    state: AppStateOf,
    query: Annotated[BySource, Depends(BySource.of)],
) -> Response:
    """The reply to a command, byte for byte as on Kafka.

    After a 202, ask for its `Location`, which has `sent_to`: 202 while the reply is pending; 404 if
    the command was handled and has no reply under this id (another body was sent under it). Without
    `sent_to`, 404 can mean either.
    """
    # Before the reply: a worker stores its mark and the replies in one transaction.
    is_pending = query.sent_to is not None and await _is_pending(state, query.sent_to)
    async with state.database.reading(client) as connection:
        answer = await connection.fetchval(
            FIND_ANSWER, query.source or client.id, command_id.replace("\0", "")
        )
    source = query.source or client.id
    if answer is None and is_pending:
        document = Pending(status="pending", command_id=command_id, command_source=source)
        return json_response(
            document.model_dump(exclude_none=True), 202, headers={"Retry-After": "1"}
        )
    if answer is None:
        raise ProblemError(
            ProblemCode.COMMAND_NOT_FOUND,
            "No reply to this command."
            if query.sent_to
            else "No reply to this command, or not yet.",
            headers={} if query.sent_to else {"Retry-After": "1"},
        )
    return Response(answer, media_type=MEDIA_TYPE)


async def _is_pending(state: AppState, sent_to: str) -> bool:
    """Whether the partition has not been handled up to this offset."""
    partition, _, offset = sent_to.partition("-")
    checkpoint = await state.database.everything.fetchval(
        FIND_CHECKPOINT, state.settings.topic_commands, int(partition)
    )
    return checkpoint is None or int(checkpoint) <= int(offset)
