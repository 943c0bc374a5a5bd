from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

ItemT = TypeVar("ItemT")


class Body(BaseModel):
    """A request: unknown fields are refused, so that a misspelt one is not ignored in silence."""

    model_config = ConfigDict(extra="forbid")


class View(BaseModel):
    """A response. Built from the domain's dataclasses; this class only describes and tests it."""

    model_config = ConfigDict(extra="forbid")


class PageOf(View, Generic[ItemT]):
    """One page of a list."""

    # A generic's docstring does not reach the models made from it.
    model_config = ConfigDict(extra="forbid", json_schema_extra={"description": "One page of a list."})

    items: list[ItemT] = Field(description="In the order of the list.")
    next: str | None = Field(description="Pass as `after` for the next page; null on the last one.")


Metadata = Annotated[
    dict[str, Any] | None,
    Field(
        description="Your own fields, searchable by filters. Keys may not begin with `_`. Null keeps what is there.",
        examples=[{"team": "hr", "year": 2026}],
    ),
]

FilterBody = Annotated[
    dict[str, Any] | None,
    Field(
        description=(
            "Condition on metadata, with `$eq $ne $gt $gte $lt $lte $in $nin $all $exists $and $or $not`. "
            "Fields that begin with `_` are ours: `_id _type _language _title _created _updated`."
        ),
        examples=[{"team": "hr", "year": {"$gte": 2024}}],
    ),
]


class SpanView(View):
    """A half-open range of characters (Unicode code points)."""

    start: int = Field(description="First character.")
    end: int = Field(description="One past the last character.")
