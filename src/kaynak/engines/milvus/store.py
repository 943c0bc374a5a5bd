from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from kaynak.domain import EngineUnavailable, Filter
from kaynak.engines.milvus import embedded
from kaynak.engines.milvus.faults import translated
from kaynak.engines.milvus.filters import EVERYTHING, FilterCompiler
from kaynak.engines.milvus.form import Form
from kaynak.engines.milvus.library import MilvusClient, MilvusUnavailableException, grpc, written_until
from kaynak.engines.options import MilvusOptions

T = TypeVar("T")
V = TypeVar("V")

_CONNECT_SECONDS = 5.0
_REST_SECONDS = 2.0
"""After a failed attempt to connect, nobody waits for another one for so long."""


# Of one index, one write at a time: milvus-lite asks for it, and revisions would overtake each other.
_locks: defaultdict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)


class Store:
    """The connection to a server, or to milvus-lite in this process. Blocking calls run in threads of its own.

    Args:
        options: Where Milvus is.
        root: Directory of milvus-lite, where there is no server.
        threads: Reads at the same time.
    """

    def __init__(self, options: MilvusOptions, root: Path, threads: int) -> None:
        self.options = options
        self.embedded = options.uri is None
        self._root = root
        self._client: MilvusClient | None = None
        self._lock = threading.Lock()
        self._tired_until = 0.0
        self._closed = False
        self._lite: bool | None = True if self.embedded else None
        self._reading = ThreadPoolExecutor(threads, thread_name_prefix="milvus-read")
        # Writes are apart, so that waiting for a lock never keeps a search waiting.
        self._writing = ThreadPoolExecutor(2, thread_name_prefix="milvus-write")

    @property
    def place(self) -> str:
        """What tells this store from others of the process."""
        return f"{self.options.uri or self._root.resolve()}/{self.options.database}/{self.options.prefix}"

    def lock(self, main: str) -> threading.Lock:
        """Returns the lock of an index, by its first collection; all engines of this process share it."""
        return _locks[self.place, main]

    def strong(self, form: Form) -> bool:
        """Returns whether every read waits for the server's clock, so that no write has to."""
        # What one copy has seen says nothing of the others.
        return self.embedded or form.strong or self.options.replicas > 1

    def expression(self, client: MilvusClient, condition: Filter | None) -> str:
        """Returns a filter as Milvus says it, see `FilterCompiler`."""
        if condition is None:
            return EVERYTHING
        if self._lite is None:
            self._lite = "lite" in client.get_server_version(timeout=self.options.seconds).partition("-")[0]
        return FilterCompiler(words=self.embedded, lite=self._lite).compile(condition)

    async def run(self, name: str, work: Callable[[MilvusClient], T], *, writes: bool = False) -> T:
        """Runs ``work`` in a thread.

        Raises:
            EngineUnavailable: Milvus does not answer, or this was closed.
            KaynakError: What `translated` says.
        """

        def guarded() -> T:
            with translated(name, embedded=self.embedded):
                client = self._connected()
                if writes or not self.embedded:
                    return work(client)
                with embedded.gate(self._root).reading():
                    return work(client)

        try:
            pool = self._writing if writes else self._reading
            return await asyncio.get_running_loop().run_in_executor(pool, guarded)
        except RuntimeError as exc:
            if "shutdown" in str(exc):
                raise EngineUnavailable("The Milvus engine is closed.") from exc
            raise

    def written_until(self, client: MilvusClient, collections: Sequence[str]) -> int:
        """Returns when this process last wrote to any of some collections, by the server's clock."""
        database = "" if self.embedded else self.options.database
        return max(written_until(client, one, database) for one in collections)

    def ask(self, kind: Hashable, vector: V, work: Callable[[list[V]], Sequence[T]]) -> T:
        """Asks for what is near to a vector; milvus-lite, together with others of the kind: see `Together`."""
        if not self.embedded:
            return work([vector])[0]
        found: T = embedded.together(self._root).ask(kind, vector, work)
        return found

    def wrote(self, client: MilvusClient, collection: str, rows: int) -> None:
        """Takes note of rows that were written; see `embedded.put_away`. A server sees to it by itself."""
        if self.embedded:
            seconds = max(60.0, self.options.seconds)
            embedded.put_away(self._root, collection, rows, lambda: client.flush(collection, timeout=seconds))

    def drain(self) -> None:
        """Waits for whoever may not have seen what was just written, and must not miss it: see `Gate`."""
        if self.embedded:
            embedded.gate(self._root).drain()

    def sync(self, collections: Sequence[str]) -> None:
        """Makes what was written durable where Milvus does not do so by itself; see `embedded.sync`.

        A server acknowledges a write when its log has it, and needs no flush for it to be found or to outlive the
        server. How durable that log is, is up to how it is run: Pulsar and Kafka keep copies, RocksMQ of a standalone
        server leaves the last moments to the operating system.
        """
        if self.embedded:
            embedded.sync(self._root, collections)

    async def close(self) -> None:
        """Waits for what runs, and ends the connection."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._writing.shutdown()
        self._reading.shutdown()
        with self._lock:
            client, self._client = self._client, None
            self._closed = True
        if client is not None:
            client.close()
            if self.embedded:
                embedded.release(self._root)

    def _connected(self) -> MilvusClient:
        with self._lock:
            if self._client is None:
                if self._closed or time.monotonic() < self._tired_until:
                    raise EngineUnavailable("Milvus does not answer.", hint="Is it running at milvus.uri?")
                self._client = self._connect()
            return self._client

    def _connect(self) -> MilvusClient:
        uri = embedded.acquire(self._root) if self.options.uri is None else self.options.uri
        try:
            client = MilvusClient(
                uri,
                token=self.options.token or "",
                db_name="" if self.embedded else self.options.database,
                timeout=min(self.options.seconds, _CONNECT_SECONDS),
                dedicated=True,
            )
        except BaseException:
            if self.embedded:
                embedded.release(self._root)
            self._tired_until = time.monotonic() + _REST_SECONDS
            raise
        # pymilvus would ask a server that is away again and again until the time of a request is over.
        client._get_connection()._on_rpc_error = _give_up
        return client


def _give_up(error: Exception) -> bool:
    """Ends the retries of a call to a server that cannot be reached; gRPC itself connects again for the next one."""
    if isinstance(error, grpc.RpcError) and error.code() is grpc.StatusCode.UNAVAILABLE:
        raise MilvusUnavailableException(message="unavailable") from error
    return False


def each(collections: Sequence[V], work: Callable[[V], Any]) -> None:
    """Does something to several collections at once, as each takes the time of a tick of the server's clock."""
    if len(collections) == 1:
        work(collections[0])
        return
    with ThreadPoolExecutor(len(collections)) as threads:
        for one in [threads.submit(work, some) for some in collections]:
            one.result()
