"""What repositories return where the domain has no noun for it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from kaynak.catalog.token_weights import unpack_weights
from kaynak.domain import Block, Json, Page, Span, VersionState

Vector = NDArray[np.float32]
Operation = Literal["put", "delete"]
Side = Literal["dense", "lexical"]
"""Of a generation: which of its two indexes."""


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """A document version as the pipeline sees it.

    Attributes:
        id: Identity.
        document_id: Its document.
        collection_id: Its collection.
        external_id: Of the document.
        number: From 1.
        job_id: The job that brings it in.
        state: See `VersionState`.
        content_hash: SHA-256 of the original; its blob key.
        filename: As uploaded.
        size: Of the original, in bytes.
        claimed_type: Media type the caller claimed.
        password: For an encrypted file; gone once parsed.
        parser_fingerprint: Of the parser that read it; None while it is not parsed.
        language: Found by parsing.
    """

    id: UUID
    document_id: UUID
    collection_id: UUID
    external_id: str
    number: int
    job_id: UUID | None
    state: VersionState
    content_hash: bytes
    filename: str
    size: int
    claimed_type: str | None
    password: str | None
    parser_fingerprint: str | None
    language: str | None


PendingVersion = VersionRecord


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version to be made; see `VersionRecord` for the fields."""

    document_id: UUID
    job_id: UUID | None
    content_hash: bytes
    filename: str
    size: int
    claimed_type: str | None = None
    password: str | None = None


@dataclass(frozen=True, slots=True)
class VersionText:
    """The canonical text of a version, with its maps."""

    document_id: UUID
    version_id: UUID
    number: int
    text: str
    pages: tuple[Page, ...]
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Original:
    """The file a version was made from.

    Attributes:
        version_id: The version.
        number: Of the version.
        content_hash: Its blob key.
        filename: As uploaded.
        media_type: Found from the content; what the caller claimed until then.
        size: In bytes.
    """

    version_id: UUID
    number: int
    content_hash: bytes
    filename: str
    media_type: str | None
    size: int


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """A chunk to be inserted. ``text_hash`` is of what is embedded: title, headings and text."""

    collection_id: UUID
    document_id: UUID
    version_id: UUID
    chunker_fingerprint: str
    ordinal: int
    span: Span
    text: str
    headings: tuple[str, ...]
    text_hash: bytes


@dataclass(frozen=True, slots=True)
class IndexedChunk:
    """A chunk with all that an index needs.

    Attributes:
        id: The chunk's.
        document_id: Its document.
        version_id: Its version, the current one.
        ordinal: Position in the version.
        text: What it says; empty for an index of vectors or weights.
        headings: Heading path; empty for such an index.
        title: Of the document.
        language: ISO 639-1 code.
        payload: What filters see, see `kaynak.domain.filters`; shared by the chunks of a document.
        vector: Its embedding as little-endian float16, or its weights of tokens; None if there are none yet, and for an
            index of words.
    """

    id: int
    document_id: UUID
    version_id: UUID
    ordinal: int
    text: str
    headings: tuple[str, ...]
    title: str
    language: str | None
    payload: Mapping[str, Json]
    vector: bytes | None

    def embedding(self) -> Vector | None:
        """Returns the embedding as float32 of shape ``(dimensions,)``."""
        return None if self.vector is None else np.frombuffer(self.vector, "<f2").astype(np.float32)

    def weights(self) -> dict[int, float] | None:
        """Returns the weights of its tokens, by id."""
        if self.vector is None:
            return None
        tokens, weights = unpack_weights(self.vector)
        return dict(zip(tokens.tolist(), weights.tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class Change:
    """One row of the change log."""

    revision: int
    document_id: UUID
    operation: Operation


@dataclass(frozen=True, slots=True)
class Removed:
    """What a deletion left without an owner.

    Attributes:
        content_hashes: Blobs that no version refers to any more.
        text_hashes: Hashes whose embeddings may now be unused, for `Embeddings.collect_garbage`.
    """

    content_hashes: frozenset[bytes] = frozenset()
    text_hashes: frozenset[bytes] = frozenset()


class Details(NamedTuple):
    """What a hit shows of a candidate, besides.

    Attributes:
        text: What it says.
        headings: Heading path.
        given_title: The caller's title of the document.
        own_title: The document's own.
        version: Number of the version.
        language: ISO 639-1 code.
        media_type: Of the document.
        paged: Whether the version has pages.
        metadata_json: The caller's metadata, as JSON: most candidates are dropped without a look at it.
    """

    text: str
    headings: Sequence[str]
    given_title: str | None
    own_title: str | None
    version: int
    language: str | None
    media_type: str | None
    paged: bool | None
    metadata_json: str

    @property
    def metadata(self) -> Mapping[str, Json]:
        """The caller's metadata."""
        found: Mapping[str, Json] = json.loads(self.metadata_json)
        return found


class Admitted(NamedTuple):
    """A candidate that passed the gate. There are hundreds per search, hence a tuple.

    Attributes:
        chunk_id: The chunk.
        document_id: Its document.
        version_id: The current version.
        external_id: The caller's name of the document.
        ordinal: Position in the version.
        start: Where it begins.
        end: One past its last character.
        text_hash: Of what was embedded; copies have the same.
        payload_json: All that filters see, if asked for, as JSON.
        told: The fields of `Details`, if asked for.
    """

    chunk_id: int
    document_id: UUID
    version_id: UUID
    external_id: str
    ordinal: int
    start: int
    end: int
    text_hash: bytes
    payload_json: str | None = None
    told: tuple[Any, ...] | None = None

    @property
    def details(self) -> Details | None:
        """What a hit shows, if it was asked for."""
        return None if self.told is None else Details._make(self.told)

    @property
    def span(self) -> Span:
        """Where it is."""
        return Span(self.start, self.end)

    @property
    def payload(self) -> Mapping[str, Json]:
        """All that filters see; nothing if it was not asked for."""
        found: Mapping[str, Json] = json.loads(self.payload_json or "{}")
        return found

    @property
    def title(self) -> str:
        """Title of the document: the caller's, its own, or the last part of its name; see `kaynak.catalog.sql`."""
        details = self.details
        if details is None:
            raise ValueError("the candidate was admitted without details")
        for given in (details.given_title, details.own_title):
            if given is not None:
                return given
        return self.external_id.rstrip("/").rpartition("/")[2] or self.external_id


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk with all that a reader needs.

    Attributes:
        chunk_id: The chunk.
        collection_id: Its collection.
        collection: Name of the collection.
        document_id: Its document.
        external_id: The caller's name of the document.
        title: Of the document.
        version_id: The current version.
        version: Its number.
        ordinal: Position in the version.
        chunker_fingerprint: What cut it; neighbours have the same.
        span: Where it is.
        text: What it says.
        headings: Heading path.
        pages: First and last page; None where the format has none.
        language: ISO 639-1 code.
        media_type: Of the document.
        metadata: The caller's.
        updated_at: UTC, of the document's latest change.
    """

    chunk_id: int
    collection_id: UUID
    collection: str
    document_id: UUID
    external_id: str
    title: str
    version_id: UUID
    version: int
    ordinal: int
    chunker_fingerprint: str
    span: Span
    text: str
    headings: tuple[str, ...]
    pages: tuple[int, int] | None
    language: str | None
    media_type: str | None
    metadata: Mapping[str, Json]
    updated_at: datetime
