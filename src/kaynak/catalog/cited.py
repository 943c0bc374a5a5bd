# ruff: noqa: S608 - the pieces put together here are constants of ours; values are parameters
"""What is read of a version, current or not, to show the place a citation names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.catalog.sql import MAY_READ, TITLE, scope_values
from kaynak.domain import DocumentNotFound, Page, Scope, Span


@dataclass(frozen=True, slots=True)
class CitedVersion:
    """A version whose text can be read, and what it belongs to.

    Attributes:
        id: Of the version.
        number: From 1.
        document_id: Its document.
        external_id: The caller's name of the document.
        collection: Name of the collection.
        title: Of the document, as it was with this version.
        media_type: Found from the content.
        language: ISO 639-1 code.
        content_hash: Blob key of the original.
        filename: As uploaded.
        length: Characters of the text.
        current_id: The version that is read today; None if there is none.
        current: Its number.
    """

    id: UUID
    number: int
    document_id: UUID
    external_id: str
    collection: str
    title: str
    media_type: str | None
    language: str | None
    content_hash: bytes
    filename: str
    length: int
    current_id: UUID | None
    current: int | None


_FROM = f"""
    FROM kaynak.document_versions v JOIN kaynak.documents d ON d.id = v.document_id
    WHERE v.parser_fingerprint IS NOT NULL AND {MAY_READ}
"""
_VERSION = f"""
    SELECT v.id, v.number, d.id AS document_id, d.external_id, c.name AS collection, {TITLE} AS title, v.media_type,
        v.language, v.content_hash, v.filename, char_length(v.text) AS length, o.id AS current_id, o.number AS current
    FROM kaynak.document_versions v JOIN kaynak.documents d ON d.id = v.document_id
    JOIN kaynak.collections c ON c.id = d.collection_id
    LEFT JOIN kaynak.document_versions o ON o.id = d.current_version_id
    WHERE v.parser_fingerprint IS NOT NULL AND {MAY_READ} AND
"""
_EXCERPTS = text(
    f"""
    SELECT (SELECT array_agg(substr(whole.text, given.start + 1, given.stop - given.start) ORDER BY given.position)
        FROM unnest(CAST(:starts AS int[]), CAST(:stops AS int[])) WITH ORDINALITY AS given (start, stop, position))
    FROM (SELECT v.text {_FROM} AND v.id = :id OFFSET 0) whole
    """
)
_HEADINGS = text(
    f"""
    SELECT CAST(block->>1 AS int) AS start, CAST(block->>2 AS int) AS stop, coalesce(CAST(block->>3 AS int), 1) AS level
    FROM (SELECT v.blocks {_FROM} AND v.id = :id) one, jsonb_array_elements(one.blocks) block
    WHERE block->>0 = 'heading' AND CAST(block->>2 AS int) <= :offset ORDER BY 1
    """
)
_PAGES = text(
    f"""
    SELECT page.value AS page FROM (SELECT v.pages {_FROM} AND v.id = :id) one,
        jsonb_array_elements(one.pages) WITH ORDINALITY AS page (value, position)
    WHERE CASE WHEN CAST(:number AS bigint) IS NULL
        THEN CAST(page.value->>1 AS int) < :stop AND CAST(page.value->>2 AS int) > :start
        ELSE CAST(page.value->>0 AS bigint) = :number END
    ORDER BY page.position LIMIT :limit
    """
)


class Cited:
    """Versions as citations see them: old ones too."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def version(self, scope: Scope, version_id: UUID) -> CitedVersion:
        """Returns the version.

        Raises:
            DocumentNotFound: There is no such version, not for this caller, or its document was deleted.
        """
        return await self._one("v.id = :id", {"id": version_id}, scope)

    async def version_of(self, scope: Scope, document_id: UUID, number: int | None = None) -> CitedVersion:
        """Returns the version of a document with that number, by default the current one.

        Raises:
            DocumentNotFound: There is no such document or version, not for this caller, or it is not readable.
        """
        chosen = "v.id = d.current_version_id" if number is None else "v.number = :number"
        values: dict[str, object] = {"document": document_id} | ({} if number is None else {"number": number})
        return await self._one(f"d.id = :document AND {chosen}", values, scope)

    async def excerpts(self, scope: Scope, version_id: UUID, spans: Sequence[Span]) -> list[str]:
        """Returns the text of each span; what lies beyond the end is left out."""
        values = {"starts": [span.start for span in spans], "stops": [span.end for span in spans]}
        found = await self._connection.execute(_EXCERPTS, {**values, "id": version_id, **scope_values(scope)})
        return list(found.scalar_one_or_none() or [""] * len(spans))

    async def headings(self, scope: Scope, version_id: UUID, offset: int) -> tuple[str, ...]:
        """Returns the headings above a place, outermost first."""
        values = {"id": version_id, "offset": offset, **scope_values(scope)}
        above: list[tuple[int, Span]] = []
        for row in await self._connection.execute(_HEADINGS, values):
            above = [one for one in above if one[0] < row.level]
            above.append((row.level, Span(row.start, row.stop)))
        if not above:
            return ()
        return tuple(part.strip() for part in await self.excerpts(scope, version_id, [span for _, span in above]))

    async def pages(self, scope: Scope, version_id: UUID, span: Span, *, limit: int) -> tuple[Page, ...]:
        """Returns the first pages that a span is on, in order."""
        return await self._pages(scope, version_id, {"start": span.start, "stop": span.end}, limit)

    async def page(self, scope: Scope, version_id: UUID, number: int) -> Page | None:
        """Returns a page by its number, or None."""
        found = await self._pages(scope, version_id, {"number": number}, 1)
        return found[0] if found else None

    async def _pages(self, scope: Scope, version_id: UUID, where: Mapping[str, int], limit: int) -> tuple[Page, ...]:
        values: dict[str, object] = {"start": 0, "stop": 0, "number": None, **where}
        values |= {"id": version_id, "limit": limit, **scope_values(scope)}
        found = await self._connection.execute(_PAGES, values)
        return tuple(Page(*page) for page in found.scalars())

    async def _one(self, where: str, values: Mapping[str, Any], scope: Scope) -> CitedVersion:
        found = await self._connection.execute(text(_VERSION + where), {**values, **scope_values(scope)})
        row = found.one_or_none()
        if row is None:
            raise DocumentNotFound(
                "There is no such version of a document that can be read.",
                hint="The document may have been deleted; list the documents of the collection to see them.",
            )
        return CitedVersion(*row)
