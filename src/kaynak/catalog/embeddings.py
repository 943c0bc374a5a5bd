# ruff: noqa: S608 - the pieces put together here are constants of ours; values are parameters
from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.catalog.records import Vector
from kaynak.catalog.sql import EMBEDDINGS_LOCK, driver, lock
from kaynak.domain import Generation

# All in two values: an array of values would be written out as hexadecimal text, each of them quoted.
_SAVE = text(
    """
    INSERT INTO kaynak.embeddings (embedder_fingerprint, text_hash, vector)
    SELECT CAST(:fingerprint AS text),
        substring(CAST(:hashes AS bytea) FROM at * CAST(:key AS int) + 1 FOR CAST(:key AS int)),
        substring(CAST(:vectors AS bytea) FROM at * CAST(:bytes AS int) + 1 FOR CAST(:bytes AS int))
    FROM generate_series(0, CAST(:last AS int)) AS given (at)
    ON CONFLICT DO NOTHING
    """
)

_RELEASE = text(
    """
    DELETE FROM kaynak.embeddings e USING (
        SELECT DISTINCT text_hash FROM kaynak.chunks WHERE collection_id = :id
    ) here
    WHERE e.embedder_fingerprint = :fingerprint AND e.text_hash = here.text_hash AND NOT EXISTS (
        SELECT 1 FROM kaynak.chunks k JOIN kaynak.generations g ON g.collection_id = k.collection_id
            AND g.chunker_fingerprint = k.chunker_fingerprint
            AND (g.embedder_fingerprint = :fingerprint OR g.weights_fingerprint = :fingerprint)
        WHERE k.text_hash = e.text_hash
    )
    """
)


class Embeddings:
    """Vectors by what was embedded: the same text is embedded once, whatever collection it is in.

    They are kept as float16 of unit length; a component is off by less than 0.0005. Weights of tokens lie beside them,
    under a fingerprint of their own, see `TokenWeights`: what is said here of what is known and what is garbage is said
    of both.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def known(self, fingerprint: str, hashes: Iterable[bytes]) -> set[bytes]:
        """Returns the text hashes that have an embedding by this model."""
        found = await self._connection.execute(
            text(
                "SELECT text_hash FROM kaynak.embeddings "
                "WHERE embedder_fingerprint = :fingerprint AND text_hash = ANY(CAST(:hashes AS bytea[]))"
            ),
            {"fingerprint": fingerprint, "hashes": list(hashes)},
        )
        return set(found.scalars())

    async def load(self, fingerprint: str, hashes: Iterable[bytes]) -> dict[bytes, Vector]:
        """Returns the embeddings by this model, float32 of shape ``(dimensions,)``; unknown ones are left out."""
        connection = await driver(self._connection)
        async with connection.cursor(binary=True) as cursor:
            await cursor.execute(
                "SELECT text_hash, vector FROM kaynak.embeddings "
                "WHERE embedder_fingerprint = %s AND text_hash = ANY(%s::bytea[])",
                (fingerprint, list(hashes)),
            )
            rows = await cursor.fetchall()
        return {key: np.frombuffer(vector, "<f2").astype(np.float32) for key, vector in rows}

    async def sample(self, generation: Generation, limit: int) -> list[tuple[Vector, str]]:
        """Returns embedding and beginning of the text of ``limit`` random passages of a generation, always the same.

        The hash of what was embedded is as good as a random number, and there is an index on it.
        """
        connection = await driver(self._connection)
        async with connection.cursor(binary=True) as cursor:
            await cursor.execute(
                "SELECT e.vector, left(k.text, 400) FROM kaynak.chunks k JOIN kaynak.embeddings e "
                "ON e.embedder_fingerprint = %s AND e.text_hash = k.text_hash "
                "WHERE k.collection_id = %s AND k.chunker_fingerprint = %s ORDER BY k.text_hash LIMIT %s",
                (generation.embedder_fingerprint, generation.collection_id, generation.chunker_fingerprint, limit),
            )
            rows = await cursor.fetchall()
        return [(np.frombuffer(vector, "<f2").astype(np.float32), passage) for vector, passage in rows]

    async def page(
        self, generation: Generation, after: int, limit: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Returns ids and embeddings of the generation's passages of current versions, in order, those after an id."""
        connection = await driver(self._connection)
        async with connection.cursor(binary=True) as cursor:
            await cursor.execute(
                "SELECT k.id, e.vector FROM kaynak.chunks k "
                "JOIN kaynak.documents d ON d.current_version_id = k.version_id "
                "JOIN kaynak.embeddings e ON e.embedder_fingerprint = %s AND e.text_hash = k.text_hash "
                "WHERE k.collection_id = %s AND k.chunker_fingerprint = %s AND k.id > %s ORDER BY k.id LIMIT %s",
                (
                    generation.embedder_fingerprint,
                    generation.collection_id,
                    generation.chunker_fingerprint,
                    after,
                    limit,
                ),
            )
            rows = await cursor.fetchall()
        ids = np.array([row[0] for row in rows], dtype=np.int64)
        stored = np.frombuffer(b"".join(row[1] for row in rows), "<f2").astype(np.float32)
        return ids, stored.reshape(len(rows), generation.dimensions)

    async def save(self, fingerprint: str, vectors: Mapping[bytes, Vector]) -> None:
        """Stores embeddings; those that are there stay as they are."""
        if not vectors:
            return
        # In one order for all: two who store the same keys wait for each other and do not deadlock.
        keys = sorted(vectors)
        stored = np.stack([vectors[key] for key in keys]).astype("<f2")
        await self._connection.execute(
            _SAVE,
            {
                "fingerprint": fingerprint,
                "last": len(keys) - 1,
                "hashes": b"".join(keys),
                "key": len(keys[0]),
                "vectors": stored.tobytes(),
                "bytes": stored.shape[1] * stored.itemsize,
            },
        )

    async def release(self, fingerprint: str, collection_id: UUID) -> int:
        """Removes what a model made of passages that no generation searches by it, and returns how much.

        Call it in a transaction of its own, after the one that removed a generation of the collection.
        """
        await lock(self._connection, EMBEDDINGS_LOCK, shared=False)
        gone = await self._connection.execute(_RELEASE, {"fingerprint": fingerprint, "id": collection_id})
        return gone.rowcount

    async def orphans(self, limit: int = 100_000) -> list[bytes]:
        """Returns text hashes that have embeddings but no chunk, for `collect_garbage`."""
        found = await self._connection.execute(
            text(
                "SELECT DISTINCT e.text_hash FROM kaynak.embeddings e WHERE NOT EXISTS "
                "(SELECT 1 FROM kaynak.chunks k WHERE k.text_hash = e.text_hash) LIMIT :limit"
            ),
            {"limit": limit},
        )
        return list(found.scalars())

    async def collect_garbage(self, hashes: Iterable[bytes] | None = None) -> int:
        """Removes embeddings that no chunk uses, and returns how many.

        Call it in a transaction of its own, after the one that removed chunks: it waits for those who are
        storing chunks now, and they for it.

        Args:
            hashes: Where to look; None looks everywhere (after a crash between the two transactions).
        """
        where = "" if hashes is None else "AND text_hash = ANY(CAST(:hashes AS bytea[]))"
        values = {} if hashes is None else {"hashes": list(hashes)}
        await lock(self._connection, EMBEDDINGS_LOCK, shared=False)
        gone = await self._connection.execute(
            text(
                "DELETE FROM kaynak.embeddings e WHERE NOT EXISTS "
                f"(SELECT 1 FROM kaynak.chunks k WHERE k.text_hash = e.text_hash) {where}"
            ),
            values,
        )
        return gone.rowcount
