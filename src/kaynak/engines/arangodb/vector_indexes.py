"""Vector indexes of one collection: made once there is enough to learn from, and asked for until then."""

from __future__ import annotations

import time
from typing import Any

from kaynak.engines.arangodb.client import PREFILTERS, REMOVES_WITHOUT, STORED_VALUES, Client
from kaynak.engines.arangodb.faults import existing, translated, unprepared
from kaynak.engines.arangodb.spec import Layout, attribute
from kaynak.engines.protocol import VectorField

_LOOK_AGAIN = 30.0
"""Seconds until it is looked again whether another process has made an index meanwhile."""

_PROBE = "v_probe"


class VectorIndexes:
    """What is known of the vector indexes of a collection.

    Args:
        client: The server.
        name: Of the index, for messages.
        collection: Where it is kept.
    """

    def __init__(self, client: Client, name: str, collection: str) -> None:
        self._client = client
        self._name = name
        self._collection = collection
        self._lists: dict[str, int] = {}
        self._looked = -_LOOK_AGAIN

    async def lists(self, field: VectorField) -> int:
        """Returns how many lists the index of a field has; 0 if there is none that can be used."""
        if attribute(field) not in self._lists and time.monotonic() - self._looked > _LOOK_AGAIN:
            await self._look()
        return self._lists.get(attribute(field), 0)

    async def possible(self, layout: Layout, field: VectorField) -> bool:
        """Returns whether this server can have an index of a field; otherwise exact search answers."""
        version = await self._client.version()
        if field.metric == "dot" and version < PREFILTERS:
            return False
        # With one field, every point has a vector in it.
        return len(layout.fields) == 1 or version >= REMOVES_WITHOUT

    async def make(self, layout: Layout, field: VectorField, points: int) -> None:
        """Makes the index of a field.

        Args:
            layout: Of the collection.
            field: The field.
            points: That have a vector in it.
        """
        options, version = self._client.options, await self._client.version()
        if options.shards > 1:
            # Every shard learns for itself, of what it has, which may be less than its share.
            points = max(1, points // (2 * options.shards))
        definition = layout.definition(field, points, stored_values=version >= STORED_VALUES)

        async def work(database: Any) -> Any:
            return await database.collection(self._collection).add_index("vector", [attribute(field)], definition)

        with existing():
            await self._client.later(self._name, work)
        await self._look()

    def forget(self) -> None:
        """Forgets all, as something turned out to be untrue."""
        self._lists, self._looked = {}, time.monotonic()

    async def check(self) -> None:
        """Finds out whether the server makes vector indexes at all: no other request of its tells.

        Raises:
            Misconfigured: It was started without them.
        """
        definition = {"sparse": True, "params": {"metric": "l2", "dimension": 1, "nLists": 1}}
        with translated(self._name):
            collection = (await self._client.database()).collection(self._collection)
            with unprepared():
                made = await collection.add_index("vector", [_PROBE], definition)
                await collection.delete_index(made["id"], ignore_missing=True)

    async def _look(self) -> None:
        with translated(self._name):
            found = await (await self._client.database()).collection(self._collection).indexes()
        self._lists = {
            one["fields"][0]: int(one["params"]["nLists"])
            for one in found
            # Before 3.12.9 an index is ready when it is there.
            if one["type"] == "vector" and one.get("trainingState", "ready") == "ready"
        }
        self._looked = time.monotonic()
