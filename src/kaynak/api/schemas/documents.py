from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ConfigDict, Field

from kaynak.api.schemas.base import Body, Metadata, SpanView, View
from kaynak.api.schemas.jobs import JobItemView, JobView
from kaynak.domain import BlockKind, VersionState


class TextDocument(Body):
    """A document given as text."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "external_id": "policies/leave.md",
                    "title": "Annual leave",
                    "text": "# Annual leave\n\nEveryone has 26 days of paid leave.",
                    "media_type": "text/markdown",
                    "metadata": {"team": "hr"},
                }
            ]
        },
    )

    external_id: str = Field(min_length=1, max_length=1024, description="Your name for it.")
    text: str = Field(description="What it says.")
    title: str | None = Field(None, max_length=1024, description="Default: the document's own, or its id.")
    metadata: Metadata = None
    media_type: str | None = Field(
        None,
        max_length=255,
        pattern=r"^[\w.+-]+/[\w.+-]+$",
        description="How to read the text: `text/plain`, `text/markdown`, `text/html`…; default: look at it.",
    )
    readers: list[str] | None = Field(
        None,
        max_length=1000,
        description="People (by e-mail address or id) and groups (by name or id) who may read it, of those who may "
        "read the collection; default: as it was, and all of them for a new document.",
    )


class TextDocuments(Body):
    """Many documents given as text; one job."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "documents": [
                        {"external_id": "faq/1", "text": "The office opens at eight."},
                        {"external_id": "faq/2", "text": "Lunch is at noon."},
                    ]
                }
            ]
        },
    )

    documents: list[TextDocument] = Field(min_length=1, max_length=10_000, description="What to store.")


class UrlDocument(Body):
    """A document at an address of the web."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"url": "https://example.org/leave.pdf", "metadata": {"team": "hr"}}]},
    )

    url: str = Field(min_length=1, max_length=2048, description="Where it is: `http://…` or `https://…`.")
    external_id: str | None = Field(
        None, min_length=1, max_length=1024, description="Your name for it; default: the address."
    )
    title: str | None = Field(None, max_length=1024, description="Default: the document's own, or its id.")
    metadata: Metadata = None


class UploadForm(Body):
    """The fields of a multipart upload."""

    file: list[bytes] = Field(
        description="One or many files. The file name becomes the external id unless one is given.",
    )
    external_id: list[str] | None = Field(None, description="Your names for the files, in their order, one each.")
    title: str | None = Field(None, description="Title; for a single file only.")
    metadata: str | None = Field(None, description="A JSON object, stored with every file.")
    password: str | None = Field(None, description="For encrypted files; forgotten once they are read.")
    readers: list[str] | None = Field(
        None, description="People and groups who may read the files; once for each. An empty one: owners only."
    )


class DocumentUpdate(Body):
    """What is to change; fields left out stay as they are."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"metadata": {"team": "hr", "year": 2026}}]}
    )

    metadata: dict[str, Any] | None = Field(None, description="Replaces all metadata.")
    title: str | None = Field(None, max_length=1024, description="The new title; passages are embedded anew under it.")
    readers: list[str] | None = Field(
        None,
        max_length=1000,
        description="People (by e-mail address or id) and groups (by name or id) who may read it, of those who may "
        "read the collection; null: all of them.",
    )


class SubmissionView(View):
    """What became of an upload so far."""

    job: JobView | None = Field(description="The background work; null when nothing is left to do.")
    items: list[JobItemView] = Field(description="One per document, in the order of the upload.")


class DocumentView(View):
    """A document: its current readable version, and the state of its newest one."""

    id: UUID = Field(description="Stable identity.")
    collection: str = Field(description="Name of its collection.")
    external_id: str = Field(description="Your name for it; unique in the collection.")
    title: str = Field(description="Its title.")
    state: VersionState = Field(description="Of the newest version.")
    version: int | None = Field(description="Number of the readable version; null: none yet.")
    media_type: str | None = Field(description="Found from the content.")
    size: int = Field(description="Of the original, in bytes.")
    language: str | None = Field(description="ISO 639-1 code.")
    metadata: dict[str, Any] = Field(description="Yours.")
    properties: dict[str, Any] = Field(description="What the file says of itself.")
    pages: int | None = Field(description="How many; null where the format has none.")
    chunks: int = Field(description="How many passages.")
    warnings: list[str] = Field(description="What was skipped or guessed in reading it.")
    error: str | None = Field(description="Why the newest version failed.")
    error_code: str | None = Field(description="The same as a stable code.")
    revision: int = Field(description="Collection revision of its latest change.")
    created_at: datetime = Field(description="UTC.")
    updated_at: datetime = Field(description="UTC.")
    restricted: bool = Field(description="Whether it has a list of readers.")


class PageView(View):
    """A page, slide, sheet or chapter."""

    number: int = Field(description="From 1, in reading order.")
    start: int = Field(description="First character in the text.")
    end: int = Field(description="One past the last character.")
    label: str | None = Field(description="The name a reader knows it by.")
    width: float | None = Field(description="In points, where there is a layout.")
    height: float | None = Field(description="In points, where there is a layout.")


class BlockView(View):
    """A structural unit of the text."""

    kind: BlockKind = Field(description="Its role.")
    start: int = Field(description="First character.")
    end: int = Field(description="One past the last character.")
    level: int | None = Field(description="Heading level from 1, or list depth from 0.")


class TextView(View):
    """The canonical text of one version: what chunks, quotes and citations are spans of."""

    document_id: UUID = Field(description="The document.")
    version_id: UUID = Field(description="The version.")
    version: int = Field(description="Its number.")
    text: str = Field(description="The whole text.")
    pages: list[PageView] = Field(description="Page map; empty where the format has no pages.")
    blocks: list[BlockView] = Field(description="Structure, in order.")


class ChunkView(View):
    """A passage: a span of the text."""

    id: int = Field(description="Unique in the installation.")
    document_id: UUID = Field(description="Its document.")
    version_id: UUID = Field(description="Its version.")
    ordinal: int = Field(description="Position in the version, from 0.")
    span: SpanView = Field(description="Where it is.")
    text: str = Field(description="What it says.")
    headings: list[str] = Field(description="The headings above it, outermost first.")
