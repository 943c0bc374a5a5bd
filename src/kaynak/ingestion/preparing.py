from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from kaynak.catalog import ChunkRow, PendingVersion
from kaynak.chunking import Chunker, embedding_text
from kaynak.domain import ParsedDocument, text_hash
from kaynak.indexing import cut
from kaynak.ingestion.language import detect_language


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A version that has no text that we can get at, and why."""

    version: PendingVersion
    error: str
    error_code: str
    hint: str | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A version, read and cut into chunks, ready to be embedded and committed.

    Attributes:
        version: What it is.
        parsed: Its text.
        language: Of the collection, of the document, or detected.
        rows: Its chunks.
        texts: What is embedded, by hash; several chunks may share one.
        title: The caller's, as it was then; None for the document's own.
    """

    version: PendingVersion
    parsed: ParsedDocument
    language: str | None
    rows: tuple[ChunkRow, ...]
    texts: dict[bytes, str]
    title: str | None = None

    def retitled(self, title: str | None) -> Prepared:
        """Returns the same under another title of the caller's."""
        rows, texts = [], {}
        for row in self.rows:
            embedded = embedding_text(title or self.parsed.title, row.headings, row.text)
            key = text_hash(embedded)
            texts[key] = embedded
            rows.append(replace(row, text_hash=key))
        return replace(self, rows=tuple(rows), texts=texts, title=title)


@dataclass(slots=True)
class Group:
    """Documents that are embedded and committed together.

    Attributes:
        documents: Those that can be read.
        unreadable: Those that cannot.
    """

    documents: list[Prepared] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)

    def add(self, one: Prepared | Unreadable) -> None:
        """Takes a document in."""
        if isinstance(one, Prepared):
            self.documents.append(one)
        else:
            self.unreadable.append(one)

    def join(self, other: Group) -> None:
        """Takes the documents of another group in."""
        self.documents += other.documents
        self.unreadable += other.unreadable

    def __len__(self) -> int:
        return len(self.documents) + len(self.unreadable)

    @property
    def rows(self) -> Sequence[ChunkRow]:
        """The chunks of all documents."""
        return [row for one in self.documents for row in one.rows]

    @property
    def texts(self) -> dict[bytes, str]:
        """What is to be embedded, by hash."""
        return {key: text for one in self.documents for key, text in one.texts.items()}


def prepare(
    version: PendingVersion, parsed: ParsedDocument, chunker: Chunker, *, title: str | None, language: str | None
) -> Prepared:
    """Cuts a parsed version into chunks. Runs on a thread: it is pure computation.

    Args:
        version: The version.
        parsed: Its text.
        chunker: Cuts it.
        title: The caller's title; None for the document's own.
        language: Of the collection; None for detection, or what the document declares.
    """
    rows, texts = cut(parsed, chunker, version.collection_id, version.document_id, version.id, title)
    # What files declare of themselves is often a template's default, so it only counts where nothing stands out.
    spoken = language or detect_language(parsed.text) or _declared(parsed)
    return Prepared(version, parsed, spoken, rows, texts, title)


def _declared(parsed: ParsedDocument) -> str | None:
    code = (parsed.language or "").replace("_", "-").partition("-")[0].lower()
    return code if len(code) == 2 and code.isascii() and code.isalpha() else None
