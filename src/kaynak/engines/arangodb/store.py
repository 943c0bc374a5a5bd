from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar
from uuid import UUID

from kaynak.domain import Conflict, CorruptIndex, Filter
from kaynak.engines.arangodb import aql
from kaynak.engines.arangodb.aql import Query
from kaynak.engines.arangodb.client import Client
from kaynak.engines.arangodb.faults import existing, translated
from kaynak.engines.arangodb.filters import Conditions
from kaynak.engines.checks import check_name
from kaynak.engines.options import ArangoOptions

META = "meta"
"""Key of the record that holds what an index is and which revision it reflects.

It lies in the collection of the index, so that one transaction on one shard writes both: in a cluster, ArangoDB has no
atomic commit over several collections or shards. It has no id, document, terms or words.
"""

_PAGE = 5000
_INDEXES = (
    # All that a scan reads is in the index; records have vectors, which take long to read.
    {"name": "ids", "fields": ["id"], "storedValues": ["document"]},
    {"name": "documents", "fields": ["document"]},
    {"name": "terms", "fields": ["terms[*]"]},
)


class ArangoStore:
    """What both engines have in common: a collection for each index.

    Args:
        options: Where the server is.
    """

    side: ClassVar[str]

    def __init__(self, options: ArangoOptions) -> None:
        self._client = Client(options)

    def _collection(self, name: str) -> str:
        return f"{self._client.options.prefix}_{self.side}_{check_name(name)}"

    async def exists(self, name: str) -> bool:
        """Returns whether the index is there and complete."""
        try:
            await self.revision(name)
        except CorruptIndex:
            return False
        return True

    async def revision(self, name: str) -> int:
        """Returns the revision of the last write."""
        return int((await self._meta(name))["revision"])

    async def count(self, name: str, condition: Filter | None = None) -> int:
        """Returns how many records match."""
        return await self._count(name, condition)

    async def scan(self, name: str) -> AsyncIterator[tuple[int, UUID]]:
        """Yields (chunk id, document id) of all records, by id."""
        await self._meta(name)
        after: int | None = None
        while True:
            binds = {"@collection": self._collection(name), "after": after, "page": _PAGE}
            rows = await self._client.rows(name, Query(aql.SCAN, binds))
            for key, document in rows:
                yield key, UUID(document)
            if len(rows) < _PAGE:
                return
            after = rows[-1][0]

    async def health(self) -> None:
        """Asks the server.

        Raises:
            EngineUnavailable: It does not answer.
        """
        with translated("health"):
            await (await self._client.database()).version()

    async def close(self) -> None:
        """Closes all connections."""
        await self._client.close()

    async def drop(self, name: str) -> None:
        """Removes the index and all its data."""
        collection = self._collection(name)
        with translated(name):
            await (await self._client.database()).delete_collection(collection, ignore_missing=True)

    async def _count(self, name: str, condition: Filter | None, *terms: str, most: int | None = None) -> int:
        """Returns how many records have all ``terms`` and match, or ``most`` if there are more."""
        conditions = Conditions(aql.FILTER)
        text = conditions.of(condition, *terms)
        binds = {**conditions.binds, "@collection": self._collection(name)}
        if most is None:
            rows = await self._client.rows(name, Query(aql.COUNT.format(condition=text), binds))
        else:
            rows = await self._client.rows(name, Query(aql.COUNT_UP_TO.format(condition=text), {**binds, "most": most}))
        return int(rows[0])

    async def _meta(self, name: str) -> dict[str, Any]:
        found = await self._client.record(name, self._collection(name), META)
        if found is None:
            raise CorruptIndex(f"Index “{name}” is not complete.")
        return found

    async def _make(self, name: str, spec: Mapping[str, Any], also: Mapping[str, Any]) -> None:
        """Makes the index; an equal one is left alone.

        Args:
            name: Of the index.
            spec: Kept with it, and compared.
            also: Kept with it.

        Raises:
            Conflict: One that is built differently exists.
        """
        try:
            stored = await self._meta(name)
        except CorruptIndex:
            await self._build(name, {**spec, **also})
            stored = await self._meta(name)
        if not self._same(stored, spec):
            raise Conflict(f"Index “{name}” exists and is built differently.")

    async def _build(self, name: str, spec: Mapping[str, Any]) -> None:
        """Makes the collection with its indexes; what exists already is left alone, as others may make it too."""
        options, collection = self._client.options, self._collection(name)
        with translated(name):
            database = await self._client.database()
            with existing():
                await database.create_collection(
                    collection,
                    wait_for_sync=True,
                    number_of_shards=options.shards,
                    replication_factor=options.replicas,
                    write_concern=options.write_consistency,
                )
            for one in _INDEXES:
                rest = {key: value for key, value in one.items() if key != "fields"}
                await database.collection(collection).add_index("persistent", one["fields"], rest)
            await self._complete(name, database)
            # The last step: without this record there is no index.
            await database.collection(collection).insert(
                {"_key": META, "revision": 0, **spec}, overwrite_mode="ignore", wait_for_sync=True
            )

    async def _complete(self, name: str, database: Any) -> None:
        """Makes what else the index needs."""

    def _same(self, stored: Mapping[str, Any], spec: Mapping[str, Any]) -> bool:
        return all(stored.get(key) == value for key, value in spec.items())
