"""The reply to a command."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path
from pydantic import Field
from starlette.responses import Response

from invoicing.api.auth.access import Reader
from invoicing.api.http.problems import ProblemCode, ProblemError
from invoicing.api.http.query import Query
from invoicing.api.http.routing import DirectRoute
from invoicing.api.reads.answers import MEDIA_TYPE
from invoicing.api.reads.cloud_events import AnswerDocument
from invoicing.api.state import AppStateOf
from invoicing.contracts.envelope import IDENTITY_CHARACTERS_MAX

FIND_ANSWER: Final = """
SELECT answer FROM commands WHERE source = $1 AND id = $2
"""

router = APIRouter(route_class=DirectRoute, tags=["Commands"])

CommandId = Annotated[
    str, Path(min_length=1, max_length=IDENTITY_CHARACTERS_MAX, description="The command's id.")
]


class BySource(Query):
    """The source of the command."""

    source: str | None = Field(
        None,
        min_length=1,
        max_length=IDENTITY_CHARACTERS_MAX,
        pattern=r"^[^\u0000]*$",
        description="The command's source; by default your client id.",
    )


# A command's id may contain any printable character, also a slash.
@router.get("/v1/commands/{command_id:path}", response_model=AnswerDocument)
async def get_command(
    command_id: CommandId,
    client: Reader,
    state: AppStateOf,
    query: Annotated[BySource, Depends(BySource.of)],
) -> Response:
    """A command's answer, byte for byte as on Kafka."""
    async with state.database.reading(client) as connection:
        answer = await connection.fetchval(
            FIND_ANSWER, query.source or client.id, command_id.replace("\0", "")
        )
    if answer is None:
        raise ProblemError(
            ProblemCode.COMMAND_NOT_FOUND,
            "There is no answer to such a command, or not yet.",
            headers={"Retry-After": "1"},
        )
    return Response(answer, media_type=MEDIA_TYPE)
