# ruff: noqa: S608 - the pieces put together here are constants of ours; values are parameters
from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.catalog.document_rows import DOCUMENTS, document_of
from kaynak.catalog.metadata import validate_metadata
from kaynak.catalog.publishing import publish
from kaynak.catalog.records import Removed
from kaynak.catalog.sql import MAY_READ, SCOPE, SYSTEM_FIELDS, scope_values
from kaynak.domain import (
    CollectionNotFound,
    Document,
    DocumentNotFound,
    Filter,
    Json,
    Scope,
    new_id,
    validate_external_id,
)
from kaynak.domain.filter_sql import to_sql

_INSERT = text(
    """
    INSERT INTO kaynak.documents (id, collection_id, external_id)
    SELECT id, :collection_id, external_id
    FROM unnest(CAST(:ids AS uuid[]), CAST(:names AS text[])) AS given (id, external_id)
    ON CONFLICT (collection_id, external_id) DO NOTHING
    RETURNING id, external_id
    """
)
_LOCK = text(
    """
    SELECT id, external_id FROM kaynak.documents
    WHERE collection_id = :collection_id AND external_id = ANY(CAST(:names AS text[]))
    ORDER BY external_id COLLATE "C" FOR NO KEY UPDATE
    """
)
_COLLECTION = text(f"SELECT c.id FROM kaynak.collections c WHERE c.name = :name AND {SCOPE.format(column='c.id')}")
_DELETE = text(
    """
    WITH gone AS (
        DELETE FROM kaynak.documents WHERE id = ANY(CAST(:ids AS uuid[]))
        RETURNING id, collection_id, current_version_id, readers
    ), versions AS (
        SELECT DISTINCT v.content_hash FROM kaynak.document_versions v JOIN gone ON gone.id = v.document_id
    ), parts AS (
        SELECT k.text_hash, k.chunker_fingerprint, gone.collection_id,
            k.version_id = gone.current_version_id AS current
        FROM kaynak.chunks k JOIN gone ON gone.id = k.document_id
    ), collections AS (
        UPDATE kaynak.collections c SET documents = c.documents - fewer.count, restricted = c.restricted - fewer.lists
        FROM (SELECT collection_id, count(current_version_id), count(readers) AS lists FROM gone GROUP BY 1) fewer
        WHERE c.id = fewer.collection_id
    ), generations AS (
        UPDATE kaynak.generations g SET chunks = g.chunks - fewer.count
        FROM (SELECT collection_id, chunker_fingerprint, count(*) FROM parts WHERE current GROUP BY 1, 2) fewer
        WHERE g.collection_id = fewer.collection_id AND g.chunker_fingerprint = fewer.chunker_fingerprint
    )
    SELECT (SELECT count(*) FROM gone) AS count,
        coalesce((SELECT array_agg(content_hash) FROM versions), '{}') AS contents,
        coalesce((SELECT array_agg(DISTINCT text_hash) FROM parts), '{}') AS texts
    """
)
# The count of lists and the copies of job items follow in the same statement. Locks are taken in the order that all
# writers keep: documents, then their collection.
_RESTRICT = text(
    """
    WITH given AS (
        SELECT g.id, CAST(g.readers AS uuid[]) AS readers
        FROM unnest(CAST(:ids AS uuid[]), CAST(:readers AS text[])) AS g (id, readers)
    ), changed AS (
        UPDATE kaynak.documents d SET readers = given.readers FROM given JOIN kaynak.documents old ON old.id = given.id
        WHERE d.id = given.id AND d.readers IS DISTINCT FROM given.readers
        RETURNING d.id, d.collection_id, d.readers, num_nonnulls(d.readers) - num_nonnulls(old.readers) AS more
    ), collections AS (
        UPDATE kaynak.collections c SET restricted = c.restricted + lists.more
        FROM (SELECT collection_id, sum(more) AS more FROM changed GROUP BY 1) lists
        WHERE c.id = lists.collection_id AND lists.more <> 0
    ), items AS (
        UPDATE kaynak.job_items i SET readers = changed.readers FROM changed WHERE i.document_id = changed.id
    )
    SELECT id FROM changed
    """
)
_ALLOWED = text(f"SELECT d.id FROM kaynak.documents d WHERE d.id = ANY(CAST(:ids AS uuid[])) AND {MAY_READ}")


class Documents:
    """The documents of collections."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def ensure(self, collection_id: UUID, external_id: str) -> tuple[UUID, bool]:
        """Returns the document of that name, made if there is none, and whether it was made.

        The document is locked until the transaction ends: others who ask for the same one wait.

        Raises:
            InvalidRequest: The name cannot name a document.
            CollectionNotFound: There is no such collection.
        """
        return (await self.ensure_many(collection_id, [external_id]))[external_id]

    async def ensure_many(self, collection_id: UUID, external_ids: Iterable[str]) -> dict[str, tuple[UUID, bool]]:
        """As `ensure`, for many names at once."""
        # Everyone locks in the same order, so that two uploads of the same files wait and do not deadlock.
        missing = sorted({validate_external_id(name) for name in external_ids})
        found: dict[str, tuple[UUID, bool]] = {}
        while missing:
            given = {"collection_id": collection_id, "ids": [new_id() for _ in missing], "names": missing}
            try:
                made = await self._connection.execute(_INSERT, given)
            except IntegrityError as exc:
                raise CollectionNotFound("There is no such collection.") from exc
            found |= {row.external_id: (row.id, True) for row in made}
            missing = [name for name in missing if name not in found]
            if missing:
                del given["ids"]
                locked = await self._connection.execute(_LOCK, {**given, "names": missing})
                found |= {row.external_id: (row.id, False) for row in locked}
                missing = [name for name in missing if name not in found]  # deleted in between
        return found

    async def get(self, scope: Scope, document_id: UUID) -> Document:
        """Returns the document.

        Raises:
            DocumentNotFound: There is none, or not for this caller.
        """
        return await self._one(scope, "d.id = :id", {"id": document_id}, str(document_id))

    async def find(self, scope: Scope, collection: str, external_id: str) -> Document:
        """Returns the document of that name.

        Raises:
            CollectionNotFound: There is no such collection, or not for this caller.
            DocumentNotFound: There is no such document in it.
        """
        values = {"collection_id": await self._collection(scope, collection), "name": external_id}
        where = "d.collection_id = :collection_id AND d.external_id = :name"
        return await self._one(scope, where, values, external_id)

    async def allowed(self, scope: Scope, document_ids: Sequence[UUID]) -> set[UUID]:
        """Returns which of these documents are there and may be read."""
        found = await self._connection.execute(_ALLOWED, {"ids": list(document_ids), **scope_values(scope)})
        return set(found.scalars())

    async def readers(self, scope: Scope, document_id: UUID) -> frozenset[UUID] | None:
        """Returns who may read the document, of those who may read its collection; None: all of them.

        Among them is the collection itself, which stands for its owners.

        Raises:
            DocumentNotFound: There is none, or not for this caller.
        """
        found = await self._connection.execute(
            text(f"SELECT d.readers FROM kaynak.documents d WHERE d.id = :id AND {MAY_READ}"),
            {"id": document_id, **scope_values(scope)},
        )
        row = found.one_or_none()
        if row is None:
            raise DocumentNotFound("There is no such document.", hint="List the documents to see them.")
        return None if row.readers is None else frozenset(row.readers)

    async def restrict(self, readers: Mapping[UUID, frozenset[UUID] | None]) -> set[UUID]:
        """Sets who may read documents, and returns those for which that is new.

        Call it with the documents locked, and record the changes in the same transaction.

        Args:
            readers: For each document people, groups, and the collection itself; None: all who read the collection.
        """
        if not readers:
            return set()
        # Arrays in an array would have to be of one length, hence as text.
        lists = [None if one is None else "{" + ",".join(sorted(map(str, one))) + "}" for one in readers.values()]
        done = await self._connection.execute(_RESTRICT, {"ids": list(readers), "readers": lists})
        return set(done.scalars())

    async def ids(self, collection_id: UUID, *, after: UUID | None = None, limit: int = 1000) -> Sequence[UUID]:
        """Returns the readable documents of a collection, in the order of ids: what an index must hold."""
        found = await self._connection.execute(
            text(
                "SELECT id FROM kaynak.documents WHERE collection_id = :collection_id "
                "AND current_version_id IS NOT NULL "
                "AND (CAST(:after AS uuid) IS NULL OR id > :after) ORDER BY id LIMIT :limit"
            ),
            {"collection_id": collection_id, "after": after, "limit": limit},
        )
        return found.scalars().all()

    async def set_metadata(self, document_id: UUID, metadata: Mapping[str, Json], title: str | None) -> bool:
        """Sets the caller's metadata and title (None: the document's own), and returns whether they differ.

        Raises:
            InvalidRequest: The metadata cannot be stored, see `validate_metadata`.
            TooLarge: The metadata is over 64 KiB.
        """
        done = await self._connection.execute(
            text(
                "UPDATE kaynak.documents SET metadata = CAST(:metadata AS jsonb), title = :title "
                "WHERE id = :id AND (metadata, title) IS DISTINCT FROM (CAST(:metadata AS jsonb), :title)"
            ),
            {"id": document_id, "metadata": json.dumps(validate_metadata(metadata)), "title": title},
        )
        return bool(done.rowcount)

    async def readable(self, document_ids: Sequence[UUID]) -> set[UUID]:
        """Returns which of these documents have a version that can be read."""
        found = await self._connection.execute(
            text("SELECT id FROM kaynak.documents WHERE id = ANY(:ids) AND current_version_id IS NOT NULL"),
            {"ids": list(document_ids)},
        )
        return set(found.scalars())

    async def publish(self, document_id: UUID, version_id: UUID) -> bool:
        """As `publish_many` for one document; returns whether the version became the current one."""
        return version_id in await self.publish_many([(document_id, version_id)])

    async def publish_many(self, versions: Sequence[tuple[UUID, UUID]]) -> set[UUID]:
        """Makes versions (document id, version id) the readable ones, where no newer one is readable already.

        Older versions that still wait become superseded; a version that comes too late becomes so itself.

        Returns:
            Those that became current.
        """
        return await publish(self._connection, versions)

    async def delete(self, document_id: UUID) -> Removed:
        """Removes the document with its versions and chunks; no error if there is none.

        Record the change in the same transaction; after the commit let go of what is returned, see `Removed`.
        """
        return await self.delete_many([document_id])

    async def delete_many(self, document_ids: Sequence[UUID]) -> Removed:
        """As `delete`, for many documents."""
        done = (await self._connection.execute(_DELETE, {"ids": list(document_ids)})).one()
        still = await self._connection.execute(
            text("SELECT DISTINCT content_hash FROM kaynak.document_versions WHERE content_hash = ANY(:hashes)"),
            {"hashes": done.contents},
        )
        return Removed(frozenset(done.contents) - frozenset(still.scalars()), frozenset(done.texts))

    async def list(
        self,
        scope: Scope,
        collection: str,
        *,
        condition: Filter | None = None,
        after: UUID | None = None,
        limit: int = 100,
    ) -> list[Document]:
        """Returns at most ``limit`` documents of a collection that match, in the order of ids (of arrival).

        Raises:
            CollectionNotFound: There is no such collection, or not for this caller.
        """
        matching, values = to_sql(condition, "d.metadata", system_column=SYSTEM_FIELDS)
        sql = (
            f"{DOCUMENTS} WHERE d.collection_id = :collection_id AND {MAY_READ} AND {matching} "
            "AND (CAST(:after AS uuid) IS NULL OR d.id > :after) ORDER BY d.id LIMIT :limit"
        )
        values |= {"collection_id": await self._collection(scope, collection), "after": after, "limit": limit}
        values |= scope_values(scope)
        found = await self._connection.execute(text(sql), values)
        return [document_of(row) for row in found.mappings()]

    async def _one(self, scope: Scope, where: str, values: dict[str, object], name: str) -> Document:
        sql = f"{DOCUMENTS} WHERE {where} AND {MAY_READ}"
        found = await self._connection.execute(text(sql), {**values, **scope_values(scope)})
        row = found.mappings().one_or_none()
        if row is None:
            raise DocumentNotFound(f"There is no document “{name[:80]}”.", hint="List the documents to see them.")
        return document_of(row)

    async def _collection(self, scope: Scope, name: str) -> UUID:
        found = await self._connection.execute(_COLLECTION, {"name": name, "scope": scope_values(scope)["scope"]})
        identity: UUID | None = found.scalar_one_or_none()
        if identity is None:
            raise CollectionNotFound(
                f"There is no collection “{name[:80]}”.", hint="List the collections to see their names."
            )
        return identity
