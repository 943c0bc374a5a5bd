from __future__ import annotations

from uuid import UUID

from kaynak.catalog import ChunkRow
from kaynak.chunking import Chunker, embedding_text
from kaynak.domain import Outline, ParsedDocument, text_hash


def cut(
    parsed: ParsedDocument,
    chunker: Chunker,
    collection_id: UUID,
    document_id: UUID,
    version_id: UUID,
    title: str | None,
) -> tuple[tuple[ChunkRow, ...], dict[bytes, str]]:
    """Cuts a parsed version into chunks. Pure computation, for a thread.

    Args:
        parsed: Its text.
        chunker: Cuts it.
        collection_id: Of its document.
        document_id: Its document.
        version_id: The version.
        title: The caller's title; None for the document's own.

    Returns:
        The chunks, and what is embedded for them by hash; several chunks may share one.
    """
    outline = Outline(parsed.text, parsed.blocks)
    rows, texts = [], {}
    for ordinal, span in enumerate(chunker.split(parsed)):
        text = span.of(parsed.text)
        headings = outline.path(span.start)
        embedded = embedding_text(title or parsed.title, headings, text)
        key = text_hash(embedded)
        texts[key] = embedded
        rows.append(
            ChunkRow(
                collection_id=collection_id,
                document_id=document_id,
                version_id=version_id,
                chunker_fingerprint=chunker.fingerprint,
                ordinal=ordinal,
                span=span,
                text=text,
                headings=headings,
                text_hash=key,
            )
        )
    return tuple(rows), texts
