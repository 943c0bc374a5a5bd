from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import structlog

from kaynak.catalog import BlobStore, Catalog, NewItem, Unit, VersionText, describe, lock_documents
from kaynak.domain import (
    UNCHANGED,
    Action,
    Chunk,
    Document,
    Filter,
    Job,
    JobItem,
    Json,
    KaynakError,
    Outcome,
    Permission,
    Principal,
    Scope,
    Unchanged,
    new_id,
)
from kaynak.indexing import Followers
from kaynak.ingestion.intake import Enqueue
from kaynak.ingestion.readers import listed, readers_of
from kaynak.ingestion.removing import remove

DELETE_SECONDS = 30.0
DELETED_AT_ONCE = 500
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Update:
    """What became of an update at once.

    Attributes:
        document: As it is now; filters and words find it so.
        job: What embeds its passages under its new title, so that meaning finds them, too; None if they stay.
    """

    document: Document
    job: Job | None


class Documents:
    """Documents after they were taken in.

    Args:
        catalog: Where they are.
        blobs: Where their originals are.
        followers: Keep the indexes up to date.
        enqueue: Queues jobs.
    """

    def __init__(self, catalog: Catalog, blobs: BlobStore, followers: Followers, enqueue: Enqueue) -> None:
        self._catalog = catalog
        self._blobs = blobs
        self._followers = followers
        self._enqueue = enqueue

    async def get(self, scope: Scope, document_id: UUID) -> Document:
        """Returns the document.

        Raises:
            DocumentNotFound: There is none, or not for this caller.
        """
        async with self._catalog.read() as unit:
            return await unit.documents.get(scope, document_id)

    async def find(self, scope: Scope, collection: str, external_id: str) -> Document:
        """Returns the document of that name.

        Raises:
            CollectionNotFound: There is no such collection, or not for this caller.
            DocumentNotFound: There is no such document in it.
        """
        async with self._catalog.read() as unit:
            return await unit.documents.find(scope, collection, external_id)

    async def list(
        self,
        scope: Scope,
        collection: str,
        *,
        condition: Filter | None = None,
        after: UUID | None = None,
        limit: int = 100,
    ) -> list[Document]:
        """Returns at most ``limit`` documents that match, in the order of arrival, those after ``after``."""
        async with self._catalog.read() as unit:
            return await unit.documents.list(scope, collection, condition=condition, after=after, limit=limit)

    async def update(
        self,
        scope: Scope,
        document_id: UUID,
        *,
        metadata: Mapping[str, Json] | None = None,
        title: str | None = None,
        readers: Sequence[str] | Unchanged | None = UNCHANGED,
    ) -> Update:
        """Replaces the metadata, the title, or both; None leaves what is there.

        Who may read it is replaced as well: by people and groups, see `Grants.named`, or None for all who may read
        the collection. It counts from the next request on.

        Passages are embedded with their title. If that changes, a job embeds them anew, in the same transaction:
        it is there if and only if the new title is.

        Raises:
            DocumentNotFound: There is no such document, or not for this caller.
            Forbidden: The caller may not change it.
            InvalidRequest: The metadata cannot be stored, or a reader is not known.
        """
        async with self._catalog.begin() as unit:
            found = await unit.documents.get(scope, document_id)
            collection = await unit.collections.get(scope, found.collection)
            scope.require(Permission.WRITE, collection.id)
            await lock_documents(unit.connection, [document_id])
            restricted: set[UUID] = set()
            named: frozenset[UUID] | None = None
            if readers is not UNCHANGED:
                named = None if readers is None else await readers_of(unit, scope, collection.id, readers)
                restricted = await unit.documents.restrict({document_id: named})
            described = await describe(unit.connection, [(document_id, metadata, title)])
            job = None
            if described or restricted:
                if version := described.get(document_id):
                    job = await self._embed_anew(unit, scope, collection.id, found, version)
                await unit.changes.record(collection.id, [(document_id, "put")])
                if described:
                    changed = [name for name, value in (("metadata", metadata), ("title", title)) if value is not None]
                    unit.audit.record(scope, Action.DOCUMENT_CHANGED, f"document:{document_id}", changed=changed)
                if restricted:
                    unit.audit.record(scope, Action.READERS_CHANGED, f"document:{document_id}", readers=listed(named))
            return Update(await unit.documents.get(scope, document_id), job)

    async def _embed_anew(
        self, unit: Unit, scope: Scope, collection_id: UUID, document: Document, version_id: UUID
    ) -> Job:
        job_id = new_id()
        await unit.jobs.create(job_id, "ingest", collection_id)
        item = JobItem(document.external_id, document.id, Outcome.PENDING)
        await unit.jobs.add_items(job_id, [NewItem(item, version_id)])
        await self._enqueue(unit.connection, job_id)
        return await unit.jobs.get(scope, job_id)

    async def readers(self, scope: Scope, document_id: UUID) -> Sequence[Principal] | None:
        """Returns the people and groups that may read the document beside the owners of its collection.

        None: all who may read the collection.

        Raises:
            DocumentNotFound: There is no such document, or not for this caller.
            Forbidden: The caller may not change it.
        """
        async with self._catalog.read() as unit:
            found = await unit.documents.get(scope, document_id)
            scope.require(Permission.WRITE, (await unit.collections.get(scope, found.collection)).id)
            readers = await unit.documents.readers(scope, document_id)
            return None if readers is None else await unit.grants.principals(list(readers))

    async def delete(self, scope: Scope, document_id: UUID) -> None:
        """Removes the document and everything derived from it: when this returns, the indexes have let go too.

        Raises:
            DocumentNotFound: There is no such document, or not for this caller.
            Forbidden: The caller may not change it.
        """
        async with self._catalog.read() as unit:
            found = await unit.documents.get(scope, document_id)
        await self.delete_many(scope, found.collection, [document_id])

    async def delete_many(self, scope: Scope, collection: str, document_ids: Sequence[UUID]) -> None:
        """As `delete`, for many documents of one collection; those that are not there are passed over.

        Raises:
            CollectionNotFound: There is no such collection, or not for this caller.
            Forbidden: The caller may not change it.
        """
        async with self._catalog.read() as unit:
            there = await unit.collections.get(scope, collection)
            scope.require(Permission.WRITE, there.id)
            own = await unit.documents.allowed(scope, document_ids)
        gone = [one for one in document_ids if one in own]
        for start in range(0, len(gone), DELETED_AT_ONCE):
            await remove(self._catalog, self._blobs, scope, there.id, gone[start : start + DELETED_AT_ONCE])
        try:
            await self._followers.forget_documents(there.id, gone, DELETE_SECONDS)
        except KaynakError as error:
            # The gate hides them already; an index that is away forgets them when it is back.
            _log.warning("delete_not_indexed", collection=there.name, error=error.type)

    async def text(self, scope: Scope, document_id: UUID, version: int | None = None) -> VersionText:
        """Returns the canonical text of a version, by default the current one.

        Raises:
            DocumentNotFound: There is no such document or version, not for this caller, or not readable.
        """
        async with self._catalog.read() as unit:
            found = await unit.versions.text(scope, document_id, version)
        await self._read(scope, document_id, version=found.number, part="text")
        return found

    async def chunks(
        self, scope: Scope, document_id: UUID, *, after: int | None = None, limit: int = 100
    ) -> Sequence[Chunk]:
        """Returns at most ``limit`` passages of the current version, those after the ordinal ``after``."""
        async with self._catalog.read() as unit:
            found = await unit.chunks.of_document(scope, document_id, after=after, limit=limit)
        await self._read(scope, document_id, part="passages")
        return found

    async def content(
        self, scope: Scope, document_id: UUID, version: int | None = None
    ) -> tuple[Path, str, str | None]:
        """Returns the original: a local file, what it was called, and its media type.

        Raises:
            DocumentNotFound: There is no such document or version, or not for this caller.
        """
        async with self._catalog.read() as unit:
            original = await unit.versions.original(scope, document_id, version)
        await self._catalog.audit.record(scope, Action.DOCUMENT_DOWNLOADED, f"document:{document_id}", version=version)
        return await self._blobs.open_path(original.content_hash), original.filename, original.media_type

    async def _read(self, scope: Scope, document_id: UUID, **details: object) -> None:
        await self._catalog.audit.record(scope, Action.DOCUMENT_READ, f"document:{document_id}", **details)
