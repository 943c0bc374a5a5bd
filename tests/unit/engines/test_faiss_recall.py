from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from kaynak.domain import Filter, Json, parse_filter
from kaynak.engines import DenseSpec, Point, Vector, VectorField
from kaynak.engines.faiss import FaissEngine
from kaynak.testing.engines import NAME, document

_COUNT, _DIMENSIONS, _QUERIES = 20_000, 64, 20
_FIELD = VectorField("text", _DIMENSIONS)

# The half is one of groups of neighbours: of the other half, whose queries have to look far, none may be found.
_FILTERS: tuple[tuple[str, dict[str, Json]], ...] = (
    ("all", {}),
    ("half", {"centre": {"$lt": 100}}),
    ("tenth", {"number": {"$lt": _COUNT // 10}}),
    ("hundredth", {"number": {"$gte": 700, "$lt": 700 + _COUNT // 100}}),
    ("thousandth", {"number": {"$in": [*range(5, _COUNT, 1000)]}}),
)


def around(centres: Vector, count: int, seed: int) -> tuple[Vector, list[int]]:
    rng = np.random.default_rng(seed)
    which = rng.integers(0, len(centres), count)
    return centres[which] + 0.7 * rng.standard_normal((count, _DIMENSIONS)).astype(np.float32), which.tolist()


@pytest.mark.untraced
@pytest.mark.parametrize(
    "params",
    [
        {"type": "flat"},
        {"type": "hnsw"},
        {"type": "hnsw", "bits": 8},
        {"type": "ivf"},
        {"type": "sq"},
        {"type": "sq", "bits": 4},
        {"type": "pq"},
        {"type": "ivfpq"},
    ],
    ids=lambda params: "-".join(map(str, params.values())),
)
def test_filters_of_any_share_keep_the_recall(tmp_path: Path, params: dict[str, Json]) -> None:
    centres = np.random.default_rng(1).standard_normal((200, _DIMENSIONS)).astype(np.float32)
    (vectors, which), (queries, _) = around(centres, _COUNT, 2), around(centres, _QUERIES, 3)

    async def recall(engine: FaissEngine, condition: Filter | None) -> float:
        right = wanted = 0
        for query in queries:
            exact = await engine.search(NAME, query, 10, condition=condition, exact=True)
            quick = await engine.search(NAME, query, 10, condition=condition)
            assert exact.mode == "exact"
            assert len(quick.ids) == len(exact.ids) == 10
            right += len(set(quick.ids) & set(exact.ids))
            wanted += 10
        return right / wanted

    async def main() -> None:
        engine = FaissEngine(tmp_path)
        await engine.create(DenseSpec(NAME, (_FIELD,), params))
        for start in range(0, _COUNT, 5000):
            points = [
                Point(key, document(key), {"text": vectors[key]}, {"number": key, "centre": which[key]})
                for key in range(start, start + 5000)
            ]
            await engine.apply(NAME, points, [], start)
        await engine.settle()
        await engine.apply(NAME, [], [], _COUNT)
        await engine.settle()
        found = {name: await recall(engine, parse_filter(one)) for name, one in _FILTERS}
        mode = (await engine.search(NAME, queries[0], 10)).mode
        await engine.close()
        assert mode == ("exact" if params["type"] == "flat" else "ann")
        assert min(found.values()) >= 0.95, found

    asyncio.run(main())
