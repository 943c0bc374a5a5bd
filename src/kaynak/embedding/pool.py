from __future__ import annotations

import asyncio
import threading

from kaynak.domain import EmbedderUnavailable
from kaynak.embedding.caching import QueryCache
from kaynak.embedding.local import LocalEmbedder
from kaynak.embedding.locate import locate
from kaynak.embedding.micro_batching import MicroBatching
from kaynak.embedding.protocol import Embedder
from kaynak.embedding.retrying import Retrying
from kaynak.embedding.runtime import Precision, RuntimeName

_TOKENS_PER_TEXT = 16


class EmbedderPool:
    """Models by name, loaded when first asked for, once, and kept.

    Args:
        threads: Of each model; 0 for all cores.
        precision: ``auto`` takes bf16 where the CPU has it.
        runtime: ``auto`` takes OpenVINO where it is installed.
        batch: Short texts (of 16 tokens) in one batch; longer ones share a batch with fewer.
        query_cache_bytes: What the vectors of recent queries may take, per model.
    """

    def __init__(
        self,
        threads: int = 0,
        precision: Precision = "auto",
        runtime: RuntimeName = "auto",
        batch: int = 32,
        *,
        query_cache_bytes: int = 8 * 1024 * 1024,
    ) -> None:
        self._threads = threads
        self._precision: Precision = precision
        self._runtime: RuntimeName = runtime
        self._batch_tokens = batch * _TOKENS_PER_TEXT
        self._query_cache_bytes = query_cache_bytes
        self._loaded: dict[str, Embedder] = {}
        # Loading happens on worker threads, and they may belong to different event loops.
        self._lock = threading.Lock()
        self._closed = False

    async def get(self, name: str) -> Embedder:
        """Returns the model, a built-in's name or the path of a directory; loads it off the event loop.

        Raises:
            Misconfigured: There is no such model, or it cannot be loaded.
            EmbedderUnavailable: It would have to be fetched and cannot be now, or the pool is closed.
        """
        known = self._loaded.get(name)
        return known if known is not None else await asyncio.to_thread(self._load, name)

    async def close(self) -> None:
        """Frees all models."""
        self._closed = True
        while self._loaded:
            _, embedder = self._loaded.popitem()
            await embedder.close()

    def _load(self, name: str) -> Embedder:
        with self._lock:
            if self._closed:
                raise EmbedderUnavailable("The embedding models are closed.")
            if name not in self._loaded:
                local = LocalEmbedder.load(
                    locate(name),
                    threads=self._threads,
                    precision=self._precision,
                    runtime=self._runtime,
                    batch_tokens=self._batch_tokens,
                )
                joined = MicroBatching(Retrying(local))
                self._loaded[name] = QueryCache(joined, max_bytes=self._query_cache_bytes)
            return self._loaded[name]
