from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kaynak.domain.tokens import TokenCounter
from kaynak.embedding.protocol import Embedder, Kind

Vectors = NDArray[np.float32]
_OVERHEAD = 200  # bytes of an entry beside its numbers


class QueryCache:
    """Remembers the vectors of recent queries, bounded in bytes; the least recently used go first.

    Keys are digests, so that no query is kept as text. Documents pass through: theirs are in the catalog.

    Args:
        inner: Embeds what is not known.
        max_bytes: What the vectors may take.
    """

    def __init__(self, inner: Embedder, *, max_bytes: int = 8 * 1024 * 1024) -> None:
        self.fingerprint = inner.fingerprint
        self.dimensions = inner.dimensions
        self.max_tokens = inner.max_tokens
        self.tokenizer: TokenCounter = inner.tokenizer
        self._inner = inner
        self._entries = max(1, max_bytes // (inner.dimensions * 4 + _OVERHEAD))
        self._known: OrderedDict[bytes, Vectors] = OrderedDict()
        self._lock = threading.Lock()

    async def embed(self, texts: Sequence[str], kind: Kind) -> Vectors:
        """See `Embedder`."""
        if kind != "query" or not texts:
            return await self._inner.embed(texts, kind)
        keys = [self._key(text, kind) for text in texts]
        found = [self._recall(key) for key in keys]
        missing = [at for at, vector in enumerate(found) if vector is None]
        if missing:
            fresh = await self._inner.embed([texts[at] for at in missing], kind)
            for at, vector in zip(missing, fresh, strict=True):
                found[at] = vector
                self._remember(keys[at], vector)
        return np.stack([vector for vector in found if vector is not None])

    async def close(self) -> None:
        """See `Embedder`."""
        with self._lock:
            self._known.clear()
        await self._inner.close()

    def _key(self, text: str, kind: Kind) -> bytes:
        plain = f"{self.fingerprint}\0{kind}\0{text}".encode(errors="surrogatepass")
        return hashlib.blake2b(plain, digest_size=16).digest()

    def _recall(self, key: bytes) -> Vectors | None:
        with self._lock:
            vector = self._known.get(key)
            if vector is not None:
                self._known.move_to_end(key)
            return vector

    def _remember(self, key: bytes, vector: Vectors) -> None:
        with self._lock:
            self._known[key] = np.array(vector)
            while len(self._known) > self._entries:
                self._known.popitem(last=False)
