"""The base of models that describe the bodies of requests and responses."""

from pydantic import BaseModel, ConfigDict


class Body(BaseModel):
    """A body as OpenAPI describes it.

    Requests are read by stricter code, and most responses written without a model, so that hardly
    any of these models ever needs its validator.
    """

    model_config = ConfigDict(defer_build=True)
