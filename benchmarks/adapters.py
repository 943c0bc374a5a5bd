"""What an adapter adds to the client it is made of: the same searches of the same index, through it and by hand.

    python benchmarks/adapters.py [--engine pgvector …] [--vectors 100000] [--milvus-server] [--json]

An index is filled by the adapter. Then each query is asked of the adapter (`DenseEngine.search`) and of the raw client
(`raw_clients`, which says what is written there by hand), in turns, the other one first each time, in one process and
one event loop, so that what else the machine does falls on both. Asked are all vectors, those with one of ten values
(equal), and those below one of ten (below). Where the adapter compared with all that match (exact) the raw client does
so too, and otherwise walks through the graph as far as the adapter does (ann). milvus-lite, which is made for some
ten thousand vectors, gets 20,000 of them at most.

The columns are p50 in ms, how much longer the adapter takes, the share of ids that are the same in both, and the number
of searches of each.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from ann import INDEX, clustered, load
from common import machine
from kaynak.catalog import EmbeddedPostgres
from kaynak.domain import Filter, parse_filter
from kaynak.engines import DenseEngine, EngineOptions, MilvusOptions, dense_engine
from kaynak.engines.faiss.places import find
from kaynak.engines.milvus import embedded
from kaynak.engines.milvus.form import main_collection
from kaynak.engines.milvus.spec import SIDE
from kaynak.engines.options import PREFIX
from kaynak.engines.qdrant.edge_shards import Shard, shard_at
from kaynak.engines.qdrant.edge_tuning import tuning_of, worth
from kaynak.testing.milvus_server import milvus_server
from raw_clients import BUCKET, Case, Raw, raw_edge, raw_faiss, raw_milvus, raw_pgvector

ENGINES = ("pgvector", "faiss", "qdrant", "milvus")
FILTERS: dict[Case, Filter | None] = {
    "all": None,
    "equal": parse_filter({"bucket": BUCKET}),
    "below": parse_filter({"bucket": {"$lt": 1}}),
}
LITE_MOST = 20_000
WARM_UP = 10


@dataclass(frozen=True)
class Line:
    """What was measured of one engine in one case. Times in ms."""

    engine: str
    vectors: int
    case: Case
    mode: str
    adapter_ms: float
    raw_ms: float
    added_percent: float
    same: float
    searches: int


@dataclass(frozen=True)
class Place:
    """Where an engine is: ``server`` of Milvus, or None for milvus-lite."""

    url: str
    folder: Path
    server: str | None

    @property
    def shard(self) -> Shard:
        """Where embedded Qdrant has the index."""
        return shard_at(self.folder / "indexes" / "qdrant" / f"{PREFIX}_{INDEX}_vectors")

    @asynccontextmanager
    async def raw(self, engine: str, buckets: NDArray[np.int64]) -> AsyncIterator[Raw]:
        """Gives the raw client of an engine whose index has been filled."""
        indexes = self.folder / "indexes"
        async with AsyncExitStack() as stack:
            if engine == "pgvector":
                yield await stack.enter_async_context(raw_pgvector(self.url, INDEX))
            elif engine == "faiss":
                yield await stack.enter_async_context(raw_faiss(find(indexes / "faiss", INDEX), buckets))
            elif engine == "qdrant":
                yield await stack.enter_async_context(raw_edge(self.shard))
            else:
                uri = self.server
                if uri is None:
                    uri = embedded.acquire(indexes / "milvus")
                    stack.callback(embedded.release, indexes / "milvus")
                lite = self.server is None
                yield await stack.enter_async_context(raw_milvus(uri, main_collection(PREFIX, INDEX, SIDE), lite=lite))


async def compare(
    engine: DenseEngine, raw: Raw, queries: NDArray[np.float32], case: Case, limit: int, seconds: float
) -> tuple[str, list[float], list[float], float]:
    """Returns how the adapter searched, the times of both, and the share of ids that both found."""
    condition = FILTERS[case]
    kind = (await engine.search(INDEX, queries[0], limit, condition=condition)).mode
    times: tuple[list[float], list[float]] = ([], [])
    shares = []
    until = time.perf_counter() + seconds
    for number, query in enumerate(np.concatenate([queries[:WARM_UP], queries])):
        ids: list[tuple[int, ...]] = [(), ()]
        for side in (0, 1) if number % 2 else (1, 0):
            began = time.perf_counter()
            if side == 0:
                found = await engine.search(INDEX, query, limit, condition=condition)
                spent = time.perf_counter() - began
                ids[0] = found.ids
            else:
                rows = await raw.search(query, limit, case, kind)
                spent = time.perf_counter() - began
                ids[1] = tuple(key for key, _ in rows)
            if number >= WARM_UP:
                times[side].append(spent * 1000)
        shares.append(len({*ids[0]} & {*ids[1]}) / limit)
        if time.perf_counter() > until and number > 2 * WARM_UP:
            break
    return kind, *times, float(np.mean(shares))


async def built(engine: str, adapter: DenseEngine, place: Place, query: NDArray[np.float32]) -> None:
    """Returns when nothing is being built of what was written."""
    for _ in range(2):  # what was written while files were being built is built when somebody searches
        await adapter.search(INDEX, query, 1)
        if (settle := getattr(adapter, "settle", None)) is not None:
            await settle()
    if engine == "qdrant":
        for _ in range(300):
            with place.shard.use(None) as edge:
                if not worth(edge):
                    return
            tuning_of(place.shard).begin()
            await asyncio.sleep(1)


async def measure(name: str, engine: str, place: Place, args: argparse.Namespace) -> list[Line]:
    """Fills an index and returns a line for each case."""
    count = min(args.vectors, LITE_MOST) if name == "milvus-lite" else args.vectors
    rng = np.random.default_rng(7)
    everything = clustered(count + args.queries, args.dimensions, rng, min(48, args.dimensions))
    vectors, queries = everything[:count], everything[count:]
    buckets = rng.integers(0, 10, size=count)
    options = EngineOptions(place.url, place.folder, milvus=MilvusOptions(uri=place.server))
    adapter = dense_engine(engine, options)
    lines = []
    try:
        await load(adapter, vectors, buckets.tolist(), {}, milvus=place.server, grown=False)
        await built(engine, adapter, place, queries[0])
        async with place.raw(engine, buckets) as raw:
            for case in FILTERS:
                mode, ours, theirs, same = await compare(adapter, raw, queries, case, args.limit, args.seconds)
                added = (median(ours) / median(theirs) - 1) * 100
                times = round(median(ours), 3), round(median(theirs), 3), round(added, 1)
                lines.append(Line(name, count, case, mode, *times, round(same, 3), len(ours)))
        await adapter.drop(INDEX)
    finally:
        await adapter.close()
    return lines


def run(args: argparse.Namespace) -> list[Line]:
    """Returns the lines of all engines, one engine after the other, each with a scratch directory of its own."""
    lines: list[Line] = []
    for engine in args.engine or ENGINES:
        served = engine == "milvus" and args.milvus_server
        name = {"qdrant": "qdrant-edge", "milvus": "milvus server" if served else "milvus-lite"}.get(engine, engine)
        folder = Path(tempfile.mkdtemp(prefix="kaynak-bench-"))
        folder.chmod(0o755)  # PostgreSQL runs as another account
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            url, uri = "", None
            if engine == "pgvector":
                server = EmbeddedPostgres.start(folder)
                stack.callback(server.stop)
                url = server.url
            if served:
                uri = stack.enter_context(milvus_server()).uri
            lines += asyncio.run(measure(name, engine, Place(url, folder, uri), args))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", action="append", choices=ENGINES, help="may be given several times; all of them")
    parser.add_argument("--vectors", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--limit", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=10, help="most for each case")
    parser.add_argument("--milvus-server", action="store_true", help="in the server that the tests start")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    lines = run(args)
    if args.json:
        print(json.dumps([asdict(one) for one in lines], indent=2))
        return
    print(f"{machine()}; {args.dimensions} dimensions, the {args.limit} nearest")
    print(f"{'engine':14}{'vectors':>8}  {'case':6}{'mode':6}{'adapter':>9}{'raw':>9}{'added':>8}{'same':>7}{'n':>6}")
    for one in lines:
        print(
            f"{one.engine:14}{one.vectors:8}  {one.case:6}{one.mode:6}{one.adapter_ms:9.3f}{one.raw_ms:9.3f}"
            f"{one.added_percent:7.1f}%{one.same:7.3f}{one.searches:6}"
        )


if __name__ == "__main__":
    main()
