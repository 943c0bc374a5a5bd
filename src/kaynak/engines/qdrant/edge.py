from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import qdrant_edge as edge

from kaynak.domain import EngineUnavailable, Json
from kaynak.engines.options import PREFIX
from kaynak.engines.qdrant import edge_shapes as shapes
from kaynak.engines.qdrant.edge_shards import Shard, shard_at
from kaynak.engines.qdrant.edge_tuning import tuning_of
from kaynak.engines.qdrant.faults import edge_raise, edge_translated
from kaynak.engines.qdrant.transport import Look, PayloadIndex, PointId, Row, Scored, Shape, Stored, Where, among
from kaynak.engines.threads import on_threads

T = TypeVar("T")

_UNFLUSHED = 20_000
"""Points in the log after which it is emptied, so that opening a shard does not do too much of it again."""

_TURN = 0.005
"""Seconds of reads after which others who wait for the loop have theirs."""


class EdgeTransport:
    """Qdrant in this process: a directory for each collection, which one process at a time can have open.

    Args:
        root: Directory of all collections; made when the first one is.
        prefix: Of the names of collections.
    """

    shared = False
    unsupported: Mapping[str, str] = {
        "memmap_threshold": "embedded Qdrant has no such threshold; on_disk maps all vectors from disk"
    }

    def __init__(self, root: Path, prefix: str = PREFIX) -> None:
        self.prefix = prefix
        self._root = root
        self._shards: dict[str, Shard] = {}
        self._others_had = 0.0
        self._reading = ThreadPoolExecutor(2, thread_name_prefix="qdrant-read")
        # Writes are apart, so that waiting for their turn never keeps a search waiting.
        self._writing = ThreadPoolExecutor(2, thread_name_prefix="qdrant-write")

    async def create(self, name: str, shape: Shape) -> None:
        """See `Transport.create`."""
        shard = self._shard(name)
        await self._run(self._writing, shard, lambda: shard.make(self, shapes.config(shape)))

    async def drop(self, name: str) -> None:
        """See `Transport.drop`."""
        shard = self._shard(name)

        def work() -> None:
            tuning_of(shard).stop()
            shard.remove()

        await self._run(self._writing, shard, work)

    async def index(self, name: str, wanted: PayloadIndex) -> None:
        """See `Transport.index`."""
        await self._update(name, edge.UpdateOperation.create_field_index(wanted.key, shapes.index_params(wanted)))

    async def indexed(self, name: str) -> frozenset[str]:
        """See `Transport.indexed`."""
        return await self._read(name, lambda shard: frozenset(shard.info().payload_schema))

    async def write(self, name: str, points: Sequence[Stored]) -> None:
        """See `Transport.write`."""
        await self._update(name, edge.UpdateOperation.upsert_points(shapes.points(points)), len(points))

    async def delete(self, name: str, where: Where) -> None:
        """See `Transport.delete`."""
        await self._update(name, edge.UpdateOperation.delete_points_by_filter(shapes.filter_of(where)))

    async def settle(self, name: str) -> None:
        """See `Transport.settle`."""
        shard = self._shard(name)
        await self._run(self._writing, shard, shard.settle)

    async def tend(self, name: str) -> None:
        """See `Transport.tend`."""
        tuning_of(self._shard(name)).begin()

    async def get(self, name: str, key: PointId) -> Mapping[str, Json] | None:
        """See `Transport.get`."""
        found = await self._read(name, lambda shard: shard.retrieve([key], with_payload=True, with_vector=False))
        return found[0].payload or {} if found else None

    async def count(self, name: str, where: Where, *, exact: bool = True) -> int:
        """See `Transport.count`."""
        request = edge.CountRequest(exact=exact, filter=shapes.filter_of(where))
        return await self._read(name, lambda shard: shard.count(request))

    async def estimates(self, name: str, several: Sequence[Where]) -> list[int]:
        """See `Transport.estimates`."""
        requests = [edge.CountRequest(exact=False, filter=shapes.filter_of(one)) for one in several]
        return await self._read(name, lambda shard: [shard.count(one) for one in requests])

    async def among(self, name: str, ids: Sequence[int], several: Sequence[Where]) -> list[frozenset[int]]:
        """See `Transport.among`."""
        requests = [
            edge.ScrollRequest(
                limit=len(ids), filter=shapes.filter_of(among(ids, one)), with_payload=False, with_vector=False
            )
            for one in several
        ]
        found = await self._read(name, lambda shard: [shard.scroll(one)[0] for one in requests])
        return [frozenset(int(one.id) for one in rows) for rows in found]

    async def scroll(
        self, name: str, where: Where, after: PointId | None, limit: int, payload: tuple[str, ...]
    ) -> tuple[list[Row], PointId | None]:
        """See `Transport.scroll`."""
        request = edge.ScrollRequest(
            offset=after,
            limit=limit,
            filter=shapes.filter_of(where),
            with_payload=list(payload) or False,
            with_vector=False,
        )
        found, following = await self._read(name, lambda shard: shard.scroll(request))
        return [shapes.row(one) for one in found], shapes.point_id(following)

    async def search(self, name: str, look: Look) -> list[Scored]:
        """See `Transport.search`."""
        request = shapes.query(look)
        return shapes.scored(await self._read(name, lambda shard: shard.query(request)))

    async def facet(self, name: str, key: str, limit: int) -> dict[str, int]:
        """See `Transport.facet`."""
        request = edge.FacetRequest(key, limit=limit, exact=True)
        found = await self._read(name, lambda shard: shard.facet(request))
        return {str(hit.value): hit.count for hit in found.hits}

    async def health(self) -> None:
        """Checks that the directory can be used.

        Raises:
            EngineUnavailable: It cannot.
        """
        try:
            await asyncio.to_thread(lambda: self._root.mkdir(parents=True, exist_ok=True))
        except OSError as exc:
            raise EngineUnavailable("The directory of the Qdrant indexes cannot be used.") from exc

    async def close(self) -> None:
        """Waits for what runs, and closes what nobody else has open."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._writing.shutdown()
        self._reading.shutdown()
        while self._shards:
            _, shard = self._shards.popitem()
            if shard.is_last(self):
                tuning_of(shard).stop()
            with edge_translated(shard.path):
                shard.leave(self)

    def _shard(self, name: str) -> Shard:
        shard = self._shards.get(name)
        if shard is None:
            shard = self._shards[name] = shard_at(self._root / name)
        return shard

    async def _update(self, name: str, operation: edge.UpdateOperation, points: int = 0) -> None:
        shard = self._shard(name)

        def work() -> None:
            with shard.writing, shard.use(self) as opened:
                opened.update(operation)
                shard.unflushed += points
                if shard.unflushed > _UNFLUSHED:
                    opened.flush()
                    shard.unflushed = 0

        await self._run(self._writing, shard, work)

    async def _read(self, name: str, work: Callable[[edge.EdgeShard], T]) -> T:
        """Runs ``work`` at once if the shard is open, in a thread if it has to be waited for or opened.

        The engine holds the interpreter during every call, so that a thread would free nobody; and to go to one and
        back takes half as long as a search.
        """
        if time.monotonic() - self._others_had > _TURN:
            await asyncio.sleep(0)
            self._others_had = time.monotonic()
        shard = self._shard(name)
        opened = shard.glance(self)
        if opened is not None:
            try:
                return work(opened)
            except BaseException as exc:
                edge_raise(exc, shard.path)
            finally:
                shard.done()

        def run() -> T:
            with shard.use(self) as opened:
                return work(opened)

        return await self._run(self._reading, shard, run)

    async def _run(self, pool: ThreadPoolExecutor, shard: Shard, work: Callable[[], T]) -> T:
        def run() -> T:
            with edge_translated(shard.path):
                return work()

        return await on_threads(pool, run, "The Qdrant engine is closed.")
