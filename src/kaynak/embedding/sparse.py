"""What stands around a model that weighs tokens: loading it once, looking at what it gives, remembering queries."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from pathlib import Path

import structlog

from kaynak.domain import EmbedderUnavailable, UnsoundEmbedding
from kaynak.embedding.locate import locate
from kaynak.embedding.protocol import Kind, SparseEmbedder
from kaynak.embedding.watching import FileWatch

Weights = Mapping[int, float]

_REMEMBERED = 4096
"""Queries, of some dozens of tokens each."""
_log = structlog.get_logger(__name__)


class SoundSparse:
    """Lets only sound weights through. See `SparseEmbedder`.

    Args:
        inner: Weighs.
        title: Of the model, for people.
    """

    def __init__(self, inner: SparseEmbedder, title: str) -> None:
        self.fingerprint = inner.fingerprint
        self._inner = inner
        self._title = title

    async def embed_sparse(self, texts: Sequence[str], kind: Kind) -> list[Weights]:
        """See `SparseEmbedder`."""
        found = await self._inner.embed_sparse(texts, kind)
        if len(found) != len(texts):
            raise EmbedderUnavailable(f"{self._title} weighed {len(found)} of {len(texts)} texts.", hint="Try again.")
        if not all(isfinite(weight) and weight > 0 for one in found for weight in one.values()):
            raise UnsoundEmbedding(f"{self._title} gave a weight that is none (NaN).", hint="Try again.")
        return found

    async def close(self) -> None:
        """See `SparseEmbedder`."""
        await self._inner.close()


class SparseQueryCache:
    """Remembers the weights of recent queries; the least recently used go first. See `QueryCache`.

    Args:
        inner: Weighs what is not known.
        most: Queries.
    """

    def __init__(self, inner: SparseEmbedder, *, most: int = _REMEMBERED) -> None:
        self.fingerprint = inner.fingerprint
        self._inner = inner
        self._most = most
        self._known: OrderedDict[bytes, Weights] = OrderedDict()
        self._lock = threading.Lock()

    async def embed_sparse(self, texts: Sequence[str], kind: Kind) -> list[Weights]:
        """See `SparseEmbedder`."""
        if kind != "query":
            return await self._inner.embed_sparse(texts, kind)
        keys = [hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest() for text in texts]
        with self._lock:
            found = {key: self._known[key] for key in keys if key in self._known}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if missing:
            fresh = await self._inner.embed_sparse(list(missing.values()), kind)
            found |= dict(zip(missing, fresh, strict=True))
        with self._lock:
            for key in keys:
                self._known[key] = found[key]
                self._known.move_to_end(key)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return [found[key] for key in keys]

    async def close(self) -> None:
        """See `SparseEmbedder`."""
        with self._lock:
            self._known.clear()
        await self._inner.close()


class SparseModels:
    """Models that weigh tokens, by name: loaded when first asked for, once, and anew when their files change.

    Args:
        load: Loads the model in a directory; blocks.
        watch_seconds: Between two looks at the files of a model.
    """

    def __init__(self, load: Callable[[Path], SparseEmbedder], watch_seconds: float) -> None:
        self._load = load
        self._watch_seconds = watch_seconds
        self._held: dict[str, tuple[SparseEmbedder, FileWatch]] = {}
        self._lock = threading.Lock()
        self._closed = False

    def known(self, name: str) -> SparseEmbedder | None:
        """Returns the model, if it is loaded and it is not time yet to look at its files."""
        held = self._held.get(name)
        return None if held is None or held[1].due else held[0]

    def get(self, name: str) -> SparseEmbedder:
        """Returns the model of that name; blocks.

        Raises:
            Misconfigured: There is no such model, or it cannot be loaded, or weighs no tokens.
            EmbedderUnavailable: It cannot be fetched now, or all are closed.
        """
        with self._lock:
            if self._closed:
                raise EmbedderUnavailable("The embedding models are closed.")
            held = self._held.get(name)
            if held is not None and held[1].changed():
                _log.warning("model_files_changed", model=held[1].directory.name)
                # Whoever works with the old one finishes with it; it is freed with the last of them.
                held = None
            if held is None:
                directory = locate(name)
                watch = FileWatch(directory, self._watch_seconds)
                sound = SoundSparse(self._load(directory), f"The embedding model {directory.name}")
                held = self._held[name] = SparseQueryCache(sound), watch
            return held[0]

    async def close(self) -> None:
        """Frees all."""
        self._closed = True
        while self._held:
            _, (model, _) = self._held.popitem()
            await model.close()
