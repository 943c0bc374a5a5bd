from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.catalog import Catalog, NewItem, NewVersion, Unit, VersionRecord, describe, unnamed
from kaynak.domain import Action, Collection, JobItem, Outcome, Permission, Scope, VersionState, new_id
from kaynak.ingestion.readers import Lists, listed, readers_of
from kaynak.ingestion.removing import remove
from kaynak.ingestion.storing import Storing
from kaynak.ingestion.uploads import Entry, Stored, Submission, Upload

Enqueue = Callable[[AsyncConnection, UUID], Awaitable[None]]
"""Puts a job into the queue, within the transaction of the connection."""

AT_A_TIME = 8
"""Uploads, or portions of small ones, that are stored at the same time."""
TOGETHER = 64
"""Small uploads that make a portion."""
_REMOVED_AT_ONCE = 500

_NOTED = {Outcome.PENDING: Action.DOCUMENT_UPLOADED, Outcome.UPDATED: Action.DOCUMENT_CHANGED}
"""What the audit log has of an upload, by what becomes of it; the same once more is not worth a line."""
_SAME = {VersionState.READY, VersionState.PENDING}


class Intake:
    """Takes documents in: durably stored and queued when it returns, searchable when the job has ended."""

    def __init__(self, catalog: Catalog, storing: Storing, enqueue: Enqueue) -> None:
        self._catalog = catalog
        self._storing = storing
        self._enqueue = enqueue

    async def submit(
        self,
        scope: Scope,
        collection: str,
        uploads: Sequence[Upload] | AsyncIterator[Upload],
        *,
        prune: bool = False,
    ) -> Submission:
        """Stores the uploads, and queues one job for those that are new or changed.

        The same bytes under the same id do nothing; other metadata or another title take effect at once, and the
        job embeds the passages anew under another title. Bytes that failed before are tried again. A document that
        is not acceptable is a failed item and does not hold up the others. If an id appears twice, the first one is
        taken and the others are failed items.

        Args:
            scope: Who asks.
            collection: Name of the collection.
            uploads: The documents. Archives become one document per file, ``archive.zip/inner/path``.
            prune: Whether to remove the documents of the collection that are not among the uploads.

        Raises:
            CollectionNotFound: There is no such collection, or not for this caller.
            Forbidden: The caller may not add documents to it.
            InvalidRequest: A list of readers names nobody that is known, or leaves out the caller.
            StorageFull: There is no room; nothing is queued.
        """
        found = await self._collection(scope, collection)
        stored: dict[str, Stored] = {}
        items: list[NewItem | str] = []
        lists: Lists = {}
        async with aclosing(self._stored(uploads)) as entries:
            async for upload, entry in entries:
                if upload.readers is not None and upload.readers not in lists:
                    async with self._catalog.read() as unit:
                        lists[upload.readers] = await readers_of(unit, scope, found.id, upload.readers)
                readers = None if upload.readers is None else lists[upload.readers]
                if isinstance(entry, JobItem):
                    items.append(NewItem(entry, readers=readers))
                elif (name := entry.upload.external_id) in stored:
                    items.append(NewItem(_twice(name), readers=readers))
                else:
                    stored[name] = entry
                    items.append(name)
        submission = await self._commit(scope, found, stored, items, lists)
        if not prune:
            return submission
        others = await self.left_over(scope, collection, submission.items)
        return replace(submission, pruned=await self.remove(scope, collection, others))

    async def _collection(self, scope: Scope, name: str) -> Collection:
        """Returns a collection whose documents the caller may change."""
        async with self._catalog.read() as unit:
            found = await unit.collections.get(scope, name)
        scope.require(Permission.WRITE, found.id)
        return found

    async def _stored(self, uploads: Sequence[Upload] | AsyncIterator[Upload]) -> AsyncGenerator[tuple[Upload, Entry]]:
        """Yields uploads with what they become, in order; some are stored at a time, as each waits for the disk."""
        ahead: deque[tuple[list[Upload], asyncio.Task[list[Entry]]]] = deque()
        try:
            async for portion in self._portions(uploads):
                first = portion[0]
                work = self._storing.store(first) if len(portion) == 1 else self._storing.store_many(portion)
                ahead.append((portion, asyncio.create_task(work)))
                # A stream is read to its end before the next upload is asked for: both may come from one request.
                most = AT_A_TIME if isinstance(first.content, bytes | Path) else 1
                while len(ahead) >= most:
                    for pair in await _pairs(*ahead.popleft()):
                        yield pair
            while ahead:
                for pair in await _pairs(*ahead.popleft()):
                    yield pair
        finally:
            for _, task in ahead:
                task.cancel()
            await asyncio.gather(*(task for _, task in ahead), return_exceptions=True)

    async def _portions(self, uploads: Sequence[Upload] | AsyncIterator[Upload]) -> AsyncIterator[list[Upload]]:
        """Yields the uploads in order, small ones that lie in memory already several at a time."""
        portion: list[Upload] = []
        async for upload in _each(uploads):
            together = not isinstance(uploads, AsyncIterator) and self._storing.together(upload)
            if portion and (not together or len(portion) == TOGETHER):
                yield portion
                portion = []
            portion.append(upload)
            if not together:
                yield portion
                portion = []
        if portion:
            yield portion

    async def left_over(
        self, scope: Scope, collection: str, items: Sequence[JobItem], *, prefix: str = ""
    ) -> Sequence[UUID]:
        """Returns the documents of the collection that are not among the items of submissions, where they may be read.

        Args:
            scope: Who asks.
            collection: Name of the collection.
            items: Of one or several submissions. An archive that failed keeps the documents it gave before.
            prefix: Only documents whose name begins so.

        Raises:
            CollectionNotFound: There is no such collection, or not for this caller.
            Forbidden: The caller may not remove documents from it.
        """
        found = await self._collection(scope, collection)
        folders = [item.external_id + "/" for item in items if item.outcome is Outcome.FAILED]
        async with self._catalog.read() as unit:
            return await unnamed(
                unit.connection, scope, found.id, [item.external_id for item in items], folders, prefix=prefix
            )

    async def remove(self, scope: Scope, collection: str, documents: Sequence[UUID]) -> int:
        """Removes documents of the collection with all that was made from them, and returns how many; indexes follow.

        What the caller may not read is passed over.

        Raises:
            CollectionNotFound: There is no such collection, or not for this caller.
            Forbidden: The caller may not remove documents from it.
        """
        found = await self._collection(scope, collection)
        removed = 0
        for start in range(0, len(documents), _REMOVED_AT_ONCE):
            some = documents[start : start + _REMOVED_AT_ONCE]
            async with self._catalog.read() as unit:
                allowed = await unit.documents.allowed(scope, some)
            there = [one for one in some if one in allowed]
            await remove(self._catalog, self._storing.blobs, scope, found.id, there)
            removed += len(there)
        return removed

    async def _commit(
        self,
        scope: Scope,
        collection: Collection,
        stored: dict[str, Stored],
        items: list[NewItem | str],
        lists: Lists,
    ) -> Submission:
        job_id = new_id()
        async with self._catalog.begin() as unit:
            taken = await self._take(unit, scope, collection, job_id, stored, lists)
            entries = [taken[item] if isinstance(item, str) else item for item in items]
            for entry in entries:
                if (action := _NOTED.get(entry.item.outcome)) is not None:
                    unit.audit.record(scope, action, f"document:{entry.item.document_id}", collection=collection.id)
            job = None
            if any(entry.version_id for entry in entries):
                await unit.jobs.add_items(job_id, entries)
                await self._enqueue(unit.connection, job_id)
                job = await unit.jobs.get(scope, job_id)
        return Submission(job, tuple(entry.item for entry in entries))

    async def _take(
        self,
        unit: Unit,
        scope: Scope,
        collection: Collection,
        job_id: UUID,
        stored: dict[str, Stored],
        lists: Lists,
    ) -> dict[str, NewItem]:
        """Decides what each upload changes, and writes it; the documents stay locked until the commit."""
        documents = await unit.documents.ensure_many(collection.id, stored)
        taken = await _refused(unit, scope, documents)
        stored = {name: one for name, one in stored.items() if name not in taken}
        documents = {name: documents[name] for name in stored}
        latest = await unit.versions.latest_of([identity for identity, _ in documents.values()])
        fresh = [name for name in stored if not _unchanged(stored[name], latest.get(documents[name][0]))]
        versions: dict[str, UUID] = {}
        if fresh:
            await unit.jobs.create(job_id, "ingest", collection.id)
            made = await unit.versions.create_many(
                [_version(documents[name][0], job_id, stored[name]) for name in fresh]
            )
            versions = {name: identity for name, (identity, _) in zip(fresh, made, strict=True)}
            await self._storing.check([stored[name].content_hash for name in fresh])
        described = await describe(
            unit.connection,
            [(documents[name][0], one.upload.metadata, one.upload.title) for name, one in stored.items()],
        )
        # A document that can be read already shows its new metadata at once, and so must its indexes.
        retitled = {
            name: described[identity]
            for name, (identity, _) in documents.items()
            if described.get(identity) is not None
        }
        if retitled and not fresh:
            await unit.jobs.create(job_id, "ingest", collection.id)
        restricted = await unit.documents.restrict(
            {
                documents[name][0]: lists[one.upload.readers]
                for name, one in stored.items()
                if one.upload.readers is not None
            }
        )
        for name, one in stored.items():
            if documents[name][0] in restricted and one.upload.readers is not None:
                new = listed(lists[one.upload.readers])
                unit.audit.record(scope, Action.READERS_CHANGED, f"document:{documents[name][0]}", readers=new)
        changed = {*described, *restricted}
        readable = [identity for identity, created in documents.values() if identity in changed and not created]
        await unit.changes.record(collection.id, [(identity, "put") for identity in readable])
        for name, (document, _) in documents.items():
            quiet = Outcome.UPDATED if document in changed else Outcome.UNCHANGED
            version = versions.get(name, retitled.get(name))
            outcome = Outcome.PENDING if version else quiet
            taken[name] = NewItem(JobItem(name, document, outcome), version)
        return taken


async def _refused(unit: Unit, scope: Scope, documents: Mapping[str, tuple[UUID, bool]]) -> dict[str, NewItem]:
    """Returns the items of documents that are there already and that the caller may not read, and so not replace."""
    there = {name: identity for name, (identity, created) in documents.items() if not created}
    if scope.principals is None or not there:
        return {}
    allowed = await unit.documents.allowed(scope, list(there.values()))
    return {name: NewItem(_taken(name)) for name, identity in there.items() if identity not in allowed}


def _taken(name: str) -> JobItem:
    return JobItem(
        name,
        None,
        Outcome.FAILED,
        "This id cannot be used in the collection.",
        "id-not-available",
        "Give the document another id.",
    )


async def _pairs(portion: list[Upload], storing: asyncio.Task[list[Entry]]) -> list[tuple[Upload, Entry]]:
    """Returns uploads with what they became: one entry each, or, for an upload alone, all that was in it."""
    entries = await storing
    return list(zip(portion * len(entries) if len(portion) == 1 else portion, entries, strict=True))


def _unchanged(stored: Stored, latest: VersionRecord | None) -> bool:
    return latest is not None and latest.content_hash == stored.content_hash and latest.state in _SAME


def _version(document: UUID, job_id: UUID, stored: Stored) -> NewVersion:
    upload = stored.upload
    return NewVersion(
        document, job_id, stored.content_hash, upload.filename, stored.size, upload.media_type, upload.password
    )


def _twice(name: str) -> JobItem:
    return JobItem(
        name,
        None,
        Outcome.FAILED,
        "The same id appears twice in one request; the first one was taken.",
        "duplicate-id",
        "Give each document an id of its own.",
    )


async def _each(uploads: Sequence[Upload] | AsyncIterator[Upload]) -> AsyncIterator[Upload]:
    if isinstance(uploads, AsyncIterator):
        async for upload in uploads:
            yield upload
    else:
        for upload in uploads:
            yield upload
