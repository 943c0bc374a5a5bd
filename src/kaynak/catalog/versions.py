# ruff: noqa: S608 - the pieces put together here are constants of ours; values are parameters
from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.catalog.records import NewVersion, Original, VersionRecord, VersionText
from kaynak.catalog.sql import BLOBS_LOCK, MAY_READ, lock, scope_values
from kaynak.catalog.stored_text import blocks_of_json, pages_of_json, stored_blocks, stored_pages
from kaynak.domain import DocumentNotFound, ParsedDocument, Scope, VersionState, new_id

_RECORD = """
    SELECT v.id, v.document_id, d.collection_id, d.external_id, v.number, v.job_id, v.state, v.content_hash,
        v.filename, v.size, v.claimed_type, v.password, v.parser_fingerprint, v.language
    FROM kaynak.document_versions v JOIN kaynak.documents d ON d.id = v.document_id
"""
_INSERT = text(
    """
    INSERT INTO kaynak.document_versions
        (id, document_id, number, job_id, state, content_hash, filename, size, claimed_type, password)
    SELECT g.id, g.document_id, coalesce(last.number, 0)
            + row_number() OVER (PARTITION BY g.document_id ORDER BY g.position),
        g.job_id, 'pending', g.content_hash, g.filename, g.size, g.claimed_type, g.password
    FROM unnest(CAST(:ids AS uuid[]), CAST(:documents AS uuid[]), CAST(:jobs AS uuid[]),
            CAST(:hashes AS bytea[]), CAST(:filenames AS text[]), CAST(:sizes AS bigint[]),
            CAST(:types AS text[]), CAST(:passwords AS text[])) WITH ORDINALITY
        AS g (id, document_id, job_id, content_hash, filename, size, claimed_type, password, position)
    LEFT JOIN LATERAL (
        SELECT max(number) AS number FROM kaynak.document_versions WHERE document_id = g.document_id
    ) last ON TRUE
    RETURNING id, number
    """
)
_STORE = text(
    """
    UPDATE kaynak.document_versions v SET parser_fingerprint = :fingerprint, media_type = given.media_type,
        language = given.language, title = given.title, text = given.text, pages = given.pages,
        blocks = given.blocks, properties = given.properties, warnings = given.warnings, password = NULL
    FROM json_to_recordset(CAST(:given AS json)) AS given (id uuid, media_type text, language text, title text,
        text text, pages jsonb, blocks jsonb, properties jsonb, warnings jsonb)
    WHERE v.id = given.id
    """
)
_CHOSEN = f"""
    FROM kaynak.document_versions v JOIN kaynak.documents d ON d.id = v.document_id
    WHERE d.id = :document_id AND {MAY_READ}
"""


class Versions:
    """The versions of documents."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def create(
        self,
        document_id: UUID,
        *,
        job_id: UUID | None,
        content_hash: bytes,
        filename: str,
        size: int,
        claimed_type: str | None = None,
        password: str | None = None,
    ) -> tuple[UUID, int]:
        """As `create_many`, for one."""
        version = NewVersion(document_id, job_id, content_hash, filename, size, claimed_type, password)
        return (await self.create_many([version]))[0]

    async def create_many(self, versions: Sequence[NewVersion]) -> list[tuple[UUID, int]]:
        """Makes versions that wait to be parsed; returns id and number of each, in order.

        The documents must be locked, see `Documents.ensure`. Holds off `release_contents` until the transaction
        ends: a blob that exists after this call stays.
        """
        await lock(self._connection, BLOBS_LOCK, shared=True)
        ids = [new_id() for _ in versions]
        made = await self._connection.execute(
            _INSERT,
            {
                "ids": ids,
                "documents": [version.document_id for version in versions],
                "jobs": [version.job_id for version in versions],
                "hashes": [version.content_hash for version in versions],
                "filenames": [version.filename for version in versions],
                "sizes": [version.size for version in versions],
                "types": [version.claimed_type for version in versions],
                "passwords": [version.password for version in versions],
            },
        )
        numbers = {row.id: row.number for row in made}
        return [(identity, numbers[identity]) for identity in ids]

    async def get(self, version_id: UUID) -> VersionRecord | None:
        """Returns the version, or None."""
        found = await self._connection.execute(text(f"{_RECORD} WHERE v.id = :id"), {"id": version_id})
        row = found.mappings().one_or_none()
        return None if row is None else _record(row)

    async def latest(self, document_id: UUID) -> VersionRecord | None:
        """Returns the newest version of the document, or None."""
        return (await self.latest_of([document_id])).get(document_id)

    async def latest_of(self, document_ids: Sequence[UUID]) -> dict[UUID, VersionRecord]:
        """Returns the newest version of each document that has one."""
        found = await self._connection.execute(
            text(
                f"{_RECORD} WHERE v.document_id = ANY(:ids) AND v.number = (SELECT max(number) "
                "FROM kaynak.document_versions WHERE document_id = v.document_id)"
            ),
            {"ids": list(document_ids)},
        )
        return {row["document_id"]: _record(row) for row in found.mappings()}

    async def pending_of_job(self, job_id: UUID) -> list[VersionRecord]:
        """Returns the versions of a job that are neither ready nor given up, in the order they came."""
        found = await self._connection.execute(
            text(f"{_RECORD} WHERE v.job_id = :job_id AND v.state = 'pending' ORDER BY v.id"),
            {"job_id": job_id},
        )
        return [_record(row) for row in found.mappings()]

    async def waiting(self, job_id: UUID, document_ids: Sequence[UUID]) -> set[UUID]:
        """Returns the versions of a job that are neither ready nor given up, of these documents."""
        found = await self._connection.execute(
            text(
                "SELECT id FROM kaynak.document_versions WHERE job_id = :job_id AND state = 'pending' "
                "AND document_id = ANY(CAST(:documents AS uuid[])) FOR NO KEY UPDATE"
            ),
            {"job_id": job_id, "documents": list(document_ids)},
        )
        return set(found.scalars())

    async def store_parsed(
        self, version_id: UUID, parsed: ParsedDocument, parser_fingerprint: str, language: str | None
    ) -> None:
        """Keeps what parsing found, and forgets the password."""
        await self.store_parsed_many([(version_id, parsed, language)], parser_fingerprint)

    async def store_parsed_many(
        self, parsed: Iterable[tuple[UUID, ParsedDocument, str | None]], parser_fingerprint: str
    ) -> None:
        """As `store_parsed`, for many (version id, parsed, language)."""
        rows = [
            {
                "id": str(version_id),
                "media_type": document.media_type,
                "language": language,
                "title": document.title,
                "text": document.text,
                "pages": stored_pages(document.pages),
                "blocks": stored_blocks(document.blocks),
                "properties": dict(document.metadata),
                "warnings": list(document.warnings),
            }
            for version_id, document, language in parsed
        ]
        if rows:
            await self._connection.execute(
                _STORE, {"fingerprint": parser_fingerprint, "given": json.dumps(rows, ensure_ascii=False)}
            )

    async def load_parsed(self, version_id: UUID) -> ParsedDocument:
        """Returns what parsing found.

        Raises:
            DocumentNotFound: The version is gone, or was never parsed.
        """
        found = await self._connection.execute(
            text(
                "SELECT text, media_type, blocks, pages, title, language, properties, warnings "
                "FROM kaynak.document_versions WHERE id = :id AND parser_fingerprint IS NOT NULL"
            ),
            {"id": version_id},
        )
        row = found.one_or_none()
        if row is None:
            raise DocumentNotFound("The document version is gone.")
        return ParsedDocument(
            text=row.text,
            media_type=row.media_type,
            blocks=blocks_of_json(row.blocks),
            pages=pages_of_json(row.pages),
            title=row.title,
            language=row.language,
            metadata=row.properties,
            warnings=tuple(row.warnings),
        )

    async def set_state(
        self,
        version_id: UUID,
        state: VersionState,
        error: str | None = None,
        error_code: str | None = None,
        error_hint: str | None = None,
    ) -> None:
        """Sets where the version stands and why; the password is forgotten unless it is to be tried again."""
        await self._connection.execute(
            text(
                "UPDATE kaynak.document_versions SET state = :state, error = :error, error_code = :code, "
                "error_hint = :hint, password = CASE WHEN :pending THEN password END WHERE id = :id"
            ),
            {
                "id": version_id,
                "state": state,
                "error": error,
                "code": error_code,
                "hint": error_hint,
                "pending": state is VersionState.PENDING,
            },
        )

    async def text(self, scope: Scope, document_id: UUID, version: int | None = None) -> VersionText:
        """Returns the canonical text of a version, by default the current one.

        Raises:
            DocumentNotFound: No such document or version, not for this caller, or not readable.
        """
        chosen = "v.id = d.current_version_id" if version is None else "v.number = :version"
        row = await self._chosen(
            f"SELECT v.id, v.number, v.text, v.pages, v.blocks {_CHOSEN} "
            f"AND v.parser_fingerprint IS NOT NULL AND {chosen}",
            scope,
            document_id,
            version,
        )
        return VersionText(
            document_id,
            row["id"],
            row["number"],
            row["text"],
            pages_of_json(row["pages"]),
            blocks_of_json(row["blocks"]),
        )

    async def original(self, scope: Scope, document_id: UUID, version: int | None = None) -> Original:
        """Returns the original file of a version, by default the current one or, failing that, the newest.

        Raises:
            DocumentNotFound: No such document or version, or not for this caller.
        """
        chosen = "" if version is None else "AND v.number = :version"
        row = await self._chosen(
            f"SELECT v.id, v.number, v.content_hash, v.filename, "
            f"coalesce(v.media_type, v.claimed_type) AS media_type, v.size {_CHOSEN} {chosen} "
            "ORDER BY (v.id = d.current_version_id) DESC NULLS LAST, v.number DESC LIMIT 1",
            scope,
            document_id,
            version,
        )
        return Original(*row.values())

    async def release_contents(self, hashes: Iterable[bytes]) -> frozenset[bytes]:
        """Returns which of the blobs no version refers to, and keeps it so until the transaction ends.

        Delete those blobs before the transaction ends.
        """
        candidates = list(hashes)
        await lock(self._connection, BLOBS_LOCK, shared=False)
        still = await self._connection.execute(
            text("SELECT DISTINCT content_hash FROM kaynak.document_versions WHERE content_hash = ANY(:hashes)"),
            {"hashes": candidates},
        )
        return frozenset(candidates) - frozenset(still.scalars())

    async def _chosen(self, sql: str, scope: Scope, document_id: UUID, version: int | None) -> Mapping[Any, Any]:
        values: dict[str, Any] = {**scope_values(scope), "document_id": document_id, "version": version}
        if version is None:
            del values["version"]
        found = await self._connection.execute(text(sql), values)
        row = found.mappings().one_or_none()
        if row is None:
            what = "is not readable yet" if version is None else f"has no readable version {version}"
            raise DocumentNotFound(f"The document does not exist, or {what}.")
        return row


def _record(row: Mapping[Any, Any]) -> VersionRecord:
    return VersionRecord(**{**row, "state": VersionState(row["state"])})
