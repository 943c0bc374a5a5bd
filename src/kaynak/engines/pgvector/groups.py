# ruff: noqa: S608 - names in statements are checked when an index is made; values are bound
"""What filters look through: a row for all points of a document that have one payload.

Passages of a document nearly always share a payload, so there are some twenty times fewer rows than points, and of each
point a row has its bits: in how many of them two vectors differ tells well enough which are worth comparing.
Triggers keep the rows, as the database keeps indexes, whoever writes.
"""

from __future__ import annotations

from psycopg import errors

from kaynak.engines.pgvector.columns import bits, column
from kaynak.engines.pgvector.filters import FUNCTION
from kaynak.engines.pgvector.pool import Connection
from kaynak.engines.pgvector.spec import STORAGE, Layout
from kaynak.engines.protocol import VectorField

_PATIENCE = "100ms"


def has_bits(field: VectorField) -> bool:
    """Returns whether bits tell what is near: they know directions, not lengths."""
    return field.metric != "l2"


def bits_column(field: VectorField) -> str:
    """Name of the column with the bits of a field, in the order of the chunk ids; NULL where a point lacks it."""
    return f'"b_{field.name}"'


def groups_made(layout: Layout) -> str:
    """Returns statements that make the groups of an index, fill them, and see that they are kept."""
    with_bits = [one for one in layout.fields if has_bits(one)]
    columns = "".join(f", {bits_column(one)} bit({one.dimensions})[]" for one in with_bits)
    # To compress bits takes time and gains nothing.
    plain = "".join(f"ALTER TABLE {layout.groups} ALTER {bits_column(one)} SET STORAGE EXTERNAL;" for one in with_bits)
    made = "".join(f", array_agg({bits(one, column(one))} ORDER BY chunk_id)" for one in with_bits)
    fill = (
        f"INSERT INTO {layout.groups} SELECT document_id, payload, array_agg(chunk_id ORDER BY chunk_id){made}"
        f" FROM {layout.table} WHERE {{which}} GROUP BY document_id, payload;"
    )
    changed = "document_id = ANY(changed)"
    triggers = "".join(
        f'CREATE OR REPLACE TRIGGER "{event.lower()}ed" AFTER {event} ON {layout.table}'
        f" REFERENCING {rows} TABLE AS changes FOR EACH STATEMENT EXECUTE FUNCTION {layout.regroup};"
        for event, rows in (("INSERT", "NEW"), ("DELETE", "OLD"))
    )
    # Indexes without a list of what is pending, which every search would read through until the next vacuum.
    return (
        f"{FUNCTION}"
        f"CREATE TABLE {layout.groups} (document_id uuid NOT NULL, payload jsonb NOT NULL, chunk_ids bigint[] NOT NULL"
        f"{columns}) WITH ({STORAGE}); {plain}"
        f"{fill.format(which='TRUE')}"
        f'CREATE INDEX "{layout.name}_groups_document" ON {layout.groups} (document_id);'
        f'CREATE INDEX "{layout.name}_groups_payload" ON {layout.groups}'
        " USING gin (payload jsonb_path_ops) WITH (fastupdate = off);"
        f'CREATE INDEX "{layout.name}_groups_readers" ON {layout.groups}'
        " USING gin (kaynak_index.readers(payload)) WITH (fastupdate = off);"
        f"CREATE OR REPLACE FUNCTION {layout.regroup} RETURNS trigger LANGUAGE plpgsql AS $$"
        " DECLARE changed uuid[] := ARRAY(SELECT DISTINCT document_id FROM changes);"
        f" BEGIN IF changed <> '{{}}' THEN DELETE FROM {layout.groups} WHERE {changed};"
        f" {fill.format(which=changed)} END IF; RETURN NULL; END $$;"
        f"{triggers}"
    )


async def grouped(connection: Connection, layout: Layout) -> bool:
    """Gives an index of an older version its groups; returns whether it has them now.

    It takes some seconds for 100,000 rows, in which they are read but not written. A writer that is at work, an
    account that may not do this, or a replica keeps it from being done; then nothing is waited for.
    """
    try:
        if not await _there(connection, layout):
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
                await connection.execute(f"LOCK TABLE {layout.table} IN SHARE ROW EXCLUSIVE MODE")
                if not await _there(connection, layout):  # another process may have done it meanwhile
                    await connection.execute(groups_made(layout))
    except (
        errors.LockNotAvailable,
        errors.InsufficientPrivilege,
        errors.DeadlockDetected,
        errors.ReadOnlySqlTransaction,
    ):
        return False
    return True


async def _there(connection: Connection, layout: Layout) -> bool:
    found = await connection.execute("SELECT to_regclass(%s) IS NOT NULL", [layout.groups])
    row = await found.fetchone()
    return row is not None and bool(row[0])
