"""What an index would find if it compared a query with everything: from the catalog, not from the index."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from kaynak.catalog import Catalog, unpack_weights
from kaynak.domain import Generation
from kaynak.engines import Candidates, DenseEngine, WeightedEngine

_PAGE = 10_000
_TIE = 2e-3
"""What halves of floats may be off by: whoever is so near to the last of the nearest is as good."""
_WEIGHTS_TIE = 1e-5
"""What sums of floats may be off by."""


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
    exact = _Exact(found, depth)

    def compare(ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        exact.compare(ids, queries @ vectors.T)

    after = 0
    while True:
        async with catalog.read() as unit:
            ids, vectors = await unit.embeddings.page(generation, after, _PAGE)
        if not len(ids):
            return exact.share(_TIE)
        after = int(ids[-1])
        await asyncio.to_thread(compare, ids, vectors)


async def weights_recall(
    catalog: Catalog,
    generation: Generation,
    engine: WeightedEngine,
    queries: Sequence[Mapping[int, float]],
    depth: int,
) -> float:
    """As `recall`, of a lexical index of learnt weights; a passage that shares no token with a query is not near it."""
    found = [await engine.search_weights(generation.key, query, depth) for query in queries]
    exact = _Exact(found, depth)

    def compare(ids: Sequence[int], stored: Sequence[bytes]) -> None:
        exact.compare(np.array(ids, dtype=np.int64), _products(queries, stored))

    after = 0
    while True:
        async with catalog.read() as unit:
            rows = await unit.token_weights.page(generation, after, _PAGE)
        if not rows:
            return exact.share(_WEIGHTS_TIE)
        after = rows[-1][0]
        await asyncio.to_thread(compare, *zip(*rows, strict=True))


class _Exact:
    """The nearest passages of each query among all that were compared, beside those that an index found."""

    def __init__(self, found: Sequence[Candidates], depth: int) -> None:
        self._found = found
        self._depth = depth
        self._best = np.full((len(found), depth), -np.inf, dtype=np.float32)
        self._scores: list[dict[int, float]] = [{} for _ in found]
        self._rows: dict[int, list[int]] = {}
        for row, one in enumerate(found):
            for key in one.ids:
                self._rows.setdefault(key, []).append(row)

    def compare(self, ids: NDArray[np.int64], products: NDArray[np.float32]) -> None:
        """Takes in passages and how near they are to each query, ``(queries, passages)``; -inf where they are not."""
        everything = np.concatenate([self._best, products], axis=1)
        self._best = np.partition(everything, -self._depth, axis=1)[:, -self._depth :]
        for at, key in enumerate(ids.tolist()):
            for row in self._rows.get(key, ()):
                self._scores[row][key] = float(products[row, at])

    def share(self, tie: float) -> float:
        """Returns the share of the nearest that were found; who is as near as the last of them but for ``tie`` is."""
        wanted = hits = 0
        for row, one in enumerate(self._found):
            near = self._best[row][np.isfinite(self._best[row])]
            wanted += len(near)
            if len(near):
                least = float(near.min())
                bar = least - tie * max(1.0, abs(least))
                hits += min(len(near), sum(1 for key in one.ids if self._scores[row].get(key, -np.inf) >= bar))
        return hits / wanted if wanted else 1.0


def _products(queries: Sequence[Mapping[int, float]], stored: Sequence[bytes]) -> NDArray[np.float32]:
    rows = [unpack_weights(one) for one in stored]
    owners = np.repeat(np.arange(len(rows)), np.array([len(one) for one, _ in rows]))
    tokens = np.concatenate([one for one, _ in rows])
    weights = np.concatenate([one for _, one in rows])
    products = np.full((len(queries), len(rows)), -np.inf, dtype=np.float32)
    for at, query in enumerate(queries):
        known = np.array(sorted(query), dtype=np.int64)
        places = np.flatnonzero(np.isin(tokens, known))
        own = np.array([query[token] for token in known.tolist()])
        shared = weights[places] * own[np.searchsorted(known, tokens[places])]
        summed = np.bincount(owners[places], weights=shared, minlength=len(rows))
        products[at] = np.where(summed > 0, summed, -np.inf)
    return products
