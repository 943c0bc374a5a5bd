from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kaynak.domain import EmbedderUnavailable, Misconfigured
from kaynak.domain.tokens import TokenCounter
from kaynak.embedding.hosted.counting import EstimatingCounter
from kaynak.embedding.hosted.options import HostedOptions
from kaynak.embedding.hosted.wires import Limits, Wanted
from kaynak.embedding.protocol import Kind
from kaynak.embedding.soundness import sound
from kaynak.remote import TextTooLong
from kaynak.remote.exchange import Exchange

Vectors = NDArray[np.float32]

_NOTHING = "-"
"""Sent for a text without a visible character: providers refuse those."""
_LEAST_TOKENS = 16
"""A model that refuses a text of so few tokens refuses it for another reason."""


@dataclass(frozen=True, slots=True)
class HostedModel:
    """A model as it was found.

    Attributes:
        name: In full, as people type it.
        wanted: What requests for it say.
        limits: Of a request.
        identity: What it is, wherever it runs: maker, name, and what its server says to tell versions apart.
        dimensions: Of its vectors.
        max_tokens: Of one text with its prompt.
        prompts: Before texts, by kind.
    """

    name: str
    wanted: Wanted
    limits: Limits
    identity: tuple[str, ...]
    dimensions: int
    max_tokens: int
    prompts: Mapping[Kind, str]

    @property
    def fingerprint(self) -> str:
        """Digest of what makes the vectors.

        Where the model runs is no part of it: a gateway, another region or another host of the same model goes on with
        what is embedded. Nor can the weights of others be looked at; where the server tells them apart (Ollama's
        digest, the revision of TEI) that is part of `identity`.
        """
        prompts = {kind: prompt for kind, prompt in sorted(self.prompts.items()) if prompt}
        described = json.dumps(["hosted", *self.identity, self.dimensions, prompts, self.wanted.dimensions is not None])
        return hashlib.blake2b(described.encode(), digest_size=16).hexdigest()


class HostedEmbedder:
    """A model that is asked over HTTP. See `Embedder`.

    Args:
        model: Which.
        exchange: Asks.
        options: Keys and patience.
    """

    def __init__(self, model: HostedModel, exchange: Exchange, options: HostedOptions) -> None:
        self.fingerprint = model.fingerprint
        self.dimensions = model.dimensions
        self._counter = EstimatingCounter()
        self.tokenizer: TokenCounter = self._counter
        longest = max((self._counter.count(prompt) for prompt in model.prompts.values()), default=0)
        self.max_tokens = max(_LEAST_TOKENS, model.max_tokens - longest)
        self._model = model
        self._title = f"The embedding model {model.name}"
        self._exchange = exchange
        self._options = options
        self._places: asyncio.Semaphore | None = None
        self._closed = False

    async def embed(self, texts: Sequence[str], kind: Kind) -> Vectors:
        """See `Embedder`.

        Raises:
            EmbedderUnavailable: The provider does not answer, or not with sound vectors.
            Misconfigured: It refuses the key, the model or the request.
        """
        if self._closed:
            raise EmbedderUnavailable("The embedding model is closed.")
        if not texts:
            return np.zeros((0, self.dimensions), dtype=np.float32)
        key = await self._options.keys(self._model.wanted.provider.service.name)
        sent = [self._sent(text, kind) for text in texts]
        return await self._exchange.run(self._embed_all(sent, kind, key), EmbedderUnavailable)

    async def close(self) -> None:
        """See `Embedder`. The connections belong to the exchange."""
        self._closed = True

    def _sent(self, text: str, kind: Kind) -> str:
        cut = self._counter.cut(text, self.max_tokens)
        # Half of a surrogate pair is no character, and cannot be sent.
        whole = cut.encode("utf-8", "replace").decode()
        return self._model.prompts.get(kind, "") + (whole if whole.strip() else _NOTHING)

    async def _embed_all(self, texts: list[str], kind: Kind, key: str | None) -> Vectors:
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)

        async def fill(part: slice) -> None:
            vectors[part] = await self._embed_some(texts[part], kind, key)

        tasks = [asyncio.ensure_future(fill(part)) for part in plan(texts, self._model.limits, self._counter.count)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()  # when one failed or the caller left: what is done does not mind
            await asyncio.gather(*tasks, return_exceptions=True)
        return vectors

    async def _embed_some(self, texts: Sequence[str], kind: Kind, key: str | None) -> Vectors:
        """Returns the vectors of one request. Texts that are too long by the provider's own count are cut further."""
        try:
            return sound(await self._rows(texts, kind, key), len(texts), self.dimensions, self._title)
        except TextTooLong as exc:
            if len(texts) > 1:
                # Each by itself, so that its vector does not depend on its company.
                return np.concatenate([await self._embed_some([text], kind, key) for text in texts])
            half = self._counter.count(texts[0]) // 2
            if half < _LEAST_TOKENS:
                raise Misconfigured(exc.message, hint="Choose another model.") from exc
            return await self._embed_some([self._counter.cut(texts[0], half)], kind, key)

    async def _rows(self, texts: Sequence[str], kind: Kind, key: str | None) -> list[Any]:
        wanted = self._model.wanted
        self._places = self._places or asyncio.Semaphore(self._model.limits.parallel)
        async with self._places:
            document = await self._exchange.document(
                wanted.provider.service,
                key,
                wanted.ask(texts, kind),
                seconds=self._options.query_seconds if kind == "query" else self._options.seconds,
                away=EmbedderUnavailable,
            )
        return wanted.rows(document)


def plan(texts: Sequence[str], limits: Limits, count: Callable[[str], int]) -> Iterator[slice]:
    """Yields the parts of ``texts`` that are sent in one request each, in order."""
    start, tokens = 0, 0
    for at, text in enumerate(texts):
        size = count(text)
        if at > start and (at - start >= limits.texts or tokens + size > limits.tokens):
            yield slice(start, at)
            start, tokens = at, 0
        tokens += size
    if start < len(texts):
        yield slice(start, len(texts))
