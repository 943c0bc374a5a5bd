from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from kaynak.domain import EngineUnavailable
from kaynak.engines.milvus import embedded
from kaynak.engines.milvus.faults import translated
from kaynak.engines.milvus.library import MilvusClient, MilvusUnavailableException, grpc
from kaynak.engines.options import MilvusOptions

T = TypeVar("T")

_CONNECT_SECONDS = 5.0
_REST_SECONDS = 2.0
"""After a failed attempt to connect, nobody waits for another one for so long."""


class Store:
    """The connection to a server, or to milvus-lite in this process. Blocking calls run in threads of its own.

    Args:
        options: Where Milvus is.
        root: Directory of milvus-lite, where there is no server.
        threads: Calls at the same time.
    """

    def __init__(self, options: MilvusOptions, root: Path, threads: int) -> None:
        self.options = options
        self.embedded = options.uri is None
        self._root = root
        self._client: MilvusClient | None = None
        self._lock = threading.Lock()
        self._tired_until = 0.0
        self._closed = False
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="milvus")

    @property
    def place(self) -> str:
        """What tells this store from others of the process."""
        return f"{self.options.uri or self._root.resolve()}/{self.options.database}"

    async def run(self, name: str, work: Callable[[MilvusClient], T]) -> T:
        """Runs ``work`` in a thread.

        Raises:
            EngineUnavailable: Milvus does not answer, or this was closed.
            KaynakError: What `translated` says.
        """

        def guarded() -> T:
            with translated(name, embedded=self.embedded):
                return work(self._connected())

        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, guarded)
        except RuntimeError as exc:
            if "shutdown" in str(exc):
                raise EngineUnavailable("The Milvus engine is closed.") from exc
            raise

    def sync(self, collections: Sequence[str]) -> None:
        """Makes what was written durable where Milvus does not do so by itself; see `embedded.sync`.

        A server acknowledges a write when its log has it; how durable that log is, is up to how it is run: Pulsar and
        Kafka keep copies, RocksMQ of a standalone server leaves the last moments to the operating system.
        """
        if self.embedded:
            embedded.sync(self._root, list(collections))

    async def close(self) -> None:
        """Waits for what runs, and ends the connection."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._threads.shutdown()
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
        client._get_connection()._on_rpc_error = _give_up  # noqa: SLF001
        return client


def _give_up(error: Exception) -> bool:
    """Ends the retries of a call to a server that cannot be reached; gRPC itself connects again for the next one."""
    if isinstance(error, grpc.RpcError) and error.code() is grpc.StatusCode.UNAVAILABLE:
        raise MilvusUnavailableException(message="unavailable") from error
    return False


def each(collections: Sequence[str], work: Callable[[str], Any]) -> None:
    """Does something to several collections at once, as each takes the time of a tick of the server's clock."""
    if len(collections) == 1:
        work(collections[0])
        return
    with ThreadPoolExecutor(len(collections)) as threads:
        for one in [threads.submit(work, name) for name in collections]:
            one.result()
