from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

import structlog

from kaynak.catalog import Catalog
from kaynak.chunking import build_chunker
from kaynak.domain import (
    Action,
    Collection,
    Conflict,
    EngineUnavailable,
    Generation,
    GenerationSpec,
    GenerationState,
    IndexGeneration,
    IndexVerdict,
    KaynakError,
    PartSpec,
    Permission,
    Scope,
)
from kaynak.indexing.followers import Followers
from kaynak.indexing.making import with_making
from kaynak.indexing.parts import Parts

SWITCH_SECONDS = 30.0
"""How long a switch waits for the new indexes to have the last changes."""
GRACE_SECONDS = 2.0
"""How long an index is kept after searches ceased to go through it: some were on their way."""
_LOOK_SECONDS = 0.5
_STEP_SECONDS = 2.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a new generation is to be made of; what is None is as in the one that is searched.

    Attributes:
        chunker: How text is cut.
        embedder: Model.
        dense: Dense engine.
        lexical: Lexical engine.
    """

    chunker: PartSpec | None = None
    embedder: PartSpec | None = None
    dense: PartSpec | None = None
    lexical: PartSpec | None = None

    def over(self, spec: GenerationSpec) -> GenerationSpec:
        """Returns ``spec`` with what is wanted instead."""
        return GenerationSpec(
            chunker=self.chunker or spec.chunker,
            embedder=self.embedder or spec.embedder,
            dense=self.dense or spec.dense,
            lexical=self.lexical or spec.lexical,
        )


class Indexes:
    """The index generations of collections: built beside the one that is searched, switched to, and removed.

    Args:
        catalog: Where they are.
        parts: What they are made of.
        followers: Fill them.
    """

    def __init__(self, catalog: Catalog, parts: Parts, followers: Followers) -> None:
        self._catalog = catalog
        self._parts = parts
        self._followers = followers

    async def list(self, scope: Scope, collection: str) -> list[IndexGeneration]:
        """Returns the generations of a collection, newest first.

        Raises:
            CollectionNotFound: There is no such collection, or not for this caller.
            Forbidden: The caller may not manage it.
        """
        async with self._catalog.read() as unit:
            found = await unit.collections.get(scope, collection)
            scope.require(Permission.MANAGE, found.id)
            described = await unit.generations.described(found.id)
        return list(await asyncio.gather(*(with_making(self._parts, one) for one in described)))

    async def get(self, scope: Scope, collection: str, number: int) -> IndexGeneration:
        """Returns one generation.

        Raises:
            GenerationNotFound: The collection has none of that number.
            CollectionNotFound: There is no such collection, or not for this caller.
            Forbidden: The caller may not manage it.
        """
        async with self._catalog.read() as unit:
            found = await unit.collections.get(scope, collection)
            scope.require(Permission.MANAGE, found.id)
            described = await unit.generations.describe(found.id, number)
        return await with_making(self._parts, described)

    async def build(self, scope: Scope, collection: str, wanted: Wanted) -> IndexGeneration:
        """Begins a new generation beside the one that is searched; followers fill it, here or in a worker.

        Raises:
            CollectionNotFound: There is no such collection, or not for this caller.
            Forbidden: The caller may not manage it.
            Conflict: One of the same parts is there already.
            InvalidRequest: A part is not valid.
            Unsupported: An engine or the model cannot do it.
            EmbedderUnavailable: The model cannot be loaded.
        """
        async with self._catalog.read() as unit:
            found = await unit.collections.get(scope, collection)
        scope.require(Permission.MANAGE, found.id)
        spec = wanted.over(found.generation.spec)
        self._parts.require(spec)
        embedder = await self._parts.embedders.get(spec.embedder.name)
        weights = await self._parts.weights_fingerprint(spec)
        chunker = build_chunker(spec.chunker, embedder.tokenizer, embedder.max_tokens)
        async with self._catalog.begin() as unit:
            # Of two who begin the same at the same time, the second finds it.
            await unit.collections.lock(found.id)
            for other in await unit.generations.followed(found.id):
                same = (other.chunker_fingerprint, other.embedder_fingerprint, other.weights_fingerprint)
                if other.spec == spec and same == (chunker.fingerprint, embedder.fingerprint, weights):
                    raise Conflict(
                        f"Index generation {other.id} of “{found.name}” is made of the same parts.",
                        hint="Change a part, or use that one: kaynak index switch",
                    )
            made = await unit.generations.create(
                found.id,
                spec,
                chunker.fingerprint,
                embedder.fingerprint,
                embedder.dimensions,
                active=False,
                weights_fingerprint=weights,
            )
            parts = {name: getattr(spec, name).name for name in ("chunker", "embedder", "dense", "lexical")}
            unit.audit.record(scope, Action.INDEX_BEGUN, f"collection:{found.id}", generation=made.id, **parts)
            # Before the commit: an engine that refuses the spec leaves no generation behind. One that does not answer
            # may do so to the process that fills the index: files of an embedded engine belong to one process.
            for follower in self._followers.of(made):
                with suppress(EngineUnavailable):
                    await follower.target.create()
        self._followers.wake(found.id)
        return await self.get(scope, collection, made.id)

    async def watch(self, scope: Scope, collection: str, number: int) -> AsyncIterator[IndexGeneration]:
        """Yields a generation until it is built, and helps to fill it if nobody else does.

        What it waits for meanwhile stands in it.

        Raises:
            GenerationNotFound: It was removed.
        """
        while True:
            now = await self.get(scope, collection, number)
            yield now
            if now.state is not GenerationState.BUILDING:
                return
            begun = time.monotonic()
            await self._followers.fill(now.generation, _STEP_SECONDS)
            await asyncio.sleep(max(0.0, _LOOK_SECONDS - (time.monotonic() - begun)))

    async def judge(self, scope: Scope, collection: str, number: int, verdict: IndexVerdict) -> None:
        """Keeps what verifying a generation came to."""
        async with self._catalog.begin() as unit:
            found = await unit.collections.get(scope, collection)
            scope.require(Permission.MANAGE, found.id)
            await unit.generations.get(found.id, number)
            await unit.generations.judge(number, verdict)
            unit.audit.record(
                scope, Action.INDEX_VERIFIED, f"collection:{found.id}", generation=number, passed=verdict.passed
            )

    async def switch(self, scope: Scope, collection: str, number: int, *, force: bool = False) -> Collection:
        """Lets searches go through a generation, from the next one on.

        Args:
            scope: Who asks.
            collection: Name of the collection.
            number: Of the generation.
            force: Whether to do so though it was not verified, or did not pass.

        Raises:
            GenerationNotFound: The collection has none of that number.
            Forbidden: The caller may not manage it.
            Conflict: It is not built, not verified, or did not pass.
            RevisionTimeout: Its indexes do not get the last changes in time.
            EngineUnavailable: An engine does not answer.
        """
        now = await self.get(scope, collection, number)
        if now.state is not GenerationState.READY:
            raise Conflict(f"Index generation {number} is {now.state}.", hint="Wait until it is ready.")
        if not force:
            _require(now)
        return await self._switch(scope, collection, now.generation)

    async def rollback(self, scope: Scope, collection: str) -> Collection:
        """Lets searches go through the generation again that they went through before.

        Raises:
            CollectionNotFound: There is no such collection, or not for this caller.
            Forbidden: The caller may not manage it.
            Conflict: There is none any more.
            RevisionTimeout: Its indexes do not get the last changes in time.
            EngineUnavailable: An engine does not answer.
        """
        async with self._catalog.read() as unit:
            found = await unit.collections.get(scope, collection)
            scope.require(Permission.MANAGE, found.id)
            before = await unit.generations.previous(found.id)
        if before is None:
            raise Conflict(
                f"“{found.name}” has no index generation to go back to.", hint="See what there is: kaynak index list"
            )
        return await self._switch(scope, collection, before)

    async def _switch(self, scope: Scope, collection: str, generation: Generation) -> Collection:
        async with self._catalog.read() as unit:
            revision = await unit.changes.revision(generation.collection_id)
        await self._followers.catch_up(generation.collection_id, revision, SWITCH_SECONDS, generation=generation)
        async with self._catalog.begin() as unit:
            found = await unit.collections.get(scope, collection)
            scope.require(Permission.MANAGE, found.id)
            await unit.collections.lock(found.id)
            await unit.generations.get(found.id, generation.id)  # it may have been removed while this waited
            before = await unit.generations.activate(found.id, generation.id)
            unit.audit.record(
                scope, Action.INDEX_SWITCHED, f"collection:{found.id}", generation=generation.id, before=before
            )
            switched = await unit.collections.get_by_id(scope, found.id)
        self._followers.wake(found.id)
        return switched

    async def remove(self, scope: Scope, collection: str, number: int) -> None:
        """Removes a generation that is not searched: its indexes, and passages and embeddings that no other has.

        Raises:
            GenerationNotFound: The collection has none of that number.
            Forbidden: The caller may not manage it.
            Conflict: It is searched.
        """
        now = await self.get(scope, collection, number)
        async with self._catalog.begin() as unit:
            found = await unit.collections.get(scope, collection)
            scope.require(Permission.MANAGE, found.id)
            await unit.collections.lock(found.id)
            generation = await unit.generations.get(found.id, number)
            if generation.active:
                raise Conflict(
                    f"Searches of “{found.name}” go through index generation {number}.",
                    hint="Switch to another one first: kaynak index switch",
                )
            hashes = await unit.generations.delete(number)
            unit.audit.record(scope, Action.INDEX_REMOVED, f"collection:{found.id}", generation=number)
        self._followers.forget(generation)
        async with self._catalog.begin() as unit:
            await unit.embeddings.collect_garbage(hashes)
        for fingerprint in (generation.embedder_fingerprint, generation.weights_fingerprint):
            if fingerprint is not None:
                async with self._catalog.begin() as unit:
                    await unit.embeddings.release(fingerprint, generation.collection_id)
        if now.activated_at is not None:
            await asyncio.sleep(GRACE_SECONDS)
        await self.drop(generation)

    async def drop(self, generation: Generation) -> None:
        """Drops the indexes of a generation that is gone; what is away is left to the doctor."""
        for find in (self._parts.dense_of, self._parts.lexical_of):
            try:
                await find(generation).drop(generation.key)
            except KaynakError as error:
                _log.warning("index_left", generation=generation.key, error=error.type)


def _require(now: IndexGeneration) -> None:
    verify = f"Verify it: kaynak index verify COLLECTION {now.id}"
    if now.verdict is None:
        raise Conflict(f"Index generation {now.id} was not verified.", hint=verify)
    if not now.verdict.passed:
        failed = "; ".join(one.detail for one in now.verdict.checks if not one.passed)
        raise Conflict(f"Index generation {now.id} did not pass: {failed}", hint="Mend it and verify it, or use force.")
