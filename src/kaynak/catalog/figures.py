from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.domain import IndexSide

_INDEXES = text(
    """
    WITH shown AS (
        SELECT g.id, g.collection_id, g.spec, g.active, g.state FROM kaynak.generations g
        ORDER BY g.active DESC, g.id DESC LIMIT :limit
    ), faults AS (
        SELECT f.generation_id, f.side, count(*) FROM kaynak.index_faults f JOIN shown ON shown.id = f.generation_id
        GROUP BY 1, 2
    )
    SELECT c.name AS collection, g.id AS generation, g.active, g.state, side.name AS side,
        g.spec -> side.name ->> 'name' AS engine, coalesce(s.host, '') AS host,
        greatest(0, c.revision - coalesce(s.revision, 0)) AS lag, s.error IS NOT NULL AS waiting,
        coalesce(faults.count, 0) AS faults
    FROM shown g JOIN kaynak.collections c ON c.id = g.collection_id
    CROSS JOIN (VALUES ('dense'), ('lexical')) AS side (name)
    LEFT JOIN kaynak.index_states s ON s.generation_id = g.id AND s.side = side.name
    LEFT JOIN faults ON faults.generation_id = g.id AND faults.side = side.name
    ORDER BY g.id, side.name, host
    """
)
# There is no index of states, so this looks at each version once; only of the few that are not readable does it look
# whether they are the newest. Those that are readable are counted with every change, see `tables.collections`.
_DOCUMENTS = text(
    """
    WITH others AS (
        SELECT d.collection_id, v.state, count(*), count(d.current_version_id) AS readable
        FROM kaynak.document_versions v JOIN kaynak.documents d ON d.id = v.document_id
        WHERE v.state IN ('pending', 'failed', 'cancelled') AND NOT EXISTS (
            SELECT 1 FROM kaynak.document_versions w WHERE w.document_id = v.document_id AND w.number > v.number)
        GROUP BY 1, 2
    ), shown AS (SELECT id, name, documents FROM kaynak.collections ORDER BY name LIMIT :limit)
    SELECT shown.name, others.state, others.count FROM shown JOIN others ON others.collection_id = shown.id
    UNION ALL
    SELECT shown.name, 'ready', greatest(0, shown.documents - coalesce((
        SELECT CAST(sum(readable) AS bigint) FROM others WHERE others.collection_id = shown.id), 0)) FROM shown
    ORDER BY 1, 2
    """
)


@dataclass(frozen=True, slots=True)
class IndexFigures:
    """One index of a generation, in numbers.

    Attributes:
        collection: Name.
        generation: Number.
        active: Whether it is searched.
        state: Of the generation.
        side: Which of its indexes.
        engine: Name.
        host: Whose files they are; empty where all hosts share the index, or nothing was heard of it.
        lag: Changes of the collection that it does not have, as its follower last said.
        waiting: Whether its follower is held up.
        faults: Documents that it cannot take.
    """

    collection: str
    generation: int
    active: bool
    state: str
    side: IndexSide
    engine: str
    host: str
    lag: int
    waiting: bool
    faults: int


class Figures:
    """Numbers about everything, for those who look after the installation. No `Scope`: nothing here is of documents."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def indexes(self, limit: int) -> Sequence[IndexFigures]:
        """Returns the indexes of at most ``limit`` generations: those that are searched first, then the newest."""
        found = await self._connection.execute(_INDEXES, {"limit": limit})
        return [IndexFigures(**row) for row in found.mappings()]

    async def generations(self) -> int:
        """Returns how many generations there are."""
        found = await self._connection.execute(text("SELECT count(*) FROM kaynak.generations"))
        return int(found.scalar_one())

    async def jobs(self) -> dict[str, int]:
        """Returns how many jobs are in each state."""
        found = await self._connection.execute(text("SELECT state, count(*) FROM kaynak.jobs GROUP BY 1"))
        return {state: count for state, count in found}  # noqa: C416 - rows are no pairs to the type checker

    async def documents(self, limit: int) -> dict[tuple[str, str], int]:
        """Returns how many documents have their newest version in each state, by collection and state.

        The cost grows with the number of versions: not for every request.

        Args:
            limit: Collections to tell of, by name.
        """
        found = await self._connection.execute(_DOCUMENTS, {"limit": limit})
        return {(name, state): count for name, state, count in found}
