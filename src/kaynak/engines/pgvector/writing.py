# ruff: noqa: S608 - names in statements are checked when an index is made; values are bound
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from psycopg import errors

from kaynak.domain import Conflict, CorruptIndex, Json
from kaynak.domain.copy_rows import copy_rows, int8, jsonb
from kaynak.engines.pgvector.building import Limits, build_at_once, give_up
from kaynak.engines.pgvector.columns import column, kind
from kaynak.engines.pgvector.groups import groups_made
from kaynak.engines.pgvector.pool import Connection, Pool
from kaynak.engines.pgvector.spec import STORAGE, Layout
from kaynak.engines.pgvector.vectors import wire_vectors
from kaynak.engines.protocol import Point

# Any number that nothing else of ours locks.
_SETUP_LOCK = 0x6B61796E616B

_SETUP = """
CREATE EXTENSION IF NOT EXISTS vector;
CREATE SCHEMA IF NOT EXISTS kaynak_index;
CREATE TABLE IF NOT EXISTS kaynak_index.registry (
    name text PRIMARY KEY,
    spec jsonb NOT NULL,
    revision bigint NOT NULL DEFAULT 0,
    indexed boolean NOT NULL DEFAULT false
);
"""

_COPIED = 1000
"""Rows that are formed at a time."""

_PATIENCE, _TRIES = "5s", 6


async def make(connection: Connection, layout: Layout) -> None:
    """Makes the table of an index; an equal one is left alone.

    Raises:
        Conflict: One that is built differently exists.
    """
    # CREATE … IF NOT EXISTS fails when two run at once.
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", [_SETUP_LOCK])
    await connection.execute(_SETUP)
    cursor = await connection.execute(
        "SELECT spec->'fields' = %s::jsonb->'fields'"
        " AND jsonb_set(spec, '{params}', %s::jsonb || (spec->'params')) @> %s::jsonb, to_regclass(%s) IS NOT NULL"
        " FROM kaynak_index.registry WHERE name = %s",
        [layout.stored(), layout.older(), layout.wanted(), layout.table, layout.name],
    )
    known = await cursor.fetchone()
    if known is not None:
        if not known[1]:
            raise CorruptIndex(f"Index “{layout.name}” has lost its table.")
        if not known[0]:
            raise Conflict(f"Index “{layout.name}” exists and is built differently.")
        return
    vectors = ", ".join(f"{column(one)} {kind(one, layout.precision)}" for one in layout.fields)
    name = layout.name
    # A table that is not registered is what someone left behind.
    await connection.execute(
        f"DROP TABLE IF EXISTS {layout.table}, {layout.groups};"
        f"CREATE TABLE {layout.table} (chunk_id bigint PRIMARY KEY, document_id uuid NOT NULL,"
        f" payload jsonb NOT NULL, {vectors}) WITH ({STORAGE});"
        f'CREATE INDEX "{name}_document" ON {layout.table} (document_id);'
        f"{groups_made(layout)}"
    )
    await connection.execute(
        "INSERT INTO kaynak_index.registry (name, spec) VALUES (%s, %s::jsonb)", [name, layout.stored()]
    )


async def remove(pool: Pool, name: str) -> None:
    """Removes an index, if there is one, and ends what is built of it, whichever process began that.

    Raises:
        LockNotAvailable: It is read or written all the time.
    """
    for left in reversed(range(_TRIES)):
        await pool.look(lambda connection: give_up(connection, name))
        try:
            await pool.run(lambda connection: _remove(connection, name))
        except (errors.LockNotAvailable, errors.DeadlockDetected):
            if not left:
                raise
        else:
            return


async def _remove(connection: Connection, name: str) -> None:
    # A build that began in this moment is given up in the next try.
    await connection.execute(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", [_SETUP_LOCK])
    cursor = await connection.execute("SELECT to_regclass('kaynak_index.registry') IS NOT NULL")
    known = await cursor.fetchone()
    if known and known[0]:
        await connection.execute(
            f'DROP TABLE IF EXISTS kaynak_index."{name}", kaynak_index."{name}_groups";'
            f'DROP FUNCTION IF EXISTS kaynak_index."{name}_regroup"()'
        )
        await connection.execute("DELETE FROM kaynak_index.registry WHERE name = %s", [name])


async def write(
    connection: Connection,
    layout: Layout,
    upserts: Sequence[Point],
    deletes: Sequence[UUID],
    revision: int,
    limits: Limits,
) -> None:
    """Writes everything in the transaction of ``connection``; the registry row makes writers take turns.

    Args:
        connection: In a transaction.
        layout: Of the index.
        upserts: Checked points.
        deletes: Ids of documents.
        revision: What the index reflects then; 0 while it is being filled.
        limits: When graphs are built, and how.

    Raises:
        CorruptIndex: The index is not registered.
    """
    cursor = await connection.execute(
        "UPDATE kaynak_index.registry SET revision = %s WHERE name = %s RETURNING indexed", [revision, layout.name]
    )
    known = await cursor.fetchone()
    if known is None:
        raise CorruptIndex(f"There is no index “{layout.name}”.")
    if deletes:
        await connection.execute(f"DELETE FROM {layout.table} WHERE document_id = ANY(%s)", [list(deletes)])
    # An id that stands twice would break the key: the last one counts.
    points = {one.id: one for one in upserts}
    if points:
        await connection.execute(f"DELETE FROM {layout.table} WHERE chunk_id = ANY(%s)", [list(points)])
        rows = list(points.values())
        for start in range(0, len(rows), _COPIED):
            await _copy(connection, layout, rows[start : start + _COPIED])
    # One that is being filled gets its graph at the end.
    if revision and not known[0]:
        await build_at_once(connection, layout, limits)


async def _copy(connection: Connection, layout: Layout, points: Sequence[Point]) -> None:
    names = ", ".join(column(one) for one in layout.fields)
    statement = f"COPY {layout.table} (chunk_id, document_id, payload, {names}) FROM STDIN (FORMAT binary)"
    async with connection.cursor() as cursor, cursor.copy(statement) as copy:
        await copy.write(copy_rows(_rows(layout, points)))


def _rows(layout: Layout, points: Sequence[Point]) -> Iterator[tuple[bytes | None, ...]]:
    vectors = [_column(points, one.name, full=layout.precision == "full") for one in layout.fields]
    # Chunks of a document come together and share a payload.
    payload: Mapping[str, Json] | None = None
    stored = b""
    for point, *columns in zip(points, *vectors, strict=True):
        if point.payload is not payload:
            payload, stored = point.payload, jsonb(_dumps(dict(point.payload)))
        yield int8(point.id), point.document_id.bytes, stored, *columns


def _column(points: Sequence[Point], name: str, *, full: bool) -> list[bytes | None]:
    there = [point.vectors[name] for point in points if name in point.vectors]
    vectors = iter(wire_vectors(there, full=full)) if there else iter(())
    return [next(vectors) if name in point.vectors else None for point in points]


def _dumps(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:
        import json

        return json.dumps(value, default=list).encode()  # numbers beyond 64 bits
