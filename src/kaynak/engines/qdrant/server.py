from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from qdrant_client import AsyncQdrantClient, models

from kaynak.domain import Json, KaynakError, Misconfigured
from kaynak.engines.options import QdrantOptions
from kaynak.engines.qdrant import server_shapes as shapes
from kaynak.engines.qdrant.faults import server_translated
from kaynak.engines.qdrant.transport import Look, PayloadIndex, PointId, Row, Scored, Shape, Stored, Where, among

T = TypeVar("T")

_OLDEST = (1, 14)

_AT_ONCE = 16
"""Questions of one search that are asked at the same time."""


class ServerTransport:
    """A Qdrant server or cluster, by its REST interface.

    Every write waits until it can be seen. With several replicas a read asks most of them, so that it sees every write
    that came before it, even where a replica missed it.

    Args:
        options: Where it is.
    """

    shared = True
    unsupported: Mapping[str, str] = {}

    def __init__(self, options: QdrantOptions) -> None:
        self.prefix = options.prefix
        self._options = options
        self._client: AsyncQdrantClient | None = None
        self._checked = False
        self._lock = asyncio.Lock()
        self._consistency = models.ReadConsistencyType.MAJORITY if options.replicas > 1 else None

    async def create(self, name: str, shape: Shape) -> None:
        """See `Transport.create`."""
        client = await self._ready()
        if await self._call(name, client.collection_exists(name)):
            return
        made = client.create_collection(
            name,
            **shapes.collection(shape),
            shard_number=self._options.shards,
            replication_factor=self._options.replicas,
            write_consistency_factor=self._options.write_consistency,
            on_disk_payload=True,
        )
        try:
            await self._call(name, made)
        except KaynakError:
            # Another process may have been first.
            if not await self._call(name, client.collection_exists(name)):
                raise

    async def drop(self, name: str) -> None:
        """See `Transport.drop`."""
        client = await self._ready()
        await self._call(name, client.delete_collection(name))

    async def index(self, name: str, wanted: PayloadIndex) -> None:
        """See `Transport.index`."""
        client = await self._ready()
        await self._call(
            name, client.create_payload_index(name, wanted.key, field_schema=shapes.index_params(wanted), wait=True)
        )

    async def indexed(self, name: str) -> frozenset[str]:
        """See `Transport.indexed`."""
        client = await self._ready()
        return frozenset((await self._call(name, client.get_collection(name))).payload_schema)

    async def write(self, name: str, points: Sequence[Stored]) -> None:
        """See `Transport.write`."""
        client = await self._ready()
        await self._call(name, client.upsert(name, shapes.points(points), wait=True))

    async def delete(self, name: str, where: Where) -> None:
        """See `Transport.delete`."""
        client = await self._ready()
        await self._call(name, client.delete(name, models.FilterSelector(filter=shapes.filter_of(where)), wait=True))

    async def settle(self, name: str) -> None:
        """What the server has confirmed is in its log already."""

    async def tend(self, name: str) -> None:
        """The server builds its graphs itself."""

    async def get(self, name: str, key: PointId) -> Mapping[str, Json] | None:
        """See `Transport.get`."""
        client = await self._ready()
        found = await self._call(
            name,
            client.retrieve(
                name, [shapes.wire_id(key)], with_payload=True, with_vectors=False, consistency=self._consistency
            ),
        )
        return found[0].payload or {} if found else None

    async def count(self, name: str, where: Where, *, exact: bool = True) -> int:
        """See `Transport.count`. The interface has no consistency for it: a replica that is behind counts less."""
        client = await self._ready()
        return (await self._call(name, client.count(name, shapes.filter_of(where), exact=exact))).count

    async def estimates(self, name: str, several: Sequence[Where]) -> list[int]:
        """See `Transport.estimates`."""
        return await self._each(several, lambda one: self.count(name, one, exact=False))

    async def among(self, name: str, ids: Sequence[int], several: Sequence[Where]) -> list[frozenset[int]]:
        """See `Transport.among`."""

        async def look(where: Where) -> frozenset[int]:
            rows, _ = await self.scroll(name, among(ids, where), None, len(ids), ())
            return frozenset(int(row.id) for row in rows)

        return await self._each(several, look)

    async def scroll(
        self, name: str, where: Where, after: PointId | None, limit: int, payload: tuple[str, ...]
    ) -> tuple[list[Row], PointId | None]:
        """See `Transport.scroll`."""
        client = await self._ready()
        found, following = await self._call(
            name,
            client.scroll(
                name,
                shapes.filter_of(where),
                limit=limit,
                offset=None if after is None else shapes.wire_id(after),
                with_payload=list(payload) or False,
                with_vectors=False,
                consistency=self._consistency,
            ),
        )
        return [shapes.row(one) for one in found], shapes.point_id(following)

    async def search(self, name: str, look: Look) -> list[Scored]:
        """See `Transport.search`."""
        client = await self._ready()
        found = await self._call(
            name,
            client.query_points(
                name,
                query=shapes.vector_of(look.vector),
                using=look.using,
                query_filter=shapes.filter_or_none(look.where),
                search_params=shapes.search_params(look),
                limit=look.limit,
                with_payload=list(look.payload) or False,
                with_vectors=False,
                consistency=self._consistency,
            ),
        )
        return shapes.scored(found.points)

    async def facet(self, name: str, key: str, limit: int) -> dict[str, int]:
        """See `Transport.facet`."""
        client = await self._ready()
        found = await self._call(name, client.facet(name, key, limit=limit, exact=True, consistency=self._consistency))
        return {str(hit.value): hit.count for hit in found.hits}

    async def health(self) -> None:
        """Asks for the collections: other than its version, the server tells that only to who has the key."""
        client = await self._ready()
        await self._call("", client.get_collections())

    async def close(self) -> None:
        """Closes all connections."""
        client, self._client, self._checked = self._client, None, False
        if client is not None:
            await client.close()

    async def _ready(self) -> AsyncQdrantClient:
        """Returns the client, of a server that is new enough.

        Raises:
            Misconfigured: The server is too old.
        """
        async with self._lock:
            if self._client is None:
                self._client = AsyncQdrantClient(
                    url=self._options.url,
                    api_key=self._options.api_key,
                    timeout=math.ceil(self._options.seconds),
                    check_compatibility=False,
                )
            if not self._checked:
                version = (await self._call("", self._client.info())).version
                if _numbers(version) < _OLDEST:
                    oldest = ".".join(map(str, _OLDEST))
                    raise Misconfigured(f"The Qdrant server is {version}; {oldest} or newer is needed.")
                self._checked = True
            return self._client

    async def _each(self, several: Sequence[Where], ask: Callable[[Where], Awaitable[T]]) -> list[T]:
        turn = asyncio.Semaphore(_AT_ONCE)

        async def one(where: Where) -> T:
            async with turn:
                return await ask(where)

        return await asyncio.gather(*map(one, several))

    async def _call(self, name: str, work: Awaitable[T]) -> T:
        with server_translated(name):
            return await work


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.split("-")[0].split(".")
    return tuple(int(one) if one.isdigit() else 0 for one in parts[:2])
