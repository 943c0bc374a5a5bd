# ruff: noqa: S608 - the pieces put together here are constants of ours; values are parameters
"""Documents by a filter: how many, and which, a portion at a time."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.catalog.sql import MAY_READ, SYSTEM_FIELDS, scope_values
from kaynak.domain import Filter, Scope
from kaynak.domain.filter_sql import to_sql

_FROM = f"""FROM kaynak.documents d LEFT JOIN kaynak.document_versions v ON v.id = d.current_version_id
    WHERE d.collection_id = :collection AND {MAY_READ}"""


async def count_chosen(
    connection: AsyncConnection, scope: Scope, collection_id: UUID, condition: Filter
) -> tuple[int, UUID | None]:
    """Returns how many documents match that the caller may read, and the one that came last."""
    matching, values = to_sql(condition, "d.metadata", system_column=SYSTEM_FIELDS)
    found = await connection.execute(
        text(
            f"WITH chosen AS MATERIALIZED (SELECT d.id {_FROM} AND {matching}) SELECT (SELECT count(*) FROM chosen), "
            "(SELECT id FROM chosen ORDER BY id DESC LIMIT 1)"
        ),
        {**values, **scope_values(scope), "collection": collection_id},
    )
    count, last = found.one()
    return count, last


async def chosen(
    connection: AsyncConnection, scope: Scope, collection_id: UUID, condition: Filter, *, until: UUID, limit: int
) -> dict[UUID, str]:
    """Returns the external ids of at most ``limit`` documents that match, by id, in the order of arrival.

    Args:
        connection: Of the catalog.
        scope: Who asks; only what they may read is chosen.
        collection_id: Where.
        condition: What is to match.
        until: The last document that is looked at.
        limit: How many at most.
    """
    matching, values = to_sql(condition, "d.metadata", system_column=SYSTEM_FIELDS)
    found = await connection.execute(
        text(f"SELECT d.id, d.external_id {_FROM} AND d.id <= :until AND {matching} ORDER BY d.id LIMIT :limit"),
        {**values, **scope_values(scope), "collection": collection_id, "until": until, "limit": limit},
    )
    return {identity: name for identity, name in found}  # noqa: C416 - rows are no pairs to the type checker
