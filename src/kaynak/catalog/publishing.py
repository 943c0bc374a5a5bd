"""How a version becomes the one that is read."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# The rows are locked first, in the order of ids: two publishers of a document go one after the other, and the
# second sees what the first one left.
_LOCK = text("SELECT id FROM kaynak.documents WHERE id = ANY(:documents) ORDER BY id FOR NO KEY UPDATE")

_SWITCH = text(
    """
    WITH given AS (
        SELECT d.id AS document_id, d.collection_id, d.current_version_id AS old_id, v.id AS new_id, v.number,
            o.number IS NULL OR o.number < v.number AS newer
        FROM unnest(CAST(:documents AS uuid[]), CAST(:versions AS uuid[])) AS pair (document_id, version_id)
        JOIN kaynak.documents d ON d.id = pair.document_id
        JOIN kaynak.document_versions v ON v.id = pair.version_id AND v.document_id = d.id
        LEFT JOIN kaynak.document_versions o ON o.id = d.current_version_id
    ), winner AS (
        SELECT DISTINCT ON (document_id) * FROM given WHERE newer ORDER BY document_id, number DESC
    ), switched AS (
        UPDATE kaynak.documents d SET current_version_id = w.new_id FROM winner w WHERE d.id = w.document_id
    ), ready AS (
        UPDATE kaynak.document_versions v
        SET state = 'ready', ready_at = now(), password = NULL, error = NULL, error_code = NULL, error_hint = NULL
        FROM winner w WHERE v.id = w.new_id
    ), superseded AS (
        UPDATE kaynak.document_versions v SET state = 'superseded', password = NULL
        FROM (SELECT document_id, max(number) AS number FROM given GROUP BY document_id) g
        WHERE v.document_id = g.document_id AND v.state = 'pending' AND v.id NOT IN (SELECT new_id FROM winner)
            AND (v.number < g.number OR v.id IN (SELECT new_id FROM given))
    ), collections AS (
        UPDATE kaynak.collections c SET documents = c.documents + more.count
        FROM (SELECT collection_id, count(*) FROM winner WHERE old_id IS NULL GROUP BY collection_id) more
        WHERE c.id = more.collection_id
    ), generations AS (
        UPDATE kaynak.generations g SET chunks = g.chunks + more.count
        FROM (
            SELECT w.collection_id, k.chunker_fingerprint,
                sum(CASE WHEN k.version_id = w.new_id THEN 1 ELSE -1 END) AS count
            FROM winner w JOIN kaynak.chunks k ON k.version_id IN (w.new_id, w.old_id)
            GROUP BY w.collection_id, k.chunker_fingerprint
        ) more
        WHERE g.collection_id = more.collection_id AND g.chunker_fingerprint = more.chunker_fingerprint
    )
    SELECT new_id FROM winner
    """
)


async def publish(connection: AsyncConnection, versions: Sequence[tuple[UUID, UUID]]) -> set[UUID]:
    """See `Documents.publish_many`."""
    if not versions:
        return set()
    documents = [document for document, _ in versions]
    await connection.execute(_LOCK, {"documents": documents})
    done = await connection.execute(_SWITCH, {"documents": documents, "versions": [version for _, version in versions]})
    return set(done.scalars())
