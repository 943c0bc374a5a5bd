from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kaynak.domain import Job, JobItem, Json, KaynakError, Outcome, UnreadableDocument
from kaynak.domain.documents import MAX_EXTERNAL_ID


@dataclass(frozen=True, slots=True)
class Upload:
    """A document to be brought in.

    Attributes:
        external_id: The caller's name for it; unique in the collection.
        filename: What the file is called; a hint for its type.
        content: The bytes, a local file, or a stream of pieces.
        media_type: What the caller says it is; a hint.
        metadata: Searchable by filters; None keeps what an existing document has.
        title: None keeps what an existing document has, and takes a new document's own.
        password: For an encrypted file; kept only until the file is parsed.
        readers: Who may read it, of those who may read the collection: people and groups, see `Grants.named`. None
            keeps what an existing document has, and lets all of them read a new one.
    """

    external_id: str
    filename: str
    content: bytes | Path | AsyncIterator[bytes]
    media_type: str | None = None
    metadata: Mapping[str, Json] | None = None
    title: str | None = None
    password: str | None = None
    readers: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """What became of an upload request at once.

    Attributes:
        job: What brings the new and changed documents in; None if there are none.
        items: Every document, archives taken apart; those that the job brings in are pending.
        pruned: How many documents were removed because the request did not name them.
    """

    job: Job | None
    items: tuple[JobItem, ...]
    pruned: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """An upload whose bytes lie in the blob store."""

    upload: Upload
    content_hash: bytes
    size: int


Entry = Stored | JobItem
"""An upload that is stored, or the item of one that failed."""


def failed(external_id: str, error: KaynakError) -> JobItem:
    """Returns the item of a document that failed with ``error``."""
    code = error.reason.value if isinstance(error, UnreadableDocument) else error.type
    return JobItem(printable(external_id), None, Outcome.FAILED, error.message, code, error.hint)


def unreadable_file(external_id: str, error: OSError) -> JobItem:
    """Returns the item of a file that the system does not let us read."""
    return JobItem(
        printable(external_id),
        None,
        Outcome.FAILED,
        f"The file cannot be read: {error.strerror or type(error).__name__}.",
        "not-readable",
        "See that it is there and that Kaynak may read it.",
    )


def printable(external_id: str) -> str:
    """Returns an id that was refused in a form that can be stored and shown."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in external_id[:MAX_EXTERNAL_ID])
