from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kaynak.domain.errors import InvalidRequest
from kaynak.domain.parsed import Json
from kaynak.domain.spans import Span

MAX_EXTERNAL_ID = 1024
MAX_METADATA_BYTES = 64 * 1024


class VersionState(StrEnum):
    """Where a document version is on its way to being searchable."""

    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Document:
    """A document as people see it: its current readable version, and the state of its newest one.

    Attributes:
        id: Stable identity.
        collection: Name of its collection.
        external_id: The caller's name for it (a path, a URL, a key); unique in the collection.
        title: Its own title, or the last part of the external id.
        state: Of the newest version.
        version: Number of the current readable version, counted from 1; None when none was readable yet.
        media_type: Found from the content.
        size: Of the original, in bytes.
        language: ISO 639-1 code.
        metadata: The caller's, searchable by filters.
        properties: What the file says of itself (author, dates).
        pages: How many; None where the format has none.
        chunks: How many passages.
        warnings: What the parser skipped or guessed.
        error: Why the newest version failed, for people; None otherwise.
        error_code: The same as a stable code.
        revision: Collection revision of its latest committed change.
        created_at: UTC.
        updated_at: UTC.
        restricted: Whether it has a list of readers.
    """

    id: UUID
    collection: str
    external_id: str
    title: str
    state: VersionState
    version: int | None
    media_type: str | None
    size: int
    language: str | None
    metadata: Mapping[str, Json]
    properties: Mapping[str, Json]
    pages: int | None
    chunks: int
    warnings: tuple[str, ...]
    error: str | None
    error_code: str | None
    revision: int
    created_at: datetime
    updated_at: datetime
    restricted: bool = False


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage: a span of one version's canonical text. ``text == version.text[span.start:span.end]``.

    Attributes:
        id: Unique in the installation; the id engines know.
        document_id: Its document.
        version_id: Its version.
        ordinal: Position in the version, from 0.
        span: Where it is.
        text: What it says.
        headings: The heading path above it; embedded with it, not part of its span.
    """

    id: int
    document_id: UUID
    version_id: UUID
    ordinal: int
    span: Span
    text: str
    headings: tuple[str, ...]


def validate_external_id(external_id: str) -> str:
    """Returns ``external_id`` if it can name a document.

    Raises:
        InvalidRequest: It is empty, too long, or has control characters.
    """
    if not external_id.strip() or len(external_id) > MAX_EXTERNAL_ID or not external_id.isprintable():
        raise InvalidRequest(
            "The document id is empty, too long, or has characters that cannot be printed.",
            hint=f"Use 1 to {MAX_EXTERNAL_ID} printable characters.",
        )
    return external_id
