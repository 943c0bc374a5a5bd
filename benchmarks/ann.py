"""Recall, latency and size of a vector engine: against exact search, unfiltered and under selective filters.

    python benchmarks/ann.py [--engine pgvector] [--params '{"m": 32}'] [--vectors 100000] [--queries 200]
        [--breadths 12,24,48,96,192] [--grown] [--keep FOLDER]

Starts a PostgreSQL of its own unless ``--database-url`` is given; others lie in files of a scratch directory, or,
with ``--milvus-server``, in the server that the tests start, where loading ends when all is searched by its graph.
What is truly nearest is computed here, by comparing all vectors; the index is not asked for it. Vectors are made to
look like embeddings: clusters in a space of 48 dimensions, turned into the full one, with some noise. ``--noisy``
spreads them over all dimensions, which no embedding model does, and which is the worst case for any graph. The index
is filled as ``kaynak index build`` does it, which claims nothing before all is there; with ``--grown``, as one that
is searched all the while. How far a search goes is a parameter of an index; ``--breadths`` changes it in place, so
that one index is measured at several.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import numpy as np
import psycopg
from numpy.typing import NDArray
from pymilvus import MilvusClient

from common import postmaster, tree_memory
from kaynak.catalog import EmbeddedPostgres
from kaynak.domain import Filter, Json, parse_filter
from kaynak.engines import (
    Candidates,
    DenseEngine,
    DenseSpec,
    EngineOptions,
    FinishingEngine,
    MilvusOptions,
    Point,
    VectorField,
    dense_engine,
)
from kaynak.engines.milvus.form import main_collection
from kaynak.engines.milvus.spec import SIDE
from kaynak.engines.options import PREFIX
from kaynak.testing.milvus_server import milvus_server

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


async def load(
    engine: DenseEngine,
    vectors: NDArray[np.float32],
    buckets: list[int],
    params: dict[str, Json],
    *,
    milvus: str | None,
    grown: bool,
) -> float:
    """Fills an index; returns the seconds until all that is built of it is there.

    Args:
        engine: To fill.
        vectors: Of shape ``(count, dimensions)``.
        buckets: What the payload of each says.
        params: Of the index.
        milvus: Address of the server, if it is Milvus' own.
        grown: Whether it is filled as an index that is searched meanwhile.
    """
    await engine.create(DenseSpec(INDEX, (VectorField("text", vectors.shape[1]),), params))
    started = time.perf_counter()
    for first in range(0, len(vectors), BATCH):
        rows = range(first, min(first + BATCH, len(vectors)))
        points = [
            Point(i, UUID(int=i // 20 + 1), {"text": vectors[i]}, {"bucket": buckets[i], "_id": f"doc-{i // 20}"})
            for i in rows
        ]
        last = rows.stop == len(vectors)
        await engine.apply(INDEX, points, [], first + BATCH if grown or last else 0)
    # What is built behind the scenes counts, in threads of this process or in children of it; what came while something
    # was built is looked at by the next search.
    for _ in range(2):
        await engine.search(INDEX, vectors[0], 1)
        if (settle := getattr(engine, "settle", None)) is not None:
            await settle()
        if engine.capabilities.finishes:
            await cast("FinishingEngine", engine).finish(INDEX)
    if milvus is not None:
        await asyncio.to_thread(graph_of_milvus, milvus)
        return time.perf_counter() - started
    await asyncio.sleep(1)
    while "python" in " ".join(tree_memory(os.getpid(), own=False)):
        await asyncio.sleep(0.2)
    return time.perf_counter() - started


def graph_of_milvus(uri: str) -> None:
    """Returns when a server of Milvus searches all rows by its graph, which it builds some time after they came."""
    collection = main_collection(PREFIX, INDEX, SIDE)
    with closing(MilvusClient(uri)) as client:
        client.flush(collection)
        rows = client.get_collection_stats(collection)["row_count"]
        while True:
            segments = client._get_connection().get_query_segment_info(collection)
            if sum(one.num_rows for one in segments) >= rows and all(one.indexID for one in segments):
                return
            time.sleep(1)


_BREADTH = {"pgvector": "ef_search", "faiss": "ef_search", "milvus": "ef_search", "qdrant": "hnsw_ef"}


def widen(engine: DenseEngine, name: str, breadth: int) -> None:
    """Sets how many points the graph search of an open index keeps in view."""
    opened: Any = engine
    if name == "faiss":
        known = opened._indexes[INDEX].layout
    else:
        known = (opened._forms if name == "milvus" else opened._layouts)[INDEX]
    known.params[_BREADTH[name]] = breadth


def share_found(found: Candidates, scores: NDArray[np.float32], limit: int, slack: float = 1e-3) -> float:
    """Returns the share of the nearest that was found; as near as the last of them counts as found.

    Args:
        found: By the index.
        scores: Of all vectors that match, by id; what does not match has minus infinity.
        limit: How many were asked for.
        slack: What halves of floats are off by.
    """
    wanted = min(limit, int(np.isfinite(scores).sum()))
    if not wanted:
        return 1.0
    last = np.partition(scores, -wanted)[-wanted] - slack
    return min(1.0, sum(scores[key] >= last for key in found.ids) / wanted)


async def measure(
    engine: DenseEngine,
    queries: NDArray[np.float32],
    vectors: NDArray[np.float32],
    matching: NDArray[np.bool_],
    condition: Filter | None,
    limit: int,
) -> dict[str, float | str]:
    for query in queries[:5]:
        await engine.search(INDEX, query, limit, condition=condition)
    recalls, times, modes = [], [], []
    for query in queries:
        started = time.perf_counter()
        found = await engine.search(INDEX, query, limit, condition=condition)
        times.append((time.perf_counter() - started) * 1000)
        modes.append(found.mode)
        scores = np.where(matching, vectors @ query, -np.inf).astype(np.float32)
        recalls.append(share_found(found, scores, limit))
    return {
        "recall": round(float(np.mean(recalls)), 4),
        "p50_ms": round(float(np.percentile(times, 50)), 2),
        "p99_ms": round(float(np.percentile(times, 99)), 2),
        "per_s": round(await pace(engine, queries, condition, limit)),
        "mode": "/".join(sorted(set(modes))),
    }


async def pace(
    engine: DenseEngine, queries: NDArray[np.float32], condition: Filter | None, limit: int, seconds: float = 3.0
) -> float:
    """Returns how many searches a second eight callers get done."""
    until = time.perf_counter() + seconds
    done = 0

    async def call(first: int) -> None:
        nonlocal done
        while time.perf_counter() < until:
            await engine.search(INDEX, queries[(first + done) % len(queries)], limit, condition=condition)
            done += 1

    await asyncio.gather(*(call(number) for number in range(8)))
    return done / seconds


def resident() -> float:
    """Returns the memory of this process, MB."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


class Peak:
    """The most memory that PostgreSQL had, MB, looked at twice a second; 0 if it is not ours."""

    def __init__(self, folder: Path) -> None:
        self.megabytes = 0.0
        self._pid = postmaster(folder)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def now(self) -> float:
        """Returns what it has now."""
        return sum(tree_memory(self._pid).values()) if self._pid else 0.0

    def _look(self) -> None:
        while not self._stop.wait(0.5):
            self.megabytes = max(self.megabytes, self.now())


async def stored(args: argparse.Namespace, url: str, folder: Path) -> int:
    """Returns the bytes of the index on disk; 0 where that cannot be seen from here."""
    if args.engine == "pgvector":
        async with await psycopg.AsyncConnection.connect(url) as connection:
            cursor = await connection.execute("SELECT pg_total_relation_size(%s)", [f'kaynak_index."{INDEX}"'])
            row = await cursor.fetchone()
        return int(row[0]) if row else 0
    return sum(path.stat().st_size for path in (folder / "indexes").rglob("*") if path.is_file())


async def run(args: argparse.Namespace, url: str, folder: Path) -> dict[str, object]:
    rng = np.random.default_rng(7)
    intrinsic = None if args.noisy else min(48, args.dimensions)
    everything = clustered(args.vectors + args.queries, args.dimensions, rng, intrinsic)
    vectors, queries = everything[: args.vectors], everything[args.vectors :]
    buckets = rng.integers(0, 1000, size=len(vectors))
    within = {"unfiltered": 1000, "10 %": 100, "1 %": 10, "0.1 %": 1}
    options = EngineOptions(url, folder, milvus=MilvusOptions(uri=args.milvus_uri))
    engine = dense_engine(args.engine, options)
    before = resident()
    try:
        result: dict[str, object] = {
            "engine": args.engine,
            "params": args.params,
            "vectors": args.vectors,
            "dimensions": args.dimensions,
            "limit": args.limit,
            "noisy": args.noisy,
        }
        with Peak(folder) as peak:
            if not (args.keep and await engine.exists(INDEX) and await engine.count(INDEX) == args.vectors):
                await engine.drop(INDEX)
                seconds = await load(
                    engine, vectors, buckets.tolist(), args.params, milvus=args.milvus_uri, grown=args.grown
                )
                result |= {"load_s": round(seconds, 1), "load_per_s": round(args.vectors / seconds)}
                result["building_postgres_mb"] = round(peak.megabytes)
        print(result, file=sys.stderr, flush=True)
        result["bytes_per_vector"] = round(await stored(args, url, folder) / args.vectors)
        for name, condition in FILTERS.items():
            matching = buckets < within[name]
            result[name] = await measure(engine, queries, vectors, matching, parse_filter(condition), args.limit)
            print(name, result[name], file=sys.stderr, flush=True)
        result["searching_postgres_mb"] = round(peak.now())
        result["process_mb"] = round(resident() - before)
        everyone = np.ones(len(vectors), dtype=np.bool_)
        for breadth in args.breadths:
            widen(engine, args.engine, breadth)
            result[f"breadth {breadth}"] = await measure(engine, queries, vectors, everyone, None, args.limit)
        if not args.keep:
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
    parser.add_argument("--engine", default="pgvector")
    parser.add_argument("--params", type=json.loads, default={}, help="of the index, as JSON")
    parser.add_argument("--keep", type=Path, help="folder of the index, which is used again if it is there")
    parser.add_argument("--grown", action="store_true", help="filled as an index that is searched meanwhile")
    parser.add_argument("--breadths", type=lambda text: [int(one) for one in text.split(",")], default=[])
    parser.add_argument("--milvus-server", action="store_true", help="in the server that the tests start")
    parser.add_argument("--database-url")
    args = parser.parse_args()
    args.milvus_uri = None
    folder = args.keep or Path(tempfile.mkdtemp(prefix=f"kaynak-bench-{uuid4().hex[:6]}-"))
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    with ExitStack() as stack:
        if not args.keep:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        url = args.database_url
        if url is None and args.engine == "pgvector":
            server = EmbeddedPostgres.start(folder)
            stack.callback(server.stop)
            url = server.url
        if args.milvus_server:
            args.milvus_uri = stack.enter_context(milvus_server()).uri
        print(json.dumps(asyncio.run(run(args, url or "", folder)), indent=2))


if __name__ == "__main__":
    main()
