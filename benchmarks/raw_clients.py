"""Searches of stored indexes by hand: what a program would write with each engine's client if there were no adapter.

Each asks the very index that the adapter has filled, for ids and scores of the nearest, in the way the adapter was seen
to go (`Kind`): through the graph with the same breadth, or exactly. Nothing beyond that is done: no check of arguments,
no ties put in order, no errors translated, no count of what matches, no look whether the index has changed.

* pgvector: one statement on a connection of psycopg's own pool, in autocommit, with the vector and the rows in binary,
  prepared by psycopg as it sees fit; the settings of the search are made once for each connection.
* FAISS: the same file read with ``faiss.read_index``, asked in a thread of a pool; ids from an array; the selector of
  a filter is made once.
* Qdrant embedded: ``EdgeShard.query`` in the thread of the loop, without a hop to another one.
* Milvus: ``AsyncMilvusClient.search``.

Filters are written for what is stored, as its own engine reads it best.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import faiss
import numpy as np
import qdrant_edge as edge
from numpy.typing import NDArray
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from pymilvus import AsyncMilvusClient

from kaynak.engines.milvus.filters import token
from kaynak.engines.payload_terms import path_key, value_key
from kaynak.engines.pgvector.vectors import register, wire_vector
from kaynak.engines.qdrant.edge_shards import Shard
from kaynak.engines.qdrant.payloads import TERMS, ordered_field, term_id

Query = NDArray[np.float32]
Found = list[tuple[int, float]]
Kind = Literal["exact", "ann"]
Case = Literal["all", "equal", "below"]

BUCKET = 3
"""What ``equal`` asks for; ``below`` asks for less than 1. Each is one of ten."""


class Raw(ABC):
    """One client by hand."""

    @abstractmethod
    async def search(self, query: Query, limit: int, case: Case, kind: Kind) -> Found:
        """Returns ids and scores of the nearest, best first."""


class RawPgVector(Raw):
    """psycopg: the index of payloads answers what is equal; what is below is taken for an integer."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]], name: str) -> None:
        self._pool = pool
        self._table = f'kaynak_index."{name}"'
        self._where: dict[Case, str] = {
            "all": "TRUE",
            "equal": f"payload @> '{{\"bucket\": {BUCKET}}}'",
            "below": "(payload->'bucket')::int < 1",
        }

    async def search(self, query: Query, limit: int, case: Case, kind: Kind) -> Found:
        """See `Raw.search`."""
        ranked = f"SELECT chunk_id, v_text <=> %(q)s::halfvec({len(query)}) AS d FROM {self._table}"
        where = self._where[case]
        if kind == "ann":
            statement = f"{ranked} WHERE {where} ORDER BY d LIMIT {limit}"
        else:  # all that match: the planner is kept from the graph
            statement = f"WITH found AS MATERIALIZED ({ranked} WHERE {where}) TABLE found ORDER BY d LIMIT {limit}"
        async with self._pool.connection() as connection:
            cursor = await connection.execute(statement, {"q": wire_vector(query, full=False)}, binary=True)
            return [(key, 1.0 - distance) for key, distance in await cursor.fetchall()]


@asynccontextmanager
async def raw_pgvector(url: str, name: str) -> AsyncIterator[RawPgVector]:
    """Gives the client, connected."""

    async def configure(connection: AsyncConnection[Any]) -> None:
        register(connection)
        for setting in ("hnsw.ef_search = 120", "hnsw.iterative_scan = relaxed_order", "jit = off"):
            await connection.execute(f"SET {setting}")

    pool: AsyncConnectionPool[AsyncConnection[Any]] = AsyncConnectionPool(
        url, kwargs={"autocommit": True}, min_size=1, max_size=4, configure=configure, open=False
    )
    async with pool:
        yield RawPgVector(pool, name)


class RawFaiss(Raw):
    """faiss: the index with its graph, or the vectors that it keeps."""

    def __init__(self, folder: Path, buckets: NDArray[np.int64], pool: ThreadPoolExecutor) -> None:
        with sqlite3.connect(folder / "index.db") as database:
            files = json.loads(database.execute("SELECT files FROM state").fetchone()[0])
        database.close()
        self._index: Any = faiss.read_index(str(folder / files["text"][0]))
        self._flat: Any = faiss.downcast_index(self._index.storage)
        self._ids: NDArray[np.int64] = np.load(folder / files["table!"][0])["ids"]
        there = buckets[self._ids]
        self._bits = {
            "equal": np.packbits(there == BUCKET, bitorder="little"),
            "below": np.packbits(there < 1, bitorder="little"),
        }
        self._selectors = {case: faiss.IDSelectorBitmap(bits) for case, bits in self._bits.items()}
        self._pool = pool

    async def search(self, query: Query, limit: int, case: Case, kind: Kind) -> Found:
        """See `Raw.search`."""

        def work() -> Found:
            unit = query / np.linalg.norm(query)
            selector = {} if case == "all" else {"sel": self._selectors[case]}
            if kind == "ann":
                params = faiss.SearchParametersHNSW(efSearch=96 if case == "all" else 960, **selector)
                scores, places = self._index.search(unit[None], limit, params=params)
            else:
                scores, places = self._flat.search(unit[None], limit, params=faiss.SearchParameters(**selector))
            return list(zip(self._ids[places[0]].tolist(), scores[0].tolist(), strict=True))

        return await asyncio.get_running_loop().run_in_executor(self._pool, work)


@asynccontextmanager
async def raw_faiss(folder: Path, buckets: NDArray[np.int64]) -> AsyncIterator[RawFaiss]:
    """Gives the client, with the files read."""
    with ThreadPoolExecutor(4, initializer=faiss.omp_set_num_threads, initargs=(1,)) as pool:
        yield RawFaiss(folder, buckets, pool)


class RawEdge(Raw):
    """qdrant-edge."""

    def __init__(self, shard: edge.EdgeShard) -> None:
        self._shard = shard

    async def search(self, query: Query, limit: int, case: Case, kind: Kind) -> Found:
        """See `Raw.search`."""
        condition: Any = None
        if case == "equal":
            condition = edge.FieldCondition(
                TERMS, match=edge.MatchValue(term_id(path_key("bucket") + value_key(BUCKET)))
            )
        elif case == "below":
            condition = edge.FieldCondition(ordered_field("bucket", 1), range=edge.RangeFloat(lt=1.0))
        request = edge.QueryRequest(
            limit,
            query=edge.Query.Nearest(query.tolist(), "text"),
            filter=edge.Filter(must=[condition]) if condition is not None else None,
            params=edge.SearchParams(exact=True) if kind == "exact" else edge.SearchParams(hnsw_ef=128),
        )
        return [(int(one.id), one.score) for one in self._shard.query(request)]


@asynccontextmanager
async def raw_edge(shard: Shard) -> AsyncIterator[RawEdge]:
    """Gives the client of a shard that the adapter has open."""
    # A shard can be opened once; so this is the object that the adapter has open.
    with shard.use(None) as opened:
        yield RawEdge(opened)


class RawMilvus(Raw):
    """pymilvus."""

    def __init__(self, client: AsyncMilvusClient, collection: str, *, lite: bool) -> None:
        self._client = client
        self._collection = collection
        equal = token(path_key("bucket") + value_key(BUCKET))
        self._where = {
            "all": "",
            "equal": f'words like "%|{equal}|%"' if lite else f'array_contains(terms, "{equal}")',
            "below": f'$meta["{path_key("bucket")}nl"] < "{value_key(1)}"',
        }
        self._lite = lite

    async def search(self, query: Query, limit: int, case: Case, kind: Kind) -> Found:
        """See `Raw.search`."""
        found = await self._client.search(
            self._collection,
            data=[query],
            filter=self._where[case],
            limit=limit,
            search_params={"params": {} if kind == "exact" else {"ef": 120 if case == "all" else 480}},
            anns_field="vector",
            consistency_level="Strong" if self._lite else "Session",
        )
        return [(int(hit["id"]), float(hit["distance"])) for hit in found[0]]


@asynccontextmanager
async def raw_milvus(uri: str, collection: str, *, lite: bool) -> AsyncIterator[RawMilvus]:
    """Gives the client, connected."""
    client = AsyncMilvusClient(uri)
    try:
        yield RawMilvus(client, collection, lite=lite)
    finally:
        await client.close()
