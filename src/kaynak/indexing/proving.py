from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from uuid import UUID

from kaynak.catalog import BlobStore, Catalog, embeddings_left, originals_of, remains, texts_of
from kaynak.domain import Ailment, Condition, Examination, Finding, Generation, KaynakError, Op, Scope
from kaynak.indexing.examining import REPAIR
from kaynak.indexing.follower import Follower
from kaynak.indexing.followers import Followers
from kaynak.indexing.target import Target

PATIENCE_SECONDS = 10.0
"""How long a write is waited for that may know less than the deletion."""

_SCANNED = 10
"""Of so many passages for each document all are looked through: to ask for many names takes some stores longer."""
_ASKED = 200


class Proving:
    """Looks in every store whether anything is left of documents that were deleted.

    Args:
        catalog: The truth.
        blobs: Originals.
        followers: Know the indexes.
        patience: Seconds for which a write is waited for.
    """

    def __init__(
        self, catalog: Catalog, blobs: BlobStore, followers: Followers, *, patience: float = PATIENCE_SECONDS
    ) -> None:
        self._catalog = catalog
        self._blobs = blobs
        self._followers = followers
        self._patience = patience

    async def proof(
        self, scope: Scope, collection: str, documents: Mapping[UUID, str]
    ) -> Callable[[], Awaitable[Examination]]:
        """Notes what there is of documents that are about to be deleted.

        Args:
            scope: Who asks.
            collection: Where they are.
            documents: Their external ids, by id.

        Returns:
            What looks afterwards in every store whether anything is left.

        Raises:
            CollectionNotFound: There is no such collection, or not for this caller.
        """
        async with self._catalog.read() as unit:
            found = await unit.collections.get(scope, collection)
            generations = await unit.generations.followed(found.id)
            own = await originals_of(unit.connection, list(documents))
            texts = await texts_of(unit.connection, list(documents))
        return lambda: self.traces(generations, documents, own, texts)

    async def traces(
        self,
        generations: Sequence[Generation],
        documents: Mapping[UUID, str],
        originals: Sequence[bytes],
        texts: Sequence[bytes] = (),
    ) -> Examination:
        """Looks in every store for documents that were deleted.

        Args:
            generations: Of their collection.
            documents: Their external ids, by id.
            originals: Keys of those of their originals that no other document has.
            texts: Hashes of what was embedded of them.
        """
        findings: list[Finding] = []
        async with self._catalog.read() as unit:
            rows = await remains(unit.connection, list(documents)) + await embeddings_left(unit.connection, texts)
            building = await unit.generations.building()
        files = [key for key in originals if await self._blobs.exists(key)]
        for where, count in (("catalog", rows), ("originals", len(files))):
            if count:
                findings.append(Finding(where, Ailment.ORPHANED, count, f"{count:,} traces are left.", hint=REPAIR))
        checked, unchecked = ["catalog", "originals"], []
        for generation in generations:
            try:
                followers = self._followers.of(generation)
            except KaynakError as error:  # made with an engine that this process does not have
                unchecked.append(f"generation {generation.key}: {error.message}")
                continue
            for follower in followers:
                where = f"{getattr(generation.spec, follower.target.side).name} {generation.key}"
                try:
                    left = await self._left(follower, documents)
                except KaynakError as error:
                    unchecked.append(f"{where}: {error.message}")
                    continue
                if left is None:
                    unchecked.append(f"{where}: A write has been under way in it all the time; it forgets them next.")
                    continue
                checked.append(where)
                if left:
                    findings.append(_finding(where, left, building=generation.id in building))
        return Examination(tuple(checked), tuple(unchecked), tuple(findings))

    async def _left(self, follower: Follower, documents: Mapping[UUID, str]) -> int | None:
        """Returns how many passages an index has; None if a write that began before may yet bring some."""
        async with self._catalog.read() as unit:
            revision = await unit.changes.revision(follower.target.generation.collection_id)
        return await follower.settled(lambda: _count(follower.target, documents), revision, self._patience)


async def _count(target: Target, documents: Mapping[UUID, str]) -> int:
    engine, key = target.engine, target.key
    if await engine.count(key) <= _SCANNED * len(documents):
        return sum([document in documents async for _, document in engine.scan(key)])
    names = list(documents.values())
    portions = [tuple(names[start : start + _ASKED]) for start in range(0, len(names), _ASKED)]
    return sum([await engine.count(key, Condition("_id", Op.IN, portion)) for portion in portions])


def _finding(where: str, count: int, *, building: bool) -> Finding:
    if not building:
        return Finding(where, Ailment.ORPHANED, count, f"{count:,} passages are left.", hint=REPAIR)
    said = f"{count:,} passages are left. It is being built, and forgets them before it can be searched."
    return Finding(where, Ailment.ORPHANED, count, said, hint="See how far it is: kaynak index list")
