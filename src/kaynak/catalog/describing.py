# ruff: noqa: S608 - the pieces put together here are constants of ours; values are parameters
"""How uploads set what the caller says of documents."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.catalog.metadata import validate_metadata
from kaynak.catalog.sql import MAY_READ, scope_values
from kaynak.domain import Json, Scope

# The rows are locked by the caller, so what they were is what they still are.
_DESCRIBE = text(
    """
    UPDATE kaynak.documents d
    SET metadata = coalesce(given.metadata, d.metadata), title = coalesce(given.title, d.title)
    FROM unnest(CAST(:ids AS uuid[]), CAST(:metadata AS jsonb[]), CAST(:titles AS text[]))
        AS given (id, metadata, title)
    JOIN kaynak.documents old ON old.id = given.id
    LEFT JOIN kaynak.document_versions v ON v.id = old.current_version_id
    WHERE d.id = given.id AND (d.metadata, d.title)
        IS DISTINCT FROM (coalesce(given.metadata, d.metadata), coalesce(given.title, d.title))
    RETURNING d.id, CASE WHEN coalesce(given.title, old.title, v.title) IS DISTINCT FROM
        coalesce(old.title, v.title) THEN v.id END AS retitled
    """
)


async def describe(
    connection: AsyncConnection, rows: Iterable[tuple[UUID, Mapping[str, Json] | None, str | None]]
) -> dict[UUID, UUID | None]:
    """Sets metadata and title of documents (id, metadata, title), None for what is to stay.

    Call it with the documents locked, see `lock_documents`.

    Returns:
        The documents that differ from what they were, each with its readable version if that was embedded under
        another title, see `retitled_passages`.
    """
    given = [row for row in rows if row[1] is not None or row[2] is not None]
    if not given:
        return {}
    found = await connection.execute(
        _DESCRIBE,
        {
            "ids": [identity for identity, _, _ in given],
            "metadata": [None if one is None else json.dumps(validate_metadata(one)) for _, one, _ in given],
            "titles": [title for _, _, title in given],
        },
    )
    return {row.id: row.retitled for row in found}


async def given_titles(connection: AsyncConnection, document_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Returns the titles that the caller gave to documents; those without one are left out."""
    found = await connection.execute(
        text("SELECT id, title FROM kaynak.documents WHERE id = ANY(:ids) AND title IS NOT NULL"),
        {"ids": list(document_ids)},
    )
    return {row.id: row.title for row in found}


async def unnamed(
    connection: AsyncConnection,
    scope: Scope,
    collection_id: UUID,
    names: Sequence[str],
    folders: Sequence[str],
    prefix: str = "",
) -> Sequence[UUID]:
    """Returns the documents of a collection that are neither among ``names`` nor begin with one of ``folders``.

    Of those only what the caller may read, and whose name begins with ``prefix``.
    """
    found = await connection.execute(
        text(
            "SELECT d.id FROM kaynak.documents d WHERE d.collection_id = :collection_id "
            f"AND {MAY_READ} AND starts_with(d.external_id, :prefix) "
            "AND NOT EXISTS (SELECT 1 FROM unnest(CAST(:names AS text[])) AS n (name) WHERE n.name = d.external_id) "
            "AND NOT EXISTS (SELECT 1 FROM unnest(CAST(:folders AS text[])) AS f (name) "
            "WHERE starts_with(d.external_id, f.name)) ORDER BY d.id"
        ),
        {"collection_id": collection_id, "names": list(names), "folders": list(folders), "prefix": prefix}
        | scope_values(scope),
    )
    return found.scalars().all()


async def lock_documents(connection: AsyncConnection, document_ids: Sequence[UUID]) -> set[UUID]:
    """Locks documents until the transaction ends, and returns those that are there.

    All who write several documents lock them in the order of their names, as uploads do, so that they wait for
    each other and do not deadlock.
    """
    found = await connection.execute(
        text(
            "SELECT id FROM kaynak.documents WHERE id = ANY(CAST(:ids AS uuid[])) "
            'ORDER BY external_id COLLATE "C" FOR NO KEY UPDATE'
        ),
        {"ids": list(document_ids)},
    )
    return set(found.scalars())
