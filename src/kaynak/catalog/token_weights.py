from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.catalog.sql import EMBEDDINGS_LOCK, driver, lock
from kaynak.domain import Generation

TokenWeightMap = Mapping[int, float]

_TOKEN, _WEIGHT = "<u4", "<f2"
_BYTES = 6
"""Of a token with its weight."""

# A text whose last passage has gone meanwhile is not brought back: nobody would remove it.
_SAVE = """
    INSERT INTO kaynak.embeddings (embedder_fingerprint, text_hash, vector)
    SELECT %(fingerprint)s, given.key, given.value
    FROM unnest(%(keys)b::bytea[], %(values)b::bytea[]) AS given (key, value)
    WHERE EXISTS (SELECT 1 FROM kaynak.chunks k WHERE k.text_hash = given.key)
    ON CONFLICT DO NOTHING
"""
_PAGE = """
    SELECT k.id, e.vector FROM kaynak.chunks k
    JOIN kaynak.documents d ON d.current_version_id = k.version_id
    JOIN kaynak.embeddings e ON e.embedder_fingerprint = %s AND e.text_hash = k.text_hash
    WHERE k.collection_id = %s AND k.chunker_fingerprint = %s AND k.id > %s ORDER BY k.id LIMIT %s
"""


def pack_weights(weights: TokenWeightMap) -> bytes:
    """Returns weights of tokens as they are kept: all ids in order, then all weights as halves of floats.

    A weight that is too small for that is none.
    """
    tokens = np.array(sorted(weights), dtype=_TOKEN)
    values = np.array([weights[token] for token in tokens.tolist()], dtype=_WEIGHT)
    kept = values > 0
    return bytes(tokens[kept].tobytes() + values[kept].tobytes())


def unpack_weights(stored: bytes) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Returns the ids of tokens, rising, and their weights."""
    count = len(stored) // _BYTES
    tokens = np.frombuffer(stored, _TOKEN, count).astype(np.int64)
    return tokens, np.frombuffer(stored, _WEIGHT, count, offset=tokens.size * 4).astype(np.float32)


class TokenWeights:
    """Weights of tokens by what was weighed: kept with the embeddings, under the fingerprint of what weighed them.

    What is there, and what nobody needs any more, is told by `Embeddings`.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def save(self, fingerprint: str, weights: Mapping[bytes, TokenWeightMap]) -> None:
        """Stores weights of texts that some passage has; those that are there stay as they are.

        Holds off `Embeddings.collect_garbage` until the transaction ends.
        """
        await lock(self._connection, EMBEDDINGS_LOCK, shared=True)
        keys = sorted(weights)
        connection = await driver(self._connection)
        values = {"keys": keys, "values": [pack_weights(weights[key]) for key in keys], "fingerprint": fingerprint}
        await connection.execute(_SAVE, values)

    async def page(self, generation: Generation, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Returns ids and weights of the generation's passages of current versions, in order, those after an id."""
        connection = await driver(self._connection)
        async with connection.cursor(binary=True) as cursor:
            await cursor.execute(
                _PAGE,
                (
                    generation.weights_fingerprint,
                    generation.collection_id,
                    generation.chunker_fingerprint,
                    after,
                    limit,
                ),
            )
            return await cursor.fetchall()
