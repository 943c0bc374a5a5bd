from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class FieldFault(BaseModel):
    """One fault of a request."""

    field: str = Field(description="Where: `body.limit`, `query.after`.")
    message: str = Field(description="What is wrong there.")


class Problem(BaseModel):
    """An error, as RFC 9457 describes it, with what to do about it."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(description="Stable URI of the kind of error: `urn:kaynak:error:collection-not-found`.")
    title: str = Field(description="The kind of error in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What happened, in one sentence.")
    hint: str | None = Field(None, description="What to do about it.")
    reason: str | None = Field(None, description="For unreadable documents: a stable code.")
    errors: list[FieldFault] | None = Field(None, description="For invalid requests: every fault.")
    checks: list[dict[str, Any]] | None = Field(None, description="For `/ready`: what was looked at.")
    request_id: str = Field(description="Names this request in the server's log; also in `X-Request-ID`.")

    @staticmethod
    def reference() -> dict[str, str]:
        """Returns the OpenAPI reference to this schema."""
        return {"$ref": "#/components/schemas/Problem"}
