"""What OpenAI's clients send. Fields that are not here are ignored, and named in the answer."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from kaynak.domain import CitationPolicy, Depth, SearchMode


class Open(BaseModel):
    """A body that may have fields we do not know."""

    model_config = ConfigDict(extra="allow")


class ContentPart(Open):
    """A part of a message."""

    type: str = Field(max_length=64)
    text: str | None = None


class ChatMessage(Open):
    """One message of the conversation."""

    role: str = Field(max_length=64)
    content: str | list[ContentPart] | None = None


class StreamOptions(Open):
    """How the stream is to look."""

    include_usage: bool | None = None


class Extras(BaseModel):
    """Ours: what OpenAI's dialect has no words for."""

    model_config = ConfigDict(extra="forbid")

    filter: dict[str, Any] | None = None
    limit: int = Field(10, ge=1, le=100)
    mode: SearchMode = SearchMode.HYBRID
    min_revision: dict[str, int] = Field(default_factory=dict)
    dense_weight: float | None = Field(None, ge=0, le=1)
    fallbacks: list[str] | None = Field(None, max_length=8)
    policy: CitationPolicy | None = None
    depth: Depth | None = None
    fresh: bool = False


class ChatBody(Open):
    """A request for a completion."""

    model: str = Field(max_length=8192)
    messages: list[ChatMessage] = Field(min_length=1, max_length=2000)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    max_tokens: int | None = Field(None, ge=1, le=1_000_000)
    max_completion_tokens: int | None = Field(None, ge=1, le=1_000_000)
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    n: int | None = None
    kaynak: Extras | None = None


class EmbeddingBody(Open):
    """A request for embeddings."""

    model: str = Field(max_length=1024)
    input: Annotated[Any, Field()]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = None
    input_type: Literal["query", "document"] = "document"
    truncate: bool = False
