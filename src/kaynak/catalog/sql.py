# ruff: noqa: S608 - the pieces put together here are constants of ours; values are parameters
"""Pieces of SQL that several repositories share."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

import psycopg
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.domain import Permission, Scope

SCOPE = "(CAST(:scope AS uuid[]) IS NULL OR {column} = ANY(CAST(:scope AS uuid[])))"
"""Holds for the collections of the caller; format with the column of the collection id. See `scope_values`."""

READERS = """({column} IS NULL OR CAST(:principals AS uuid[]) IS NULL
    OR {column} && CAST(:principals AS uuid[]))"""
"""Holds where a list of readers lets the caller read; format with the column of the list."""

MAY_READ = f"({SCOPE.format(column='d.collection_id')} AND {READERS.format(column='d.readers')})"
"""The one rule: whether the caller may read document ``d``, and all that was made from it."""

WITHHELD = f"""(cardinality(m.sources) > 0
    AND (CAST(:scope AS uuid[]) IS NOT NULL OR CAST(:principals AS uuid[]) IS NOT NULL)
    AND EXISTS (SELECT 1 FROM unnest(m.sources) AS source (id) WHERE NOT EXISTS (
        SELECT 1 FROM kaynak.documents d WHERE d.id = source.id AND {MAY_READ})))"""
"""Whether message ``m`` rests on a document that its owner may not read any more, or that is gone."""

TITLE = """coalesce(d.title, v.title,
    nullif(regexp_replace(rtrim(d.external_id, '/'), '^.*/', ''), ''), d.external_id)"""
"""Title of document ``d`` with version ``v``: the caller's, its own, or the last part of the external id."""

_TIME = """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""

SYSTEM_FIELDS = f"""jsonb_build_object('_id', d.external_id, '_type', v.media_type, '_language', v.language,
    '_title', {TITLE}, '_created', {_TIME.format("d.created_at")}, '_updated', {_TIME.format("d.updated_at")})"""
"""Our part of the payload of document ``d`` with current version ``v``, see `kaynak.domain.filters`."""

PAYLOAD = f"(d.metadata || {SYSTEM_FIELDS})"
"""All that filters see of document ``d`` with current version ``v``."""

INDEXED_PAYLOAD = f"""({PAYLOAD} || CASE WHEN d.readers IS NULL THEN CAST('{{}}' AS jsonb)
    ELSE jsonb_build_object('_readers', to_jsonb(d.readers)) END)"""
"""What engines are told of it, who may read it included."""

EMBEDDINGS_LOCK = 0x6B61796E01
"""Shared by those who store chunks, exclusive for those who delete embeddings without chunks."""
BLOBS_LOCK = 0x6B61796E02
"""Shared by those who store versions, exclusive for those who delete blobs without versions."""


def scope_values(scope: Scope, permission: Permission = Permission.READ) -> dict[str, list[UUID] | None]:
    """Returns the parameters of `SCOPE` and `READERS`.

    Args:
        scope: Who asks.
        permission: What they must be allowed in a collection for it to be one of theirs.
    """
    held = scope.held(permission)
    return {
        "scope": None if held is None else list(held),
        "principals": None if scope.principals is None else list(scope.principals),
    }


async def driver(connection: AsyncConnection) -> psycopg.AsyncConnection[Any]:
    """Returns the driver's connection under ``connection``, in the same transaction: for bulk data."""
    raw = await connection.get_raw_connection()
    return cast("psycopg.AsyncConnection[Any]", raw.driver_connection)


async def lock(connection: AsyncConnection, key: int, *, shared: bool) -> None:
    """Takes an advisory lock until the transaction ends."""
    function = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
    await connection.exec_driver_sql(f"SELECT {function}({key})")
