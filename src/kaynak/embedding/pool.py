from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from kaynak.domain import EmbedderUnavailable, Unsupported
from kaynak.embedding.caching import QueryCache
from kaynak.embedding.hosted.options import HostedName, HostedOptions, parse_name
from kaynak.embedding.hosted.prices import price_of
from kaynak.embedding.local import LocalEmbedder
from kaynak.embedding.locate import locate
from kaynak.embedding.m3 import M3Model
from kaynak.embedding.micro_batching import MicroBatching
from kaynak.embedding.protocol import Embedder, SparseEmbedder
from kaynak.embedding.retrying import Retrying
from kaynak.embedding.runtime import Precision, RuntimeName
from kaynak.embedding.sentence_transformer import PREFIX, SentenceTransformersEmbedder
from kaynak.embedding.soundness import Sound
from kaynak.embedding.sparse import SparseModels
from kaynak.embedding.watching import FileWatch

if TYPE_CHECKING:
    from kaynak.remote.exchange import Exchange

_log = structlog.get_logger(__name__)

_TOKENS_PER_TEXT = 16
_REST = 5.0
"""Seconds for which a hosted model that failed is left alone."""


@dataclass(slots=True)
class _Held:
    """A model that is loaded."""

    embedder: Embedder
    watch: FileWatch | None = None
    maker: str | None = None


class EmbedderPool:
    """Models by name, loaded when first asked for, once, and kept.

    A name is that of a built-in, the path of a directory, ``st:`` and what sentence-transformers loads, or a hosted
    model as ``provider:model`` or ``provider:model@dimensions``. A directory whose files change is loaded anew.

    Args:
        threads: Of each local model; 0 for all cores.
        precision: ``auto`` takes bf16 where the CPU has it.
        runtime: ``auto`` takes OpenVINO where it is installed.
        batch: Short texts (of 16 tokens) in one batch; longer ones share a batch with fewer.
        hosted: Providers of hosted models.
        query_cache_bytes: What the vectors of recent queries may take, per model.
        watch_seconds: Between two looks at the files of a model.
    """

    def __init__(
        self,
        threads: int = 0,
        precision: Precision = "auto",
        runtime: RuntimeName = "auto",
        batch: int = 32,
        *,
        hosted: HostedOptions = HostedOptions(),  # noqa: B008 - it is frozen
        query_cache_bytes: int = 8 * 1024 * 1024,
        watch_seconds: float = 5.0,
    ) -> None:
        self._threads = threads
        self._precision: Precision = precision
        self._runtime: RuntimeName = runtime
        self._batch_tokens = batch * _TOKENS_PER_TEXT
        self._hosted = hosted
        self._query_cache_bytes = query_cache_bytes
        self._watch_seconds = watch_seconds
        self._held: dict[str, _Held] = {}
        self._sparse = SparseModels(
            lambda directory: M3Model.load(directory, threads=threads, precision=precision, runtime=runtime),
            watch_seconds,
        )
        self._failed: dict[str, tuple[float, EmbedderUnavailable]] = {}
        # Loading happens on worker threads, and they may belong to different event loops.
        self._lock = threading.Lock()
        self._connecting = threading.Lock()
        self._exchange: Exchange | None = None
        self._opening: asyncio.Lock | None = None
        self._closed = False

    async def get(self, name: str) -> Embedder:
        """Returns the model of that name; loads it off the event loop.

        Raises:
            Misconfigured: There is no such model, or it cannot be loaded.
            EmbedderUnavailable: It cannot be fetched or reached now, or the pool is closed.
        """
        held = self._held.get(name)
        if held is not None and (held.watch is None or not held.watch.due):
            return held.embedder
        hosted = parse_name(name, self._hosted)
        if hosted is not None:
            return await self._open(hosted)
        return await asyncio.to_thread(self._load, name)

    async def sparse(self, name: str) -> SparseEmbedder:
        """Returns what weighs tokens with the model of that name; loads it off the event loop.

        It has the weights of the model in memory a second time.

        Raises:
            Unsupported: A model of that kind weighs no tokens.
            Misconfigured: There is no such model, or it cannot be loaded, or weighs no tokens.
            EmbedderUnavailable: It cannot be fetched now, or the pool is closed.
        """
        if name.startswith(PREFIX) or self.hosted(name):
            raise Unsupported(
                f"“{name[:200]}” gives no weights of tokens.", hint="The directory of a BGE-M3 model does."
            )
        known = self._sparse.known(name)
        return known if known is not None else await asyncio.to_thread(self._sparse.get, name)

    def hosted(self, name: str) -> bool:
        """Returns whether texts for the model of that name are sent to somebody, or to another machine.

        Raises:
            Misconfigured: It cannot be a name.
        """
        return parse_name(name, self._hosted) is not None

    async def price_of(self, name: str) -> float | None:
        """Returns US dollars for a million tokens; 0 for what runs on machines of one's own, None if not known."""
        held = self._held.get(name)
        maker = held.maker if held is not None else None
        return await asyncio.to_thread(lambda: price_of(name, self._hosted, maker=maker))

    async def close(self) -> None:
        """Frees all models, and closes connections."""
        self._closed = True
        await self._sparse.close()
        while self._held:
            _, held = self._held.popitem()
            await held.embedder.close()
        if self._exchange is not None:
            await self._exchange.close()

    def _load(self, name: str) -> Embedder:
        with self._lock:
            self._refuse_closed()
            held = self._held.get(name)
            if held is not None and held.watch is not None and held.watch.changed():
                _log.warning("model_files_changed", model=held.watch.directory.name)
                # Whoever works with the old one finishes with it; it is freed with the last of them.
                del self._held[name]
            if name not in self._held:
                self._held[name] = self._loaded(name)
            return self._held[name].embedder

    def _loaded(self, name: str) -> _Held:
        if name.startswith(PREFIX):
            return _Held(self._wrapped(SentenceTransformersEmbedder.load(name.removeprefix(PREFIX)), name))
        directory = locate(name)
        watch = FileWatch(directory, self._watch_seconds)
        local = LocalEmbedder.load(
            directory,
            threads=self._threads,
            precision=self._precision,
            runtime=self._runtime,
            batch_tokens=self._batch_tokens,
        )
        return _Held(self._wrapped(local, directory.name), watch)

    async def _open(self, name: HostedName) -> Embedder:
        """Opens a hosted model. One that cannot be reached is not tried again for a while: searches do not wait."""
        from kaynak.remote.exchange import Exchange  # only those who use it need the client

        until, error = self._failed.get(name.full, (0.0, None))
        if error is not None and time.monotonic() < until:
            raise EmbedderUnavailable(error.message, hint=error.hint)
        key = await self._hosted.keys(name.provider)
        # Not under the lock of loading, which may take seconds.
        with self._connecting:
            self._refuse_closed()
            exchange = self._exchange = self._exchange or Exchange()
        try:
            return await exchange.run(self._opened(name, key, exchange), EmbedderUnavailable)
        except EmbedderUnavailable as exc:
            self._failed[name.full] = (time.monotonic() + _REST, exc)
            raise

    async def _opened(self, name: HostedName, key: str | None, exchange: Exchange) -> Embedder:
        """Runs on the loop of the exchange, where it is done once, however many wait."""
        from kaynak.embedding.hosted.opening import open_hosted

        self._opening = self._opening or asyncio.Lock()
        async with self._opening:
            if name.full not in self._held:
                embedder, maker = await open_hosted(name, self._hosted, exchange, key)
                _log.info("embedder_opened", model=name.full, maker=maker, dimensions=embedder.dimensions)
                wrapped = self._wrapped(embedder, name.full, rest=_REST)
                self._held[name.full] = _Held(wrapped, maker=maker)
            return self._held[name.full].embedder

    def _wrapped(self, embedder: Embedder, title: str, *, rest: float = 0.0) -> Embedder:
        checked = Sound(embedder, f"The embedding model {title}")
        return QueryCache(MicroBatching(Retrying(checked, rest=rest)), max_bytes=self._query_cache_bytes)

    def _refuse_closed(self) -> None:
        if self._closed:
            raise EmbedderUnavailable("The embedding models are closed.")
