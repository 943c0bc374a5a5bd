"""A write as the server takes it: in one transaction where one shard holds the index, else in an order that is safe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from kaynak.domain import CorruptIndex, EngineUnavailable
from kaynak.engines.arangodb import aql
from kaynak.engines.arangodb.aql import Query
from kaynak.engines.arangodb.client import FAILURES, Client, refused
from kaynak.engines.arangodb.faults import translated
from kaynak.engines.arangodb.store import META

Record = dict[str, Any]

_TOGETHER = 500
"""Records in one request."""


class Write:
    """One write.

    ArangoDB writes what a stream transaction does in one step, and shows it so, on a single server and on one shard of
    a cluster; over several shards it promises neither. There the new records are written first, then the old ones
    removed, then the revision stored, each durable before the next: cut short anywhere, the index has more than it
    says, never less, and the same write again makes it right.

    Args:
        client: The server.
        name: Of the index, for messages.
        collection: Where it is kept.
        records: To be stored, by key; those of the same keys are replaced.
        deletes: Documents whose other records go.
        revision: What the index reflects then.
        also: Returns more to be kept with the revision, from what is kept so far.
    """

    def __init__(
        self,
        client: Client,
        name: str,
        collection: str,
        records: Sequence[Record],
        deletes: Sequence[UUID],
        revision: int,
        also: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda meta: {},
    ) -> None:
        self._client = client
        self._name = name
        self._collection = collection
        # An id that stands twice counts as it stood last.
        self._records = list({one["_key"]: one for one in records}.values())
        self._deletes = [str(one) for one in deletes]
        self._revision = revision
        self._also = also

    async def run(self, *, atomic: bool) -> None:
        """Writes.

        Args:
            atomic: Whether one shard holds the index.
        """
        with translated(self._name):
            database = await self._client.database()
            if not atomic:
                await self._steps(database)
                return
            # Writers take turns: two that change the same record at once would make one of them fail.
            transaction = await database.begin_transaction(
                exclusive=self._collection,
                wait_for_sync=True,
                lock_timeout=max(1, int(self._client.options.seconds) - 1),
            )
            try:
                await self._steps(transaction)
                await transaction.commit_transaction()
            except BaseException:
                # What was begun would lock the collection until it times out.
                with suppress(*FAILURES):
                    await transaction.abort_transaction()
                raise

    async def _steps(self, database: Any) -> None:
        meta = await self._client.record(self._name, self._collection, META, within=database)
        if meta is None:
            raise CorruptIndex(f"Index “{self._name}” is not complete.")
        for start in range(0, len(self._records), _TOGETHER):
            await self._store(database, self._records[start : start + _TOGETHER])
        if self._deletes:
            kept = [one["id"] for one in self._records]
            binds = {"@collection": self._collection, "documents": self._deletes, "kept": kept}
            await self._client.rows(self._name, Query(aql.REMOVE, binds), within=database)
        kept_with = {key: value for key, value in meta.items() if not key.startswith("_")}
        await self._store(database, [{"_key": META, **kept_with, **self._also(meta), "revision": self._revision}])

    async def _store(self, database: Any, records: Sequence[Record]) -> None:
        answers = await database.collection(self._collection).insert_many(
            records, overwrite_mode="replace", wait_for_sync=True, silent=True
        )
        # A batch answers that it went well also when a document of it did not.
        if said := refused(answers):
            raise EngineUnavailable(f"ArangoDB did not take a record: {said[:200]}")
