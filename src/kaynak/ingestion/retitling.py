from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from kaynak.catalog import (
    Catalog,
    TitledPassage,
    Unit,
    lock_documents,
    rehash,
    retitled_of_job,
    retitled_passages,
    titles_now,
)
from kaynak.chunking import embedding_text
from kaynak.domain import Generation, Outcome, text_hash
from kaynak.ingestion.committing import Committing, Vectors
from kaynak.ingestion.progress import Progress
from kaynak.ingestion.stages import Stages

GROUP_CHUNKS = 512
"""Passages that are embedded and committed together, unless a single document has more."""


class Retitling:
    """Embeds passages anew whose documents got another title, which is part of what is embedded.

    A job does this last: it finds the documents by its items, so a job that was cut off goes on with those that
    still wait. Whether anything is to be done is told by the hashes of what was embedded.

    Args:
        catalog: Where the passages are.
        generation: That the collection is searched through.
        stages: Embed, and are told what was committed.
        committing: Writes for this start of the job.
        progress: Is told.
        job_id: The job.
    """

    def __init__(
        self,
        catalog: Catalog,
        generation: Generation,
        stages: Stages,
        committing: Committing,
        progress: Progress,
        job_id: UUID,
    ) -> None:
        self._catalog = catalog
        self._generation = generation
        self._stages = stages
        self._committing = committing
        self._progress = progress
        self._job_id = job_id

    async def run(self) -> None:
        """Embeds what waits.

        Raises:
            JobStopped: This start may not write any more.
        """
        async with self._catalog.read() as unit:
            waiting = await retitled_of_job(unit.connection, self._job_id)
            counts = await unit.chunks.count_of_documents(self._generation, [document for document, _, _ in waiting])
        items = {document: version for document, version, pending in waiting if pending}
        for group in _groups([document for document, _, _ in waiting], counts):
            here = [document for document in group if document in items]
            self._progress.done("parse", len(here))
            revision = await self._renew(group, {document: items[document] for document in here})
            if revision:
                self._stages.committed.append((revision, len(here)))
            self._progress.done("commit", len(here))

    async def _renew(self, documents: Sequence[UUID], items: Mapping[UUID, UUID]) -> int:
        async with self._catalog.read() as unit:
            passages = await retitled_passages(unit.connection, self._generation, documents)
        hashes, texts = await asyncio.to_thread(_changed, passages)
        for stage in ("chunk", "embed"):
            self._progress.expect(stage, len(hashes))
        self._progress.done("chunk", len(hashes))
        vectors = await self._stages.embed(texts, len(hashes))
        titles = {passage.document_id: passage.title for passage in passages}
        old = {passage.text_hash for passage in passages if passage.id in hashes}
        async with self._catalog.begin() as unit:
            await self._committing.advance(unit)
            await lock_documents(unit.connection, documents)
            now = await titles_now(unit.connection, documents)
            # Who has changed a title since then has queued a job for it.
            valid = {document for document in documents if now.get(document) == titles.get(document)}
            kept = {one.id: hashes[one.id] for one in passages if one.id in hashes and one.document_id in valid}
            revision = await self._write(unit, kept, texts, vectors)
            await unit.jobs.settle(self._job_id, [(version, Outcome.UPDATED) for version in items.values()])
        if old:
            await self._committing.collect(frozenset(old))
        return revision

    async def _write(
        self, unit: Unit, hashes: Mapping[int, bytes], texts: Mapping[bytes, str], vectors: Vectors
    ) -> int:
        """Switches passages to what is embedded for them now; those of versions that are gone are left out."""
        changed = await rehash(unit.connection, hashes)
        if not changed:
            return 0
        await self._committing.keep(unit, {key: texts[key] for key in hashes.values()}, vectors)
        return await unit.changes.record(self._generation.collection_id, [(one, "put") for one in sorted(changed)])


def _changed(passages: Sequence[TitledPassage]) -> tuple[dict[int, bytes], dict[bytes, str]]:
    """Returns the hashes of passages that are to be embedded anew, and the texts by hash."""
    hashes, texts = {}, {}
    for passage in passages:
        embedded = embedding_text(passage.title, passage.headings, passage.text)
        key = text_hash(embedded)
        if key != passage.text_hash:
            hashes[passage.id] = key
            texts[key] = embedded
    return hashes, texts


def _groups(documents: Sequence[UUID], counts: Mapping[UUID, int]) -> Iterator[list[UUID]]:
    group: list[UUID] = []
    chunks = 0
    for document in documents:
        if group and chunks + counts.get(document, 0) > GROUP_CHUNKS:
            yield group
            group, chunks = [], 0
        group.append(document)
        chunks += counts.get(document, 0)
    if group:
        yield group
