from __future__ import annotations

from psycopg import errors

from kaynak.engines.pgvector.filters import FUNCTION
from kaynak.engines.pgvector.pool import Connection
from kaynak.engines.pgvector.spec import Layout

_PATIENCE = "100ms"


def readers_index(layout: Layout) -> str:
    """Returns statements that make the index of who may read, see `kaynak.engines.pgvector.filters`."""
    # Without a list of what is pending, which every search would read through until the next vacuum.
    return (
        f'{FUNCTION} CREATE INDEX IF NOT EXISTS "{layout.name}_readers" ON {layout.table}'
        " USING gin (kaynak_index.readers(payload)) WITH (fastupdate = off)"
    )


async def mended(connection: Connection, layout: Layout) -> bool:
    """Gives a table of an older version what a new one has; returns whether it has it now.

    It takes about a second for 100,000 rows, in which they are read but not written. A writer that is at work, an
    account that may not do this, or a replica keeps it from being done; then nothing is waited for.
    """
    name = f'kaynak_index."{layout.name}_readers"'
    try:
        async with connection.transaction():
            found = await connection.execute("SELECT to_regclass(%s) IS NOT NULL", [name])
            row = await found.fetchone()
            if row is None or not row[0]:
                await connection.execute(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
                await connection.execute(readers_index(layout))
    except (
        errors.LockNotAvailable,
        errors.InsufficientPrivilege,
        errors.DeadlockDetected,
        errors.ReadOnlySqlTransaction,
    ):
        return False
    return True
