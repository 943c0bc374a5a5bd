# ruff: noqa: S608 - the pieces put together here are constants of ours; values are parameters
from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.catalog.index_states import IndexStates
from kaynak.domain import (
    CollectionNotFound,
    Generation,
    GenerationNotFound,
    GenerationSpec,
    GenerationState,
    IndexGeneration,
    IndexVerdict,
    Json,
    PartSpec,
    verdict_json,
    verdict_of,
)

_COLUMNS = "id, collection_id, spec, chunker_fingerprint, embedder_fingerprint, dimensions, active, weights_fingerprint"
_DESCRIBED = text(
    f"""
    SELECT {", ".join("g." + one for one in _COLUMNS.split(", "))}, g.state, g.verdict, g.created_at,
        g.activated_at, g.chunks, c.revision,
        (SELECT count(*) FROM kaynak.index_faults f WHERE f.generation_id = g.id) AS faults,
        (SELECT count(*) FROM kaynak.documents d
            JOIN kaynak.chunks k ON k.version_id = d.current_version_id
                AND k.chunker_fingerprint = g.chunker_fingerprint
            JOIN kaynak.embeddings e ON e.embedder_fingerprint = g.embedder_fingerprint AND e.text_hash = k.text_hash
            LEFT JOIN kaynak.embeddings w ON w.embedder_fingerprint = g.weights_fingerprint
                AND w.text_hash = k.text_hash
            WHERE d.collection_id = g.collection_id AND g.state = 'building'
                AND (g.weights_fingerprint IS NULL OR w.text_hash IS NOT NULL)) AS embedded
    FROM kaynak.generations g JOIN kaynak.collections c ON c.id = g.collection_id
    WHERE g.collection_id = :id AND (CAST(:number AS numeric) IS NULL OR g.id = CAST(:number AS numeric))
    ORDER BY g.id DESC
    """
)
_DELETE_CHUNKS = text(
    """
    DELETE FROM kaynak.chunks k USING kaynak.generations g
    WHERE g.id = :id AND NOT g.active AND k.collection_id = g.collection_id
        AND k.chunker_fingerprint = g.chunker_fingerprint
        AND NOT EXISTS (SELECT 1 FROM kaynak.generations o WHERE o.collection_id = g.collection_id
            AND o.chunker_fingerprint = g.chunker_fingerprint AND o.id <> g.id)
    RETURNING k.text_hash
    """
)
_PARTS = ("chunker", "embedder", "dense", "lexical")


class Generations:
    """The index generations of collections."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def create(
        self,
        collection_id: UUID,
        spec: GenerationSpec,
        chunker_fingerprint: str,
        embedder_fingerprint: str,
        dimensions: int,
        active: bool = True,
        weights_fingerprint: str | None = None,
    ) -> Generation:
        """Makes a generation: the active one of a new collection, or one that is to be built beside the active one."""
        made = await self._connection.execute(
            text(
                "INSERT INTO kaynak.generations (collection_id, spec, chunker_fingerprint, "
                "embedder_fingerprint, dimensions, active, weights_fingerprint, state, activated_at, chunks) "
                "VALUES (:collection_id, CAST(:spec AS jsonb), :chunker, :embedder, :dimensions, :active, :weights, "
                "CASE WHEN :active THEN 'ready' ELSE 'building' END, CASE WHEN :active THEN now() END, "
                # A generation with a chunker that was used before finds its chunks there.
                "(SELECT count(*) FROM kaynak.chunks k JOIN kaynak.documents d "
                "ON d.current_version_id = k.version_id "
                "WHERE d.collection_id = :collection_id AND k.chunker_fingerprint = :chunker)) RETURNING id"
            ),
            {
                "collection_id": collection_id,
                "spec": json.dumps(_spec_json(spec)),
                "chunker": chunker_fingerprint,
                "embedder": embedder_fingerprint,
                "dimensions": dimensions,
                "active": active,
                "weights": weights_fingerprint,
            },
        )
        return generation_of(
            made.scalar_one(),
            collection_id,
            spec,
            chunker_fingerprint,
            embedder_fingerprint,
            dimensions,
            active=active,
            weights_fingerprint=weights_fingerprint,
        )

    async def active(self, collection_id: UUID) -> Generation:
        """Returns the generation that searches go through.

        Raises:
            CollectionNotFound: There is no such collection.
        """
        found = await self._connection.execute(
            text(f"SELECT {_COLUMNS} FROM kaynak.generations WHERE collection_id = :id AND active"),
            {"id": collection_id},
        )
        row = found.mappings().one_or_none()
        if row is None:
            raise CollectionNotFound("There is no such collection.")
        return _generation(row)

    async def get(self, collection_id: UUID, number: int) -> Generation:
        """Returns the generation of that number.

        Raises:
            GenerationNotFound: The collection has none of that number.
        """
        found = await self._connection.execute(
            text(f"SELECT {_COLUMNS} FROM kaynak.generations WHERE collection_id = :collection AND id = :id"),
            {"collection": collection_id, "id": number},
        )
        row = found.mappings().one_or_none()
        if row is None:
            raise _unknown(number)
        return _generation(row)

    async def hold(self, generation: Generation) -> None:
        """Keeps a generation from being removed until the transaction ends.

        Raises:
            GenerationNotFound: It was.
        """
        found = await self._connection.execute(
            text("SELECT 1 FROM kaynak.generations WHERE id = :id FOR KEY SHARE"), {"id": generation.id}
        )
        if found.one_or_none() is None:
            raise GenerationNotFound(f"Index generation {generation.id} was removed.")

    async def followed(self, collection_id: UUID | None = None) -> list[Generation]:
        """Returns the generations of a collection, or of all, oldest first; each follows its collection."""
        found = await self._connection.execute(
            text(
                f"SELECT {_COLUMNS} FROM kaynak.generations "
                "WHERE CAST(:id AS uuid) IS NULL OR collection_id = :id ORDER BY id"
            ),
            {"id": collection_id},
        )
        return [_generation(row) for row in found.mappings()]

    async def building(self) -> set[int]:
        """Returns the numbers of those that are being built."""
        found = await self._connection.execute(text("SELECT id FROM kaynak.generations WHERE state = 'building'"))
        return set(found.scalars())

    async def describe(self, collection_id: UUID, number: int) -> IndexGeneration:
        """Returns the generation of that number with all that is known of it.

        Raises:
            GenerationNotFound: The collection has none of that number.
        """
        for found in await self.described(collection_id, number):
            return found
        raise _unknown(number)

    async def described(self, collection_id: UUID, number: int | None = None) -> list[IndexGeneration]:
        """Returns the generations of a collection, or the one, with all that is known of them, newest first."""
        found = await self._connection.execute(_DESCRIBED, {"id": collection_id, "number": number})
        rows = list(found.mappings())
        states = await IndexStates(self._connection).of([row["id"] for row in rows])
        return [
            IndexGeneration(
                generation=_generation(row),
                state=GenerationState(row["state"]),
                chunks=row["chunks"],
                embedded=row["embedded"],
                revision=row["revision"],
                sides=tuple(states[row["id"]]),
                faults=row["faults"],
                verdict=verdict_of(row["verdict"]),
                created_at=row["created_at"],
                activated_at=row["activated_at"],
            )
            for row in rows
        ]

    async def built(self, number: int) -> None:
        """Says that a generation has all that its collection had, if it was being built."""
        await self._connection.execute(
            text("UPDATE kaynak.generations SET state = 'ready' WHERE id = :id AND state = 'building'"), {"id": number}
        )

    async def judge(self, number: int, verdict: IndexVerdict) -> None:
        """Keeps what verifying a generation came to."""
        await self._connection.execute(
            text("UPDATE kaynak.generations SET verdict = CAST(:verdict AS jsonb) WHERE id = :id"),
            {"id": number, "verdict": json.dumps(verdict_json(verdict))},
        )

    async def activate(self, collection_id: UUID, number: int) -> int:
        """Lets searches go through a generation, and returns the one that they went through before.

        Lock the collection first: of two who switch, the second then sees what the first did.

        Raises:
            CollectionNotFound: There is no such collection.
        """
        before = await self.active(collection_id)
        await self._connection.execute(
            text("UPDATE kaynak.generations SET active = FALSE WHERE id = :id"), {"id": before.id}
        )
        await self._connection.execute(
            text("UPDATE kaynak.generations SET active = TRUE, activated_at = clock_timestamp() WHERE id = :id"),
            {"id": number},
        )
        return before.id

    async def previous(self, collection_id: UUID) -> Generation | None:
        """Returns the generation that searches went through before the active one; None if there is none any more."""
        found = await self._connection.execute(
            text(
                f"SELECT {_COLUMNS} FROM kaynak.generations WHERE collection_id = :id AND NOT active "
                "AND activated_at IS NOT NULL AND state = 'ready' ORDER BY activated_at DESC LIMIT 1"
            ),
            {"id": collection_id},
        )
        row = found.mappings().one_or_none()
        return None if row is None else _generation(row)

    async def delete(self, number: int) -> frozenset[bytes]:
        """Removes a generation that is not active, and the passages that no other generation has.

        Returns:
            Their text hashes, for `Embeddings.collect_garbage`.
        """
        # Whoever holds it stores passages just now, and they have to be seen.
        await self._connection.execute(
            text("SELECT 1 FROM kaynak.generations WHERE id = :id FOR UPDATE"), {"id": number}
        )
        gone = await self._connection.execute(_DELETE_CHUNKS, {"id": number})
        hashes = frozenset(gone.scalars())
        await self._connection.execute(
            text("DELETE FROM kaynak.generations WHERE id = :id AND NOT active"), {"id": number}
        )
        return hashes


def generation_of(
    identity: int,
    collection_id: UUID,
    spec: GenerationSpec,
    chunker_fingerprint: str,
    embedder_fingerprint: str,
    dimensions: int,
    *,
    active: bool,
    weights_fingerprint: str | None,
) -> Generation:
    """Builds the noun."""
    return Generation(
        id=identity,
        collection_id=collection_id,
        spec=spec,
        chunker_fingerprint=chunker_fingerprint,
        embedder_fingerprint=embedder_fingerprint,
        dimensions=dimensions,
        active=active,
        weights_fingerprint=weights_fingerprint,
    )


def _unknown(number: int) -> GenerationNotFound:
    return GenerationNotFound(
        f"There is no index generation {number} of this collection.", hint="List them: kaynak index list"
    )


def spec_of(stored: Mapping[str, Any]) -> GenerationSpec:
    """Reads a specification from its JSON form."""
    return GenerationSpec(**{part: PartSpec(stored[part]["name"], stored[part]["params"]) for part in _PARTS})


def _spec_json(spec: GenerationSpec) -> dict[str, Json]:
    parts = {part: getattr(spec, part) for part in _PARTS}
    return {name: {"name": part.name, "params": dict(part.params)} for name, part in parts.items()}


def _generation(row: Mapping[Any, Any]) -> Generation:
    return generation_of(
        row["id"],
        row["collection_id"],
        spec_of(row["spec"]),
        row["chunker_fingerprint"],
        row["embedder_fingerprint"],
        row["dimensions"],
        active=row["active"],
        weights_fingerprint=row["weights_fingerprint"],
    )
