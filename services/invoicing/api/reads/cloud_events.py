"""Events and replies as HTTP returns them. They are sent as stored; these models describe them."""

from typing import Any

from pydantic import Field

from invoicing.api.http.bodies import Body
from invoicing.contracts.replies import Reply


class CloudEvent(Body):
    """What every CloudEvent of ours has; `data` is as schemas/ has it for its type."""

    specversion: str = Field(description="CloudEvents' version.", examples=["1.0"])
    id: str = Field(description="The same at every delivery.")
    source: str = Field(description="The producer.", examples=["/invoicing"])
    type: str = Field(description="The event's name.", examples=["invoice.opened"])
    subject: str = Field(description="The invoice.", examples=["inv_1001"])
    time: str = Field(description="When it was recorded, RFC 3339.")
    datacontenttype: str = Field(description="What `data` is.", examples=["application/json"])
    dataschema: str = Field(description="The schema of `data`, with its version.")
    causationid: str = Field(description="The id of the command that it follows from.")
    correlationid: str | None = Field(None, description="The command's, where it had one.")
    traceparent: str | None = Field(None, description="The command's, where it had one.")


class EventDocument(CloudEvent):
    """An event."""

    causationsource: str = Field(description="The source of the command that it follows from.")
    version: int = Field(description="The invoice's version after it.")
    data: dict[str, Any] = Field(description="What happened.")


class AnswerDocument(CloudEvent):
    """A command's answer."""

    data: Reply = Field(description="The answer; a rejection says more.")


class EventPage(Body):
    """Some events, in order."""

    data: tuple[EventDocument, ...] = Field(description="The events.")
    has_more: bool = Field(description="Whether there is more right now.")
    end_cursor: str = Field(description="For `after`, to go on.")
