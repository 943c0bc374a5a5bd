# ruff: noqa: S608 - the pieces put together here are constants of ours; values are parameters
"""How a `Document` is read: its current version ``v`` where there is one, and its newest version ``n``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kaynak.catalog.sql import TITLE
from kaynak.domain import Document, VersionState

_NEWEST = "state, media_type, size, language, title, properties, warnings, error, error_code"

DOCUMENTS = f"""
    SELECT d.id, c.name AS collection, d.external_id, d.metadata, d.revision, d.created_at, d.updated_at,
        d.readers IS NOT NULL AS restricted,
        coalesce(n.state, '{VersionState.PENDING}') AS state, n.error, n.error_code, v.number AS version,
        coalesce(v.media_type, n.media_type) AS media_type, coalesce(v.size, n.size, 0) AS size,
        coalesce(v.language, n.language) AS language, {TITLE} AS title,
        coalesce(v.properties, n.properties) AS properties, coalesce(v.warnings, n.warnings) AS warnings,
        nullif(jsonb_array_length(v.pages), 0) AS pages, k.count AS chunks
    FROM kaynak.documents d
    JOIN kaynak.collections c ON c.id = d.collection_id
    LEFT JOIN kaynak.document_versions v ON v.id = d.current_version_id
    LEFT JOIN LATERAL (
        SELECT {_NEWEST} FROM kaynak.document_versions WHERE document_id = d.id ORDER BY number DESC LIMIT 1
    ) n ON TRUE
    LEFT JOIN LATERAL (
        SELECT count(*) FROM kaynak.chunks k
        JOIN kaynak.generations g ON g.chunker_fingerprint = k.chunker_fingerprint
        WHERE k.version_id = d.current_version_id AND g.collection_id = d.collection_id AND g.active
    ) k ON TRUE
"""


def document_of(row: Mapping[Any, Any]) -> Document:
    """Builds the noun from a row of `DOCUMENTS`."""
    return Document(
        id=row["id"],
        collection=row["collection"],
        external_id=row["external_id"],
        title=row["title"],
        state=VersionState(row["state"]),
        version=row["version"],
        media_type=row["media_type"],
        size=row["size"],
        language=row["language"],
        metadata=row["metadata"],
        properties=row["properties"] or {},
        pages=row["pages"],
        chunks=row["chunks"],
        warnings=tuple(row["warnings"] or ()),
        error=row["error"],
        error_code=row["error_code"],
        revision=row["revision"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        restricted=row["restricted"],
    )
