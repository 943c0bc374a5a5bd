from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from kaynak.domain import Block, Examination, Job, JobItem, Json, Page


@dataclass(frozen=True, slots=True)
class TextInput:
    """A document given as text.

    Attributes:
        external_id: Your name for it.
        text: What it says.
        title: Default: the document's own, or the last part of its id.
        metadata: Your own fields, searchable by filters; None keeps what the document has.
        media_type: How to read the text; default: the server looks.
        readers: Who may read it, as in `Client.set_readers`; None: as it was, and everybody for a new document.
    """

    external_id: str
    text: str
    title: str | None = None
    metadata: Mapping[str, Json] | None = None
    media_type: str | None = None
    readers: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """What became of an upload so far.

    Attributes:
        job: The background work; None when everything was there already.
        items: One per document.
    """

    job: Job | None
    items: tuple[JobItem, ...]


@dataclass(frozen=True, slots=True)
class DocumentText:
    """The canonical text of one version.

    Attributes:
        document_id: The document.
        version_id: The version.
        version: Its number.
        text: The whole text; spans and citations refer to it.
        pages: Page map.
        blocks: Structure.
    """

    document_id: UUID
    version_id: UUID
    version: int
    text: str
    pages: tuple[Page, ...]
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class DeletedDocuments:
    """What became of documents that were to be deleted.

    Attributes:
        matching: How many matched.
        removed: How many of them are gone.
        proof: What every store has of them afterwards; None: none was deleted.
    """

    matching: int
    removed: int
    proof: Examination | None


def job_id_of(job: UUID | Job | Submission | None) -> UUID | None:
    """Returns the id of whatever names a job."""
    if isinstance(job, Submission):
        job = job.job
    return job.id if isinstance(job, Job) else job
