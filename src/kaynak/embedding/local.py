from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import structlog
from numpy.typing import NDArray

from kaynak.domain.tokens import TokenCounter
from kaynak.embedding.batches import padded, plan_batches, to_arrays
from kaynak.embedding.fingerprint import fingerprint_of
from kaynak.embedding.protocol import Kind
from kaynak.embedding.runtime import Precision, Runtime, RuntimeName, load_runtime
from kaynak.embedding.spec import ModelSpec, read_spec
from kaynak.embedding.tokenizer import ModelTokenizer
from kaynak.embedding.worker import DOCUMENT_LANE, QUERY_LANE, ModelThreads

_log = structlog.get_logger(__name__)

_ENCODE_SLICE = 256
_QUERY_WIDTH = 8
Vectors = NDArray[np.float32]


class LocalEmbedder:
    """A BERT or XLM-RoBERTa model on this machine's CPU. See `Embedder`.

    Attributes:
        precision: What it computes in: ``bf16`` or ``f32``.

    Args:
        spec: The model.
        tokenizer: Its tokenizer.
        runtime: The loaded model.
        batch_tokens: Most tokens in one batch, padding included: how long a query waits behind documents.
    """

    def __init__(
        self, spec: ModelSpec, tokenizer: ModelTokenizer, runtime: Runtime, *, batch_tokens: int = 512
    ) -> None:
        self.fingerprint = fingerprint_of(spec, tokenizer.fingerprint)
        self.dimensions = runtime.dimensions
        self.tokenizer: TokenCounter = tokenizer
        self._tokenizer = tokenizer
        self._prompts = dict(spec.prompts)
        # A prompt is read like any other text, so it takes from the room.
        longest = max((tokenizer.count(prompt) for prompt in self._prompts.values()), default=0)
        self._limit = spec.max_tokens
        self.max_tokens = spec.max_tokens - tokenizer.special_tokens - longest
        self.precision = runtime.precision
        self._runtime: Runtime | None = runtime
        self._batch_tokens = batch_tokens
        self._threads = ModelThreads(spec.name, runtime.parallel)

    @classmethod
    def load(
        cls,
        directory: Path,
        *,
        threads: int = 0,
        precision: Precision = "auto",
        runtime: RuntimeName = "auto",
        batch_tokens: int = 512,
    ) -> LocalEmbedder:
        """Loads the model in ``directory``. Takes about half a second; blocks.

        Raises:
            Misconfigured: It cannot be loaded; the message says why.
        """
        spec = read_spec(directory)
        tokenizer = ModelTokenizer.load(directory, padding_id=spec.padding_id, lowercase=spec.lowercase)
        loaded = load_runtime(spec, threads=threads, precision=precision, runtime=runtime)
        _log.info(
            "embedder_loaded",
            model=spec.name,
            runtime=type(loaded).__name__,
            precision=loaded.precision,
            dimensions=loaded.dimensions,
        )
        return cls(spec, tokenizer, loaded, batch_tokens=batch_tokens)

    async def embed(self, texts: Sequence[str], kind: Kind) -> Vectors:
        """See `Embedder`. Queries overtake documents that are waiting."""
        if not texts:
            return np.zeros((0, self.dimensions), dtype=np.float32)
        prompt = self._prompts.get(kind, "")
        prompted = [prompt + text for text in texts] if prompt else list(texts)
        if kind == "query" and len(texts) <= _ENCODE_SLICE:
            # Encoding on a thread of the model's saves a hop, which is a good part of a query's time.
            future = self._threads.submit(QUERY_LANE, lambda: self._embed_now(prompted))
            return await asyncio.wrap_future(future)
        return await self._embed_many(prompted)

    async def close(self) -> None:
        """See `Embedder`."""
        await asyncio.to_thread(self._threads.close)
        self._runtime = None

    def _embed_now(self, texts: list[str]) -> Vectors:
        rows = self._tokenizer.encode(texts, self._limit)
        vectors = np.empty((len(rows), self.dimensions), dtype=np.float32)
        for positions in plan_batches([len(row) for row in rows], self._batch_tokens):
            vectors[positions] = self._run([rows[at] for at in positions])
        return vectors

    async def _embed_many(self, texts: list[str]) -> Vectors:
        rows: list[list[int]] = []
        for start in range(0, len(texts), _ENCODE_SLICE):
            part = texts[start : start + _ENCODE_SLICE]
            rows += await asyncio.to_thread(self._tokenizer.encode, part, self._limit)
        vectors = np.empty((len(rows), self.dimensions), dtype=np.float32)
        batches = list(plan_batches([len(row) for row in rows], self._batch_tokens))
        futures = [
            asyncio.wrap_future(self._threads.submit(DOCUMENT_LANE, partial(self._run, part)))
            for part in ([rows[at] for at in positions] for positions in batches)
        ]
        try:
            for positions, future in zip(batches, futures, strict=True):
                vectors[positions] = await future
        finally:
            for future in futures:
                future.cancel()  # when one failed or the caller left: what is done does not mind
        return vectors

    def _run(self, rows: list[list[int]]) -> Vectors:
        if self._runtime is None:
            raise RuntimeError("the model thread outlived its model")
        longest = max(len(row) for row in rows)
        width = padded(longest) if longest > _QUERY_WIDTH else _QUERY_WIDTH
        ids, mask = to_arrays(rows, self._tokenizer.padding_id, width)
        return self._runtime.run(ids, mask)
