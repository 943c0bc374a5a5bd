"""What an index would find if it compared a query with everything: from the catalog, not from the index."""

from __future__ import annotations

import asyncio

import numpy as np
from numpy.typing import NDArray

from kaynak.catalog import Catalog
from kaynak.domain import Generation
from kaynak.engines import DenseEngine

_PAGE = 10_000
_TIE = 2e-3
"""What halves of floats may be off by: whoever is so near to the last of the nearest is as good."""


async def recall(
    catalog: Catalog, generation: Generation, engine: DenseEngine, queries: NDArray[np.float32], depth: int
) -> float:
    """Returns the share of the nearest ``depth`` passages of each query that an index finds.

    The memory it takes does not grow with the collection.

    Args:
        catalog: Has the embeddings of all passages.
        generation: Whose index it is.
        engine: Holds the index.
        queries: float32 of shape ``(n, dimensions)``, unit length.
        depth: How many are looked for.
    """
    found = [await engine.search(generation.key, query, depth) for query in queries]
    best = np.full((len(queries), depth), -np.inf, dtype=np.float32)
    scores: list[dict[int, float]] = [dict.fromkeys(one.ids, -np.inf) for one in found]
    rows: dict[int, list[int]] = {}
    for row, one in enumerate(found):
        for key in one.ids:
            rows.setdefault(key, []).append(row)
    after, total = 0, 0
    while True:
        async with catalog.read() as unit:
            ids, vectors = await unit.embeddings.page(generation, after, _PAGE)
        if not len(ids):
            break
        total += len(ids)
        after = int(ids[-1])
        products = await asyncio.to_thread(_compare, queries, vectors, best)
        for at, key in enumerate(ids.tolist()):
            for row in rows.get(key, ()):
                scores[row][key] = float(products[row, at])
    least = min(depth, total)
    if not least:
        return 1.0
    bars: list[float] = (np.sort(best, axis=1)[:, -least] - _TIE).tolist()
    hits = sum(min(least, sum(score >= bar for score in own.values())) for own, bar in zip(scores, bars, strict=True))
    return hits / (least * len(queries))


def _compare(
    queries: NDArray[np.float32], vectors: NDArray[np.float32], best: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Returns the products of queries and vectors, and puts the highest ones of each query into ``best``."""
    products: NDArray[np.float32] = queries @ vectors.T
    depth = best.shape[1]
    best[:] = np.partition(np.concatenate([best, products], axis=1), -depth, axis=1)[:, -depth:]
    return products
