"""Stretches of text that are longer than one chunk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.catalog.sql import MAY_READ, scope_values
from kaynak.domain import Scope, Span


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A stretch of a version's text.

    Attributes:
        text: Its characters.
        pages: First and last page it is on; None where the format has none.
    """

    text: str
    pages: tuple[int, int] | None


_EXCERPTS = text(
    f"""
    SELECT given.position, substr(v.text, given.start + 1, given.stop - given.start) AS text, page.first, page.last
    FROM unnest(CAST(:versions AS uuid[]), CAST(:starts AS int[]), CAST(:stops AS int[])) WITH ORDINALITY
        AS given (version_id, start, stop, position)
    JOIN kaynak.document_versions v ON v.id = given.version_id
    JOIN kaynak.documents d ON d.id = v.document_id AND d.current_version_id = v.id
    LEFT JOIN LATERAL (
        SELECT min(CAST(one->>0 AS int)) AS first, max(CAST(one->>0 AS int)) AS last
        FROM jsonb_array_elements(v.pages) one
        WHERE CAST(one->>1 AS int) < given.stop AND CAST(one->>2 AS int) > given.start
    ) page ON TRUE
    WHERE {MAY_READ}
    """  # noqa: S608 - a constant of ours
)

_FIRST_PAGES = text(
    f"""
    SELECT given.position, (
        SELECT min(CAST(page->>0 AS int)) FROM jsonb_array_elements(v.pages) page
        WHERE CAST(page->>1 AS int) < given.stop AND CAST(page->>2 AS int) > given.start
    ) AS page
    FROM unnest(CAST(:versions AS uuid[]), CAST(:starts AS int[]), CAST(:stops AS int[])) WITH ORDINALITY
        AS given (version_id, start, stop, position)
    JOIN kaynak.document_versions v ON v.id = given.version_id
    JOIN kaynak.documents d ON d.id = v.document_id AND d.current_version_id = v.id
    WHERE {MAY_READ}
    """  # noqa: S608 - a constant of ours
)


async def first_pages(
    connection: AsyncConnection, scope: Scope, places: Sequence[tuple[UUID, Span]]
) -> list[int | None]:
    """Returns the first page of each place (version id, span); None where there is none to be seen."""
    if not places:
        return []
    found = await connection.execute(_FIRST_PAGES, _given(scope, places))
    pages = {row.position: row.page for row in found}
    return [pages.get(position) for position in range(1, len(places) + 1)]


async def excerpts(
    connection: AsyncConnection, scope: Scope, places: Sequence[tuple[UUID, Span]]
) -> list[Excerpt | None]:
    """Returns what stands at each place (version id, span); None where the caller may not read it, or no longer."""
    if not places:
        return []
    found = await connection.execute(_EXCERPTS, _given(scope, places))
    excerpts = {row.position: Excerpt(row.text, None if row.first is None else (row.first, row.last)) for row in found}
    return [excerpts.get(position) for position in range(1, len(places) + 1)]


def _given(scope: Scope, places: Sequence[tuple[UUID, Span]]) -> dict[str, object]:
    return {
        "versions": [version for version, _ in places],
        "starts": [span.start for _, span in places],
        "stops": [span.end for _, span in places],
        **scope_values(scope),
    }
