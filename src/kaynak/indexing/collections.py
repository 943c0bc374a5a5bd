from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import structlog

from kaynak.catalog import BlobStore, Catalog, Removed
from kaynak.chunking import build_chunker
from kaynak.domain import (
    Action,
    Answering,
    CatalogUnavailable,
    Collection,
    CollectionRole,
    Generation,
    GenerationSpec,
    Permission,
    Scope,
    validate_collection_name,
)
from kaynak.indexing.cleanup import collect_orphans, drop_strangers, release
from kaynak.indexing.followers import Followers
from kaynak.indexing.indexes import Indexes
from kaynak.indexing.parts import Parts

_DELETE_TRIES = 3
_log = structlog.get_logger(__name__)


class Collections:
    """Collections and their life.

    Args:
        catalog: Where they are.
        blobs: Where the originals of their documents are.
        parts: What their generations are made of.
        followers: Keep their indexes up to date.
        default: What new collections are searched through, where nothing else is said.
    """

    def __init__(
        self,
        catalog: Catalog,
        blobs: BlobStore,
        parts: Parts,
        followers: Followers,
        default: GenerationSpec = GenerationSpec(),  # noqa: B008 - it is frozen
    ) -> None:
        self._default = default
        self._catalog = catalog
        self._blobs = blobs
        self._parts = parts
        self._followers = followers
        self._indexes = Indexes(catalog, parts, followers)

    async def create(
        self,
        scope: Scope,
        name: str,
        *,
        description: str = "",
        language: str | None = None,
        spec: GenerationSpec | None = None,
        answering: Answering | None = None,
    ) -> Collection:
        """Makes an empty collection with its first generation: of ``spec``, or of the default.

        Who makes it owns it.

        Raises:
            Forbidden: The caller may not make collections.
            InvalidRequest: The name, or a part of the spec, is not valid.
            CollectionExists: There is one of that name.
            EmbedderUnavailable: The model cannot be loaded.
        """
        scope.require(Permission.CREATE)
        validate_collection_name(name)
        spec = spec or self._default
        self._parts.require(spec)
        embedder = await self._parts.embedders.get(spec.embedder.name)
        weights = await self._parts.weights_fingerprint(spec)
        chunker = build_chunker(spec.chunker, embedder.tokenizer, embedder.max_tokens)
        async with self._catalog.begin() as unit:
            identity = await unit.collections.create(name, description, language)
            generation = await unit.generations.create(
                identity,
                spec,
                chunker.fingerprint,
                embedder.fingerprint,
                embedder.dimensions,
                active=True,
                weights_fingerprint=weights,
            )
            if answering is not None:
                await unit.collections.update(identity, answering=answering)
            unit.audit.record(scope, Action.COLLECTION_CREATED, f"collection:{identity}", name=name)
            # Before the commit: an engine that refuses the spec leaves no collection behind.
            await self._create_indexes(generation)
            if scope.person is not None:
                await unit.grants.put(identity, scope.person, CollectionRole.OWNER)
            return await unit.collections.get_by_id(scope.owning(identity), identity)

    async def get(self, scope: Scope, name: str) -> Collection:
        """Returns the collection.

        Raises:
            CollectionNotFound: There is none of that name, or not for this caller.
        """
        async with self._catalog.read() as unit:
            found = await unit.collections.get(scope, name)
            return (await unit.collections.counted(scope, [found]))[0]

    async def list(self, scope: Scope, *, after: str | None = None, limit: int = 100) -> list[Collection]:
        """Returns at most ``limit`` collections by name, those after ``after``."""
        async with self._catalog.read() as unit:
            found = await unit.collections.list(scope, after=after, limit=limit)
            return await unit.collections.counted(scope, found)

    async def update(
        self,
        scope: Scope,
        name: str,
        *,
        new_name: str | None = None,
        description: str | None = None,
        language: str | None = None,
        clear_language: bool = False,
        answering: Answering | None = None,
    ) -> Collection:
        """Changes what is given, and returns the collection. Another language holds for documents to come.

        Raises:
            CollectionNotFound: There is none of that name, or not for this caller.
            Forbidden: The caller may not manage it.
            CollectionExists: The new name is taken.
        """
        if new_name is not None:
            validate_collection_name(new_name)
        async with self._catalog.begin() as unit:
            found = await unit.collections.get(scope, name)
            scope.require(Permission.MANAGE, found.id)
            await unit.collections.update(
                found.id,
                name=new_name,
                description=description,
                language=language,
                clear_language=clear_language,
                answering=answering,
            )
            unit.audit.record(
                scope,
                Action.COLLECTION_CHANGED,
                f"collection:{found.id}",
                name=new_name,
                description=description,
                language=language or ("" if clear_language else None),
                answering=None if answering is None else asdict(answering),
            )
            changed = await unit.collections.get_by_id(scope, found.id)
            return (await unit.collections.counted(scope, [changed]))[0]

    async def delete(self, scope: Scope, name: str) -> None:
        """Removes the collection, its documents, indexes, embeddings and originals.

        Raises:
            CollectionNotFound: There is none of that name, or not for this caller.
            Forbidden: The caller may not manage it.
        """
        generations, removed = await self._delete(scope, name)
        for generation in generations:
            self._followers.forget(generation)
            await self._indexes.drop(generation)
        await release(self._catalog, self._blobs, removed)

    async def tidy(self) -> None:
        """Removes what crashes left behind: indexes, embeddings, originals and halves of uploads of no owner.

        Raises:
            CatalogUnavailable: The database does not answer.
        """
        async with self._catalog.read() as unit:
            generations = await unit.generations.followed()
        await drop_strangers(generations, self._parts)
        await collect_orphans(self._catalog, self._blobs)
        await self._blobs.clean()

    async def _delete(self, scope: Scope, name: str) -> tuple[Sequence[Generation], Removed]:
        """A job that is writing into the collection can get in the way; it stops when the collection is gone."""
        for left in reversed(range(_DELETE_TRIES)):
            try:
                async with self._catalog.begin() as unit:
                    found = await unit.collections.get(scope, name)
                    scope.require(Permission.MANAGE, found.id)
                    unit.audit.record(scope, Action.COLLECTION_DELETED, f"collection:{found.id}", name=name)
                    generations = await unit.generations.followed(found.id)
                    return generations, await unit.collections.delete(found.id)
            except CatalogUnavailable:
                if not left:
                    raise
        raise AssertionError

    async def _create_indexes(self, generation: Generation) -> None:
        for follower in self._followers.of(generation):
            await follower.target.create()
