"""What agents give to tools. Their JSON schemas are what an agent reads, so each field says what it is for."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from kaynak.domain import Depth, SearchMode
from kaynak.viewing import MARKED_MOST


class Arguments(BaseModel):
    """Arguments of a tool: unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")


Collections = Field(
    None,
    min_length=1,
    max_length=100,
    description="Names of the collections to look in; leave it out for all of them.",
)
Condition = Field(
    None,
    description='Condition on the metadata of documents, such as {"team": "hr", "year": {"$gte": 2024}}.',
)


class SearchArguments(Arguments):
    """Arguments of ``search``."""

    query: str = Field(description="What to look for, in natural language or words.")
    collections: list[str] | None = Collections
    limit: int = Field(8, ge=1, le=50, description="How many passages to return at most.")
    filter: dict[str, Any] | None = Condition
    mode: SearchMode = Field(SearchMode.HYBRID, description="By meaning and words (hybrid), or by one of them.")


class AskArguments(Arguments):
    """Arguments of ``ask``."""

    question: str = Field(description="A question that stands alone, in natural language.")
    collections: list[str] | None = Collections
    filter: dict[str, Any] | None = Condition
    depth: Depth | None = Field(None, description="How hard to look: quick, normal or deep.")


class ReadArguments(Arguments):
    """Arguments of ``read_passage``."""

    version_id: UUID = Field(description="The version of a document, as a passage or a citation names it.")
    start: int = Field(ge=0, le=2**31 - 1, description="First character of the passage in the text of the version.")
    end: int = Field(ge=1, le=2**31 - 1, description="One past its last character.")
    before: int = Field(1000, ge=0, le=MARKED_MOST, description="Characters to read before it.")
    after: int = Field(1000, ge=0, le=MARKED_MOST, description="Characters to read after it.")


class ListArguments(Arguments):
    """``list_collections`` has no arguments."""
