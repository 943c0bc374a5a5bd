from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

import numpy as np
import structlog
from numpy.typing import NDArray

from kaynak.catalog import Catalog, Operation, Unit, given_titles, lock_documents
from kaynak.domain import KaynakError, Outcome
from kaynak.embedding import Embedder
from kaynak.ingestion.preparing import Group, Prepared, Unreadable
from kaynak.ingestion.progress import JobStopped
from kaynak.parsing import PARSER_FINGERPRINT

Vectors = Mapping[bytes, NDArray[np.float32]]
_log = structlog.get_logger(__name__)


class Committing:
    """Writes what one start of a job has done: each group of documents in one transaction.

    Args:
        catalog: Where to.
        embedder: Whose vectors they are.
        job_id: The job.
        attempt: Number of the start; writes of a start that another one has overtaken are refused.
    """

    def __init__(self, catalog: Catalog, embedder: Embedder, job_id: UUID, attempt: int) -> None:
        self._catalog = catalog
        self._embedder = embedder
        self._job_id = job_id
        self._attempt = attempt

    async def commit(self, group: Group, vectors: Vectors) -> int:
        """Stores text, chunks and embeddings, switches to the new versions, and logs the changes.

        Returns:
            The revision of the collection afterwards; 0 if nothing changed.

        Raises:
            JobStopped: This start may not write any more; nothing was written.
        """
        released: frozenset[bytes] = frozenset()
        revision = 0
        async with self._catalog.begin() as unit:
            await self.advance(unit)
            versions = [one.version for one in group.documents] + [one.version for one in group.unreadable]
            waiting = await self._waiting(unit, [version.document_id for version in versions])
            documents = await self._titled(unit, [one for one in group.documents if one.version.id in waiting])
            if documents:
                await self._store(unit, documents, vectors)
                revision, released = await self._publish(unit, documents)
            await self._give_up(unit, [one for one in group.unreadable if one.version.id in waiting])
        if released:
            await self.collect(released)
        return revision

    async def save(self, vectors: Vectors) -> None:
        """Stores embeddings ahead of their document, so that a kill does not cost them.

        Raises:
            JobStopped: This start may not write any more.
        """
        async with self._catalog.begin() as unit:
            await self.advance(unit)
            await unit.embeddings.save(self._embedder.fingerprint, vectors)

    async def advance(self, unit: Unit) -> None:
        """Call it first in a transaction that writes.

        Raises:
            JobStopped: This start may not write any more.
        """
        if not await unit.jobs.advance(self._job_id, self._attempt):
            raise JobStopped

    async def _waiting(self, unit: Unit, documents: Sequence[UUID]) -> set[UUID]:
        """Locks the documents, and returns which versions of the job are not done: some may be deleted by now."""
        await lock_documents(unit.connection, documents)
        return await unit.versions.waiting(self._job_id, documents)

    async def _titled(self, unit: Unit, documents: Sequence[Prepared]) -> list[Prepared]:
        """Returns the documents under the titles they have now: someone may have changed one since they were cut."""
        titles = await given_titles(unit.connection, [one.version.document_id for one in documents])
        now = [(one, titles.get(one.version.document_id)) for one in documents]
        return [one if one.title == title else one.retitled(title) for one, title in now]

    async def _store(self, unit: Unit, documents: Sequence[Prepared], vectors: Vectors) -> None:
        parsed = [(one.version.id, one.parsed, one.language) for one in documents]
        await unit.versions.store_parsed_many(parsed, PARSER_FINGERPRINT)
        await unit.chunks.insert([row for one in documents for row in one.rows])
        texts = {key: text for one in documents for key, text in one.texts.items()}
        await self.keep(unit, texts, vectors)

    async def keep(self, unit: Unit, texts: Mapping[bytes, str], vectors: Vectors) -> None:
        """Stores the embeddings of chunks that this transaction has written before."""
        fingerprint = self._embedder.fingerprint
        await unit.embeddings.save(fingerprint, {key: vectors[key] for key in texts if key in vectors})
        # Now that the chunks are there nobody removes their embeddings. Some that were known when the group was
        # embedded may have gone in between, with the last chunk that had the same text.
        missing = sorted(set(texts) - await unit.embeddings.known(fingerprint, texts))
        if missing:
            found = await self._embedder.embed([texts[key] for key in missing], "document")
            await unit.embeddings.save(fingerprint, dict(zip(missing, found, strict=True)))

    async def _publish(self, unit: Unit, documents: Sequence[Prepared]) -> tuple[int, frozenset[bytes]]:
        pairs = [(one.version.document_id, one.version.id) for one in documents]
        readable = await unit.documents.readable([document for document, _ in pairs])
        published = await unit.documents.publish_many(pairs)
        released = set(await unit.chunks.delete_superseded([document for document, _ in pairs]))
        late = [version for _, version in pairs if version not in published]
        if late:
            # A newer version was quicker; nobody will read these.
            released |= await unit.chunks.delete_of_versions(late)
        await unit.jobs.settle(
            self._job_id,
            [(version, Outcome.UPDATED if document in readable else Outcome.ADDED) for document, version in pairs],
        )
        changes: list[tuple[UUID, Operation]] = [
            (document, "put") for document, version in pairs if version in published
        ]
        revision = await unit.changes.record(documents[0].version.collection_id, changes)
        return revision, frozenset(released)

    async def _give_up(self, unit: Unit, unreadable: Sequence[Unreadable]) -> None:
        for one in unreadable:
            await unit.jobs.give_up(
                self._job_id,
                Outcome.FAILED,
                only=[one.version.id],
                error=one.error,
                error_code=one.error_code,
                hint=one.hint,
            )

    async def collect(self, hashes: frozenset[bytes]) -> None:
        """Removes embeddings that no passage uses any more, after the transaction that let go of them."""
        try:
            async with self._catalog.begin() as unit:
                await unit.embeddings.collect_garbage(hashes)
        except KaynakError as error:  # the next sweep finds them
            _log.info("garbage_left", embeddings=len(hashes), error=error.type)
