from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from kaynak.catalog import (
    BlobStore,
    Catalog,
    contents,
    generations_ever,
    incomplete,
    miscounted,
    recount,
)
from kaynak.domain import (
    Action,
    Ailment,
    CatalogUnavailable,
    CollectionNotFound,
    CorruptIndex,
    Examination,
    Finding,
    Generation,
    GenerationNotFound,
    KaynakError,
    Misconfigured,
    Permission,
    Scope,
    Unavailable,
)
from kaynak.engines import Engine
from kaynak.indexing.cleanup import collect_orphans
from kaynak.indexing.examining import REPAIR, IndexExamination
from kaynak.indexing.followers import Followers
from kaynak.indexing.parts import Parts

_PRIVATE = "memory"
_AGAIN_SECONDS = 1.0


class Doctor:
    """Compares all stores with the catalog, and mends them.

    Args:
        catalog: The truth.
        blobs: Originals.
        parts: Engines and models.
        followers: Write indexes.
    """

    def __init__(self, catalog: Catalog, blobs: BlobStore, parts: Parts, followers: Followers) -> None:
        self._catalog = catalog
        self._blobs = blobs
        self._parts = parts
        self._followers = followers

    async def examine(self, scope: Scope, *, repair: bool = False) -> Examination:
        """Returns what was looked at, and what is wrong.

        Args:
            scope: Who asks.
            repair: Whether to mend what can be mended.

        Raises:
            Forbidden: The caller is no administrator.
            CatalogUnavailable: The database does not answer.
        """
        scope.require(Permission.EVERY)
        checked: list[str] = []
        unchecked: list[str] = []
        findings = [one async for one in self._catalog_findings(repair=repair)]
        checked += ["catalog", "originals"]
        async with self._catalog.read() as unit:
            generations = await unit.generations.followed()
        for generation in generations:
            with suppress(CollectionNotFound, GenerationNotFound):  # removed while this looked
                findings += [one async for one in self._generation(generation, checked, unchecked, repair=repair)]
        findings += [one async for one in self._strangers(checked, unchecked, repair=repair)]
        if repair and findings:
            await self._catalog.audit.record(
                scope, Action.INDEX_REPAIRED, "", findings=len(findings), repaired=sum(one.repaired for one in findings)
            )
        return Examination(tuple(dict.fromkeys(checked)), tuple(dict.fromkeys(unchecked)), tuple(findings))

    async def _catalog_findings(self, *, repair: bool) -> AsyncIterator[Finding]:
        async with self._catalog.read() as unit:
            wrong = await miscounted(unit.connection)
            wanted = await contents(unit.connection)
            # Jobs store embeddings ahead of their passages.
            orphans = 0 if await unit.jobs.unfinished() else len(await unit.embeddings.orphans())
        if wrong:
            if repair:
                async with self._catalog.begin() as unit:
                    await recount(unit.connection)
            said = f"{wrong} numbers of documents or passages were not right."
            yield Finding("catalog", Ailment.MISCOUNTED, wrong, said, repair, None if repair else REPAIR)
        lost = [key for key in wanted if not await self._blobs.exists(key)]
        if lost:
            said = f"{len(lost):,} originals are not there; their text can still be found and read."
            hint = "Restore them from a backup, or add the documents again."
            yield Finding("originals", Ailment.MISSING, len(lost), said, hint=hint)
        strange = [key async for key in self._blobs.scan() if key not in wanted]
        if repair:
            await collect_orphans(self._catalog, self._blobs)
            strange = [key for key in strange if await self._blobs.exists(key)]  # younger than a day: may be on its way
            async with self._catalog.read() as unit:
                left = len(await unit.embeddings.orphans())
        else:
            left = orphans
        if strange:
            said = f"{len(strange):,} originals belong to no document, or are just coming in."
            yield Finding("originals", Ailment.ORPHANED, len(strange), said, hint="Those older than a day are removed.")
        if orphans:
            said = f"{orphans:,} embeddings belong to no passage."
            yield Finding("catalog", Ailment.ORPHANED, orphans, said, not left, None if not left else REPAIR)

    async def _generation(
        self, generation: Generation, checked: list[str], unchecked: list[str], *, repair: bool
    ) -> AsyncIterator[Finding]:
        name = f"generation {generation.key}"
        try:
            followers = self._followers.of(generation)
            embedder = await self._parts.embedders.get(generation.spec.embedder.name)
            weights = await self._parts.weights_fingerprint(generation.spec)
        except KaynakError as error:
            yield Finding(name, Ailment.MISCONFIGURED, 1, error.message, hint=error.hint)
            return
        if (embedder.fingerprint, weights) != (generation.embedder_fingerprint, generation.weights_fingerprint):
            yield Finding(
                name,
                Ailment.MISCONFIGURED,
                1,
                f"The model “{generation.spec.embedder.name}” is not the one it was built with.",
                hint="Put the old model back, or build a new generation: kaynak index build",
            )
            return
        async with self._catalog.read() as unit:
            building = generation.id in await unit.generations.building()
            faults = await unit.index_states.faults(generation.id, limit=100_000)
            lacking = await incomplete(unit.connection, generation)
        if building:
            unchecked.append(f"{name}: It is being built.")
            return
        of_indexes: list[Finding] = []
        for follower in followers:
            examination = IndexExamination(self._catalog, self._followers, generation, follower)
            of_indexes += [one async for one in examination.findings(repair=repair)]
            checked.append(examination.where)
        if repair and (faults or lacking):
            again = sorted({one.document_id for one in faults} | set(lacking))
            for follower in followers:
                with suppress(Unavailable, CorruptIndex, Misconfigured):  # as was found above
                    await follower.renew(again)
            async with self._catalog.read() as unit:
                faults_left = await unit.index_states.faults(generation.id, limit=100_000)
                lacking_left = await incomplete(unit.connection, generation)
        else:
            faults_left, lacking_left = faults, lacking
        if faults:
            said = f"{len(faults):,} times an index could not take a document: {faults[0].error}"
            mended = not faults_left
            yield Finding(name, Ailment.REFUSED, len(faults), said, mended, None if mended else REPAIR)
        if lacking:
            said = f"{len(lacking):,} documents lack passages, embeddings or weights."
            mended = not lacking_left
            yield Finding(name, Ailment.MISSING, len(lacking), said, mended, None if mended else REPAIR)
        for finding in of_indexes:
            yield finding

    async def _strangers(self, checked: list[str], unchecked: list[str], *, repair: bool) -> AsyncIterator[Finding]:
        """Looks in all engines for indexes of generations that are gone."""
        for kind in (self._parts.dense, self._parts.lexical):
            for name in kind:
                if name == _PRIVATE:
                    continue
                try:
                    engine: Engine = kind[name]
                    await engine.health()
                    strange = await self._strange(engine)
                    for key in strange if repair else ():
                        await engine.drop(key)
                except CatalogUnavailable:
                    raise
                except KaynakError as error:
                    unchecked.append(f"{name}: {error.message}")
                    continue
                checked.append(name)
                if not strange:
                    continue
                said = f"Indexes of generations that are gone: {', '.join(strange)}."
                yield Finding(name, Ailment.ORPHANED, len(strange), said, repair, None if repair else REPAIR)

    async def _strange(self, engine: Engine) -> list[str]:
        strange: list[str] = []
        for again in (False, True):
            async with self._catalog.read() as unit:
                known = {one.key for one in await unit.generations.followed()}
                last = await generations_ever(unit.connection)
            candidates = strange if again else [f"g{number}" for number in range(1, last + 1)]
            strange = [key for key in candidates if key not in known and await engine.exists(key)]
            if not strange:
                return []
            # One that is being made at this moment has its index before it is known.
            await asyncio.sleep(0 if again else _AGAIN_SECONDS)
        return strange
