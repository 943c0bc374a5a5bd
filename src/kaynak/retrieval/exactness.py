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
    scores: list[dict[int, float]] = [{} for _ in queries]
    wanted = np.unique(np.array([key for one in found for key in one.ids], dtype=np.int64))
    after, total = 0, 0
    while True:
        async with catalog.read() as unit:
            ids, vectors = await unit.embeddings.page(generation, after, _PAGE)
        if not len(ids):
            break
        total += len(ids)
        after = int(ids[-1])
        products = await asyncio.to_thread(np.matmul, queries, vectors.T)
        best = np.sort(np.concatenate([best, products], axis=1), axis=1)[:, -depth:]
        for at in np.flatnonzero(np.isin(ids, wanted)):
            for row, one in enumerate(found):
                if int(ids[at]) in one.ids:
                    scores[row][int(ids[at])] = float(products[row, at])
    least = min(depth, total)
    if not least:
        return 1.0
    hits = 0
    for row, one in enumerate(found):
        bar = best[row, -least] - _TIE
        hits += min(least, sum(1 for key in one.ids if scores[row].get(key, -np.inf) >= bar))
    return hits / (least * len(queries))
