# ruff: noqa: S608 - the pieces put together here are constants of ours; values are parameters
from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.catalog.records import Change, Operation
from kaynak.domain import CollectionNotFound

CHANNEL = "kaynak_changes"
"""Where `record` notifies; the payload is the id of the collection."""

# The update of the collection's row locks it until the transaction ends. Whoever comes second waits there, so
# numbers are taken in the order of commits and none is left out.
_RECORD = text(
    f"""
    WITH bumped AS (
        UPDATE kaynak.collections SET revision = revision + :count, updated_at = now()
        WHERE id = :collection_id RETURNING revision
    ), change AS (
        SELECT revision - :count + position AS revision, document_id, operation
        FROM bumped, unnest(CAST(:documents AS uuid[]), CAST(:operations AS text[]))
            WITH ORDINALITY AS given (document_id, operation, position)
    ), logged AS (
        INSERT INTO kaynak.change_log (collection_id, revision, document_id, operation)
        SELECT :collection_id, revision, document_id, operation FROM change
    ), touched AS (
        UPDATE kaynak.documents d SET revision = latest.revision, updated_at = now()
        FROM (SELECT document_id, max(revision) AS revision FROM change GROUP BY document_id) latest
        WHERE d.id = latest.document_id
    )
    SELECT revision, pg_notify('{CHANNEL}', CAST(:collection_id AS text)) FROM bumped
    """
)


class Changes:
    """The change log: every committed change of a collection has the next number of that collection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def record(self, collection_id: UUID, changes: Sequence[tuple[UUID, Operation]]) -> int:
        """Writes changes and returns the collection's new revision, which is that of the last of them.

        Documents that are put get the revision and the time of their change. Listeners on `CHANNEL` are told at
        commit. Call it last in a transaction: it locks the collection for other writers.

        Raises:
            CollectionNotFound: There is no such collection.
        """
        if not changes:
            return await self.revision(collection_id)
        done = await self._connection.execute(
            _RECORD,
            {
                "collection_id": collection_id,
                "count": len(changes),
                "documents": [document for document, _ in changes],
                "operations": [operation for _, operation in changes],
            },
        )
        row = done.one_or_none()
        if row is None:
            raise CollectionNotFound("There is no such collection.")
        return int(row.revision)

    async def since(self, collection_id: UUID, revision: int, limit: int = 1000) -> list[Change]:
        """Returns at most ``limit`` changes after ``revision``, in order."""
        found = await self._connection.execute(
            text(
                "SELECT revision, document_id, operation FROM kaynak.change_log "
                "WHERE collection_id = :id AND revision > :revision ORDER BY revision LIMIT :limit"
            ),
            {"id": collection_id, "revision": revision, "limit": limit},
        )
        return [Change(*row) for row in found]

    async def revision(self, collection_id: UUID) -> int:
        """Returns the number of the latest committed change; 0 if there was none.

        Raises:
            CollectionNotFound: There is no such collection.
        """
        found = await self._connection.execute(
            text("SELECT revision FROM kaynak.collections WHERE id = :id"), {"id": collection_id}
        )
        revision = found.scalar_one_or_none()
        if revision is None:
            raise CollectionNotFound("There is no such collection.")
        return int(revision)
