from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.catalog.sql import driver
from kaynak.domain import AuditEntry, Scope

_APPEND = """
    SELECT sequence, hash FROM kaynak.audit_append(
        %s::text[], %s::text[], %s::text[], %s::bytea[], %s::bytea[], %s::text[], %s)
"""


@dataclass(frozen=True, slots=True)
class Head:
    """The newest event, by which a log can be told from a shorter or another one.

    Attributes:
        sequence: Its number; 0 if there is none.
        hash: Its hash.
    """

    sequence: int
    hash: bytes


class Audit:
    """The audit log, for what is written in a unit of work.

    Events are kept until the unit is about to be committed, and go into the same transaction: they are there if and
    only if what they tell of is. So nobody holds the end of the chain for longer than a commit takes.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._entries: list[AuditEntry] = []

    def record(self, who: Scope | str, action: str, on: str = "", /, **details: object) -> None:
        """Notes what is being done; it is written when the unit is committed, and not if it is undone.

        Args:
            who: The caller's scope; a subject (``user:…``, `NOBODY`, `SYSTEM`) where there is none.
            action: An `Action`.
            on: Kind and id of what it is done to: ``collection:…``. No names: they cannot be erased here. Who has only
                the name of a collection gives ``collection=NAME``, and its id is written.
            details: Whatever else is worth knowing; erased with the person whom it concerns. UUIDs and dates are
                written as text, None is left out. Never a secret.
        """
        told = {name: value for name, value in details.items() if value is not None}
        self._entries.append(AuditEntry.of(who, action, on, told))

    async def flush(self) -> Head | None:
        """Writes what was noted, as the last thing before the commit; returns the new head, None if nothing was."""
        if not self._entries:
            return None
        entries, self._entries = self._entries, []
        return await append(await driver(self._connection), entries)


async def append(
    connection: psycopg.AsyncConnection[Any], entries: Sequence[AuditEntry], *, waits: bool = True
) -> Head:
    """Appends events to the log in the transaction of ``connection``, and returns the new head.

    The end of the log stays locked until that transaction ends.

    Args:
        connection: On which to.
        entries: The events.
        waits: Whether the commit waits for the disk. If not, the last fraction of a second before a power failure is
            lost; what a transaction of ours that waits has committed before, or after, is not.
    """
    cursor = await connection.execute(
        _APPEND,
        (
            _array([entry.subject for entry in entries]),
            _array([entry.action for entry in entries]),
            _array([entry.object for entry in entries]),
            _array([f"\\x{entry.commitment.hex()}" for entry in entries]),
            _array([None if entry.salt is None else f"\\x{entry.salt.hex()}" for entry in entries]),
            _array([entry.details for entry in entries]),
            waits,
        ),
        binary=True,
    )
    row = await cursor.fetchone()
    if row is None:
        raise RuntimeError("the audit log has no head")
    return Head(row[0], bytes(row[1]))


def _array(values: Sequence[str | None]) -> str:
    """Returns an array as PostgreSQL reads it: this runs for every search, and the driver takes ten times as long."""
    quoted = ("NULL" if one is None else '"' + one.replace("\\", "\\\\").replace('"', '\\"') + '"' for one in values)
    return "{" + ",".join(quoted) + "}"
