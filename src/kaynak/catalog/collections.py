# ruff: noqa: S608 - the pieces put together here are constants of ours; values are parameters
from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.catalog.answering import answering_of, stored_answering
from kaynak.catalog.generations import generation_of, spec_of
from kaynak.catalog.records import Removed
from kaynak.catalog.sql import READERS, SCOPE, driver, scope_values
from kaynak.domain import (
    Answering,
    Collection,
    CollectionExists,
    CollectionNotFound,
    Scope,
    new_id,
    validate_collection_name,
)

_SELECT = f"""
    SELECT c.id, c.name, c.description, c.language, c.revision, c.documents, c.restricted, c.answering,
        c.created_at, c.updated_at,
        g.id AS generation_id, g.spec, g.chunker_fingerprint, g.embedder_fingerprint, g.dimensions, g.chunks,
        g.weights_fingerprint
    FROM kaynak.collections c JOIN kaynak.generations g ON g.collection_id = c.id AND g.active
    WHERE {SCOPE.format(column="c.id")}
"""
# Every search asks for one: asked of the driver itself, without SQLAlchemy's rows.
_GET = re.sub(r"(?<!:):(\w+)", r"%(\1)s", _SELECT) + " AND c.name = %(name)s"
_GET_BY_ID = text(_SELECT + " AND c.id = :id")
# What the caller may not read of each, among what is counted. There is nothing to look for where no document has a list
# of readers.
_HIDDEN = text(
    f"""
    SELECT d.collection_id AS id, count(*) AS restricted, count(d.current_version_id) AS documents,
        coalesce(sum(k.count), 0) AS chunks
    FROM kaynak.documents d
    LEFT JOIN LATERAL (
        SELECT count(*) FROM kaynak.chunks k JOIN kaynak.generations g ON g.collection_id = d.collection_id AND g.active
            AND g.chunker_fingerprint = k.chunker_fingerprint
        WHERE k.version_id = d.current_version_id
    ) k ON TRUE
    WHERE d.collection_id = ANY(CAST(:ids AS uuid[])) AND NOT {READERS.format(column="d.readers")} GROUP BY 1
    """
)
_LIST = text(_SELECT + ' AND c.name COLLATE "C" > :after ORDER BY c.name COLLATE "C" LIMIT :limit')


class Collections:
    """The collections."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def create(self, name: str, description: str = "", language: str | None = None) -> UUID:
        """Makes a collection; it is seen once it has an active generation.

        Raises:
            InvalidRequest: The name cannot name a collection.
            CollectionExists: One of that name exists.
        """
        identity = new_id()
        with _named(validate_collection_name(name)):
            await self._connection.execute(
                text(
                    "INSERT INTO kaynak.collections (id, name, description, language) "
                    "VALUES (:id, :name, :description, :language)"
                ),
                {"id": identity, "name": name, "description": description, "language": language},
            )
        return identity

    async def get(self, scope: Scope, name: str) -> Collection:
        """Returns the collection of that name.

        Raises:
            CollectionNotFound: There is none, or not for this caller.
        """
        return await named(await driver(self._connection), scope, name)

    async def counted(self, scope: Scope, collections: Sequence[Collection]) -> list[Collection]:
        """Returns collections with what the caller may read of them counted, and nothing else.

        What `get` and `list` count is all there is: that is for searching, and not to be shown.
        """
        ids = [one.id for one in collections if one.restricted and scope.principals is not None]
        if not ids:
            return list(collections)
        values = {"ids": ids, "principals": scope_values(scope)["principals"]}
        hidden = {row.id: row for row in await self._connection.execute(_HIDDEN, values)}
        return [
            replace(
                one,
                documents=one.documents - hidden[one.id].documents,
                chunks=one.chunks - int(hidden[one.id].chunks),
                restricted=one.restricted - hidden[one.id].restricted,
            )
            if one.id in hidden
            else one
            for one in collections
        ]

    async def get_by_id(self, scope: Scope, collection_id: UUID) -> Collection:
        """Returns the collection.

        Raises:
            CollectionNotFound: There is none, or not for this caller.
        """
        found = await self._connection.execute(_GET_BY_ID, {"scope": scope_values(scope)["scope"], "id": collection_id})
        return _one(found.mappings().one_or_none(), str(collection_id))

    async def list(self, scope: Scope, *, after: str | None = None, limit: int = 100) -> list[Collection]:
        """Returns at most ``limit`` collections in the order of their names, those after ``after``."""
        values = {"scope": scope_values(scope)["scope"], "after": after or "", "limit": limit}
        found = await self._connection.execute(_LIST, values)
        return [_collection(row) for row in found.mappings()]

    async def update(
        self,
        collection_id: UUID,
        *,
        name: str | None = None,
        description: str | None = None,
        language: str | None = None,
        clear_language: bool = False,
        answering: Answering | None = None,
    ) -> None:
        """Changes what is given; None leaves a field as it is.

        Args:
            collection_id: The collection.
            name: New name.
            description: New description.
            language: New language.
            clear_language: Whether to go back to detection per document.
            answering: How answers are to be written from it, as a whole.

        Raises:
            CollectionNotFound: There is no such collection.
            CollectionExists: Another one has that name.
        """
        if name is not None:
            validate_collection_name(name)
        with _named(name or ""):
            changed = await self._connection.execute(
                text(
                    "UPDATE kaynak.collections SET name = coalesce(:name, name), "
                    "description = coalesce(:description, description), "
                    "language = CASE WHEN :clear THEN NULL ELSE coalesce(:language, language) END, "
                    "answering = coalesce(CAST(:answering AS jsonb), answering), "
                    "updated_at = now() WHERE id = :id"
                ),
                {
                    "id": collection_id,
                    "name": name,
                    "description": description,
                    "language": language,
                    "clear": clear_language,
                    "answering": None if answering is None else stored_answering(answering),
                },
            )
        if changed.rowcount == 0:
            raise CollectionNotFound("There is no such collection.")

    async def lock(self, collection_id: UUID) -> None:
        """Lets others who want to change the generations of the collection wait until the transaction ends.

        Raises:
            CollectionNotFound: There is no such collection.
        """
        locked = await self._connection.execute(
            text("SELECT 1 FROM kaynak.collections WHERE id = :id FOR NO KEY UPDATE"), {"id": collection_id}
        )
        if locked.one_or_none() is None:
            raise CollectionNotFound("There is no such collection.")

    async def delete(self, collection_id: UUID) -> Removed:
        """Removes the collection with all its documents, generations, jobs and changes.

        Raises:
            CollectionNotFound: There is no such collection.
        """
        hashes = await self._connection.execute(
            text("SELECT DISTINCT text_hash FROM kaynak.chunks WHERE collection_id = :id"),
            {"id": collection_id},
        )
        text_hashes = frozenset(hashes.scalars())
        contents = await self._connection.execute(
            text(
                "SELECT DISTINCT v.content_hash FROM kaynak.document_versions v "
                "JOIN kaynak.documents d ON d.id = v.document_id WHERE d.collection_id = :id"
            ),
            {"id": collection_id},
        )
        candidates = list(contents.scalars())
        gone = await self._connection.execute(
            text("DELETE FROM kaynak.collections WHERE id = :id"), {"id": collection_id}
        )
        if gone.rowcount == 0:
            raise CollectionNotFound("There is no such collection.")
        still = await self._connection.execute(
            text("SELECT DISTINCT content_hash FROM kaynak.document_versions WHERE content_hash = ANY(:hashes)"),
            {"hashes": candidates},
        )
        return Removed(frozenset(candidates) - frozenset(still.scalars()), text_hashes)


async def named(connection: psycopg.AsyncConnection[Any], scope: Scope, name: str) -> Collection:
    """See `Collections.get`."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_GET, {**scope_values(scope), "name": name}, prepare=True)
        return _one(await cursor.fetchone(), name)


class _named:  # noqa: N801 - reads as a statement
    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, exc: BaseException | None, trace: object) -> None:
        if isinstance(exc, IntegrityError):
            raise CollectionExists(
                f"A collection “{self._name}” exists.", hint="Choose another name, or use that one."
            ) from exc


def _one(row: Mapping[Any, Any] | None, name: str) -> Collection:
    if row is None:
        raise CollectionNotFound(
            f"There is no collection “{name[:80]}”.", hint="List the collections to see their names."
        )
    return _collection(row)


def _collection(row: Mapping[Any, Any]) -> Collection:
    return Collection(
        id=row["id"],
        name=row["name"],
        description=row["description"],
        language=row["language"],
        revision=row["revision"],
        generation=generation_of(
            row["generation_id"],
            row["id"],
            spec_of(row["spec"]),
            row["chunker_fingerprint"],
            row["embedder_fingerprint"],
            row["dimensions"],
            active=True,
            weights_fingerprint=row["weights_fingerprint"],
        ),
        documents=row["documents"],
        restricted=row["restricted"],
        chunks=row["chunks"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        answering=answering_of(row["answering"]),
    )
