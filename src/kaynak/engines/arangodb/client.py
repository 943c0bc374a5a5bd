from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import aiohttp
import orjson
from arangoasync import ArangoClient  # type: ignore[import-untyped]
from arangoasync.auth import Auth  # type: ignore[import-untyped]
from arangoasync.exceptions import ArangoError, DeserializationError  # type: ignore[import-untyped]
from arangoasync.http import AioHTTPClient  # type: ignore[import-untyped]
from arangoasync.serialization import Deserializer, Serializer  # type: ignore[import-untyped]

from kaynak.domain import EngineUnavailable, Misconfigured
from kaynak.engines.arangodb.aql import Query
from kaynak.engines.arangodb.faults import translated
from kaynak.engines.options import ArangoOptions

OLDEST = (3, 12, 4)
PREFILTERS = (3, 12, 6)
"""From here on, conditions are applied during a look-up in a vector index; and there are indexes by dot product."""
STORED_VALUES = (3, 12, 7)
"""From here on, a vector index can keep what conditions look at."""
REMOVES_WITHOUT = (3, 12, 9)
"""Before, a record that has no vector could be stored beside a sparse vector index, but never removed or replaced."""

FAILURES = (ArangoError, aiohttp.ClientError, TimeoutError, OSError)
"""Whatever the driver raises."""

_BATCH = 10_500
"""Rows that come in one answer: more than any search asks for."""

_CONNECTIONS = 16
_LARGE = 2**18
_PATIENCE = 1.0


class _Http(AioHTTPClient):  # type: ignore[misc]  # the driver has no types
    """The driver's own, without two habits of it that its HTTP library warns of with each request."""

    async def send_request(self, session: Any, request: Any) -> Any:
        if request.auth is not None:
            name = f"{request.auth.username}:{request.auth.password}"
            request.headers["authorization"] = f"Basic {base64.b64encode(name.encode()).decode()}"
            request.auth = None
        data = request.data
        if data is not None and len(data) > _LARGE:
            # Sent piece by piece. Read once, so that another try needs another.
            request.data = BytesIO(data)
        try:
            return await super().send_request(session, request)
        finally:
            request.data = data


class _Serializer(Serializer):  # type: ignore[misc]
    """Several times as fast as the driver's own, and takes vectors as they are."""

    def dumps(self, data: Any) -> Any:
        return orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY)


class _Deserializer(Deserializer):  # type: ignore[misc]
    def loads(self, data: bytes) -> Any:
        return _loaded(data)

    def loads_many(self, data: bytes) -> Any:
        return _loaded(data)


def _loaded(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as exc:
        raise DeserializationError("the answer is not JSON") from exc


class Client:
    """Our end of the driver, opened when first used, in the event loop that uses it.

    Args:
        options: Where the server is.
    """

    def __init__(self, options: ArangoOptions) -> None:
        self.options = options
        self._client: Any = None
        self._database: Any = None
        self._version = (0, 0, 0)
        self._opening = asyncio.Lock()
        self._closed = False

    async def database(self) -> Any:
        """Returns the driver's database.

        Raises:
            Misconfigured: No address is set, or the server is too old.
        """
        if self._database is not None:
            return self._database
        async with self._opening:
            if self._database is None:
                self._database = await self._open()
        return self._database

    async def version(self) -> tuple[int, int, int]:
        """Returns the version of the server."""
        await self.database()
        return self._version

    async def rows(self, name: str, query: Query, *, within: Any = None) -> list[Any]:
        """Returns all rows of a statement.

        Args:
            name: Of the index, for messages.
            query: The statement.
            within: A transaction.
        """
        with translated(name):
            database = within or await self.database()
            # The server stops what nobody waits for any more.
            limits = {"maxRuntime": self.options.seconds}
            cursor = await database.aql.execute(query.text, bind_vars=query.binds, batch_size=_BATCH, options=limits)
            rows = list(cursor.batch)
            while cursor.has_more:
                rows += await cursor.fetch()
            return rows

    async def record(self, name: str, collection: str, key: str, *, within: Any = None) -> dict[str, Any] | None:
        """Returns a record by its key; None if there is none."""
        with translated(name):
            database = within or await self.database()
            found: dict[str, Any] | None = await database.collection(collection).get(key)
            return found

    async def later(self, name: str, work: Any) -> None:
        """Has the server do by itself what takes longer than a request may, and waits for the end of it.

        Args:
            name: Of the index, for messages.
            work: Called with a database whose calls return at once, with a job.
        """
        with translated(name):
            database = await self.database()
            job = await work(database.begin_async_execution(return_result=True))
            pause = 0.01
            while await job.status() != "done":
                await asyncio.sleep(pause)
                pause = min(_PATIENCE, pause * 1.5)
            await job.result()

    async def close(self) -> None:
        """Closes all connections."""
        async with self._opening:
            client, self._client, self._database, self._closed = self._client, None, None, True
        if client is not None:
            await client.close()

    async def _open(self) -> Any:
        if self._closed:
            raise EngineUnavailable("The connection to ArangoDB is closed.")
        options = self.options
        if not options.url:
            raise Misconfigured("It is not set where ArangoDB is.", hint="Set arangodb.url.")
        if self._client is None:
            self._client = ArangoClient(
                hosts=options.url.rstrip("/"),
                http_client=_Http(
                    connector=aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=30),
                    timeout=aiohttp.ClientTimeout(total=options.seconds + _PATIENCE, connect=min(5.0, options.seconds)),
                ),
                serializer=_Serializer(),
                deserializer=_Deserializer(),
            )
        database = await self._client.db(options.database, auth=Auth(options.user, options.password or ""))
        with translated("version"):
            answer = await database.version()
        self._version = _numbers(str(answer.get("version", "")))
        if self._version < OLDEST:
            raise Misconfigured(
                f"This is version {answer.get('version')} of ArangoDB.", hint="Vectors need 3.12.4 or newer."
            )
        return database


def _numbers(version: str) -> tuple[int, int, int]:
    found = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", version)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else (0, 0, 0)


def refused(answers: Sequence[Any] | dict[str, Any]) -> str | None:
    """Returns what the server says about the first document of a batch that it did not take; None if it took all."""
    rows = answers if isinstance(answers, list) else []
    return next((str(one.get("errorMessage")) for one in rows if one.get("error")), None)
