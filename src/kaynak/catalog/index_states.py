# ruff: noqa: S608 - the pieces put together here are constants of ours; values are parameters
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.domain import IndexFault, IndexSide, SideState

_KEY = "generation_id = :generation AND side = :side AND host = :host"
_SAY = text(
    """
    INSERT INTO kaynak.index_states AS s (generation_id, side, host, revision, cursor, base, entries, error)
    SELECT id, :side, :host, :revision, :cursor, :base, :entries, :error FROM kaynak.generations WHERE id = :generation
    ON CONFLICT (generation_id, side, host) DO UPDATE SET revision = excluded.revision, cursor = excluded.cursor,
        base = excluded.base, entries = excluded.entries, error = excluded.error, updated_at = now()
    """
)
_FAULT = text(
    """
    INSERT INTO kaynak.index_faults (generation_id, side, document_id, error)
    SELECT id, :side, :document, :error FROM kaynak.generations WHERE id = :generation
    ON CONFLICT (generation_id, side, document_id) DO UPDATE SET error = excluded.error, created_at = now()
    """
)


class IndexStates:
    """How far indexes are, and which documents they cannot take: what followers say, for people and for the doctor.

    What counts is what an index says of itself; this is where one goes on filling it after a crash.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, generation_id: int, side: IndexSide, host: str) -> SideState | None:
        """Returns how far an index was; None if nothing was ever said of it."""
        found = await self._connection.execute(
            text(f"SELECT * FROM kaynak.index_states WHERE {_KEY}"),
            {"generation": generation_id, "side": side, "host": host},
        )
        row = found.mappings().one_or_none()
        return None if row is None else _state(row)

    async def of(self, generation_ids: Sequence[int]) -> dict[int, list[SideState]]:
        """Returns what is known of each generation."""
        found = await self._connection.execute(
            text("SELECT * FROM kaynak.index_states WHERE generation_id = ANY(:ids) ORDER BY side, host"),
            {"ids": list(generation_ids)},
        )
        states: dict[int, list[SideState]] = {identity: [] for identity in generation_ids}
        for row in found.mappings():
            states[row["generation_id"]].append(_state(row))
        return states

    async def say(
        self,
        generation_id: int,
        side: IndexSide,
        host: str,
        *,
        revision: int,
        cursor: UUID | None = None,
        base: int = 0,
        entries: int = 0,
        error: str | None = None,
    ) -> None:
        """Replaces what is known of an index; nothing happens if its generation is gone."""
        await self._connection.execute(
            _SAY,
            {
                "generation": generation_id,
                "side": side,
                "host": host,
                "revision": revision,
                "cursor": cursor,
                "base": base,
                "entries": entries,
                "error": error,
            },
        )

    async def waits(self, generation_id: int, side: IndexSide, host: str, error: str | None) -> None:
        """Notes what a follower is waiting for, or that it waits no more."""
        changed = await self._connection.execute(
            text(f"UPDATE kaynak.index_states SET error = :error, updated_at = now() WHERE {_KEY}"),
            {"generation": generation_id, "side": side, "host": host, "error": error},
        )
        if not changed.rowcount and error is not None:
            await self.say(generation_id, side, host, revision=0, error=error)

    async def fault(self, generation_id: int, side: IndexSide, document_id: UUID, error: str) -> None:
        """Notes that an index cannot take a document."""
        await self._connection.execute(
            _FAULT, {"generation": generation_id, "side": side, "document": document_id, "error": error}
        )

    async def faults(self, generation_id: int, *, limit: int = 1000) -> list[IndexFault]:
        """Returns documents that the indexes of a generation cannot take."""
        found = await self._connection.execute(
            text(
                "SELECT generation_id, side, document_id, error, created_at FROM kaynak.index_faults "
                "WHERE generation_id = :id ORDER BY document_id, side LIMIT :limit"
            ),
            {"id": generation_id, "limit": limit},
        )
        return [IndexFault(**row) for row in found.mappings()]

    async def forgive(self, generation_id: int, side: IndexSide, documents: Sequence[UUID]) -> None:
        """Forgets that an index could not take documents: it has them now, or they are gone."""
        await self._connection.execute(
            text(
                "DELETE FROM kaynak.index_faults WHERE generation_id = :id AND side = :side "
                "AND document_id = ANY(CAST(:documents AS uuid[]))"
            ),
            {"id": generation_id, "side": side, "documents": list(documents)},
        )


def _state(row: Mapping[Any, Any]) -> SideState:
    return SideState(**{name: row[name] for name in SideState.__dataclass_fields__ if name in row})
