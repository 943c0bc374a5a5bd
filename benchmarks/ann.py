"""Recall and latency of the vector engine: ANN against exact search, unfiltered and under selective filters.

    python benchmarks/ann.py [--vectors 100000] [--dimensions 384] [--queries 200] [--limit 10]

Starts a PostgreSQL of its own unless ``--database-url`` is given. Vectors are made to look like embeddings:
clusters in a space of 48 dimensions, turned into the full one, with some noise. ``--noisy`` spreads them over
all dimensions, which no embedding model does, and which is the worst case for any graph.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import tempfile
import time
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
from numpy.typing import NDArray

from kaynak.catalog import EmbeddedPostgres
from kaynak.domain import Filter, parse_filter
from kaynak.engines import Candidates, DenseEngine, DenseSpec, EngineOptions, Point, VectorField, dense_engine

INDEX = "bench_ann"
BATCH = 2000
FILTERS: dict[str, dict[str, object] | None] = {
    "unfiltered": None,
    "10 %": {"bucket": {"$lt": 100}},
    "1 %": {"bucket": {"$lt": 10}},
    "0.1 %": {"bucket": 0},
}


def clustered(count: int, dimensions: int, rng: np.random.Generator, intrinsic: int | None) -> NDArray[np.float32]:
    """Returns unit vectors of shape ``(count, dimensions)`` around 200 centres of very different sizes."""
    inner = intrinsic or dimensions
    centres = rng.standard_normal((200, inner), dtype=np.float32)
    member = rng.choice(len(centres), size=count, p=rng.dirichlet(np.full(len(centres), 0.5)))
    points = centres[member] + rng.standard_normal((count, inner), dtype=np.float32) * np.float32(0.9)
    if intrinsic:
        turn = rng.standard_normal((inner, dimensions), dtype=np.float32)
        points = points @ turn + rng.standard_normal((count, dimensions), dtype=np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return points.astype(np.float32)


async def load(engine: DenseEngine, vectors: NDArray[np.float32], rng: np.random.Generator) -> float:
    await engine.create(DenseSpec(INDEX, (VectorField("text", vectors.shape[1]),)))
    buckets = rng.integers(0, 1000, size=len(vectors)).tolist()
    started = time.perf_counter()
    for first in range(0, len(vectors), BATCH):
        rows = range(first, min(first + BATCH, len(vectors)))
        points = [
            Point(i, UUID(int=i // 20 + 1), {"text": vectors[i]}, {"bucket": buckets[i], "_id": f"doc-{i // 20}"})
            for i in rows
        ]
        await engine.apply(INDEX, points, [], first + BATCH)
    return time.perf_counter() - started


def recall(found: Candidates, wanted: Candidates, slack: float = 1e-4) -> float:
    """Returns the share of the wanted that was found; as near as the last wanted one counts as found."""
    if not wanted.ids:
        return 1.0
    last = wanted.scores[-1] - slack
    return min(1.0, sum(score >= last for score in found.scores) / len(wanted.ids))


async def measure(
    engine: DenseEngine, queries: NDArray[np.float32], condition: Filter | None, limit: int
) -> dict[str, float | str]:
    for query in queries[:5]:
        await engine.search(INDEX, query, limit, condition=condition)
    recalls, times, modes = [], [], []
    for query in queries:
        started = time.perf_counter()
        found = await engine.search(INDEX, query, limit, condition=condition)
        times.append((time.perf_counter() - started) * 1000)
        modes.append(found.mode)
        recalls.append(recall(found, await engine.search(INDEX, query, limit, condition=condition, exact=True)))
    return {
        "recall": round(float(np.mean(recalls)), 4),
        "p50_ms": round(float(np.percentile(times, 50)), 2),
        "p99_ms": round(float(np.percentile(times, 99)), 2),
        "mode": "/".join(sorted(set(modes))),
    }


async def run(args: argparse.Namespace, url: str) -> dict[str, object]:
    rng = np.random.default_rng(7)
    intrinsic = None if args.noisy else min(48, args.dimensions)
    everything = clustered(args.vectors + args.queries, args.dimensions, rng, intrinsic)
    vectors, queries = everything[: args.vectors], everything[args.vectors :]
    engine = dense_engine("pgvector", EngineOptions(url, Path()))
    try:
        await engine.drop(INDEX)
        seconds = await load(engine, vectors, rng)
        result: dict[str, object] = {
            "vectors": args.vectors,
            "dimensions": args.dimensions,
            "limit": args.limit,
            "noisy": args.noisy,
            "load_s": round(seconds, 1),
            "load_per_s": round(args.vectors / seconds),
        }
        for name, condition in FILTERS.items():
            result[name] = await measure(engine, queries, parse_filter(condition), args.limit)
        await engine.drop(INDEX)
    finally:
        await engine.close()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--limit", type=int, default=10)
    parser.add_argument("--noisy", action="store_true", help="the worst case")
    parser.add_argument("--database-url")
    args = parser.parse_args()
    if args.database_url:
        print(json.dumps(asyncio.run(run(args, args.database_url)), indent=2))
        return
    folder = Path(tempfile.mkdtemp(prefix=f"kaynak-bench-{uuid4().hex[:6]}-"))
    folder.chmod(0o755)
    server = EmbeddedPostgres.start(folder)
    try:
        print(json.dumps(asyncio.run(run(args, server.url)), indent=2))
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
