"""Re-rankers that are asked over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from kaynak.domain import Misconfigured, RerankerUnavailable
from kaynak.remote import Ask, KeyOf, Service
from kaynak.remote.exchange import Exchange
from kaynak.reranking.protocol import scores_of

_AGAIN_SECONDS = 0.25
"""Most that is waited before a second try: somebody waits for the search."""
_MOST_CHARS = 8000
"""Of a passage that is sent; services cut it to what their models read."""


class RerankWire(StrEnum):
    """The formats that scores are asked for in."""

    COHERE = "cohere"
    JINA = "jina"
    TEI = "tei"


_MOST_PASSAGES = {RerankWire.COHERE: 100, RerankWire.JINA: 100, RerankWire.TEI: 32}


class HostedReranker:
    """A re-ranker of a provider, or on a server of Text Embeddings Inference. See `Reranker`.

    Args:
        name: As people type it.
        wire: The format it speaks.
        model: For those that have several.
        service: Where it is.
        keys: Gives its key.
        exchange: Asks; it is closed with this.
        seconds: Most time for one request.
    """

    def __init__(
        self,
        name: str,
        wire: RerankWire,
        model: str,
        service: Service,
        keys: KeyOf,
        exchange: Exchange,
        *,
        seconds: float,
    ) -> None:
        self.name = name
        self._wire = wire
        self._model = model
        self._service = service
        self._keys = keys
        self._exchange = exchange
        self._seconds = seconds

    async def rerank(self, query: str, passages: Sequence[str]) -> list[float]:
        """See `Reranker`."""
        if not passages:
            return []
        key = await self._keys(self._service.name)
        if key is None and self._service.needs_key:
            raise Misconfigured(f"{self._service.title} has no key.", hint=self._service.key_hint)
        sent = [_sent(passage) for passage in passages]
        return await self._exchange.run(self._scores(_sent(query), sent, key), RerankerUnavailable)

    async def close(self) -> None:
        """See `Reranker`."""
        await self._exchange.close()

    async def _scores(self, query: str, passages: list[str], key: str | None) -> list[float]:
        size = _MOST_PASSAGES[self._wire]
        parts = [passages[at : at + size] for at in range(0, len(passages), size)]
        tasks = [asyncio.ensure_future(self._score_some(query, part, key)) for part in parts]
        try:
            return [score for some in await asyncio.gather(*tasks) for score in some]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _score_some(self, query: str, passages: list[str], key: str | None) -> list[float]:
        try:
            return await self._asked(query, passages, key)
        except RerankerUnavailable as exc:
            wait = _AGAIN_SECONDS / 2 if exc.retry_after is None else exc.retry_after
            if wait > _AGAIN_SECONDS:
                raise
        await asyncio.sleep(wait)
        return await self._asked(query, passages, key)

    async def _asked(self, query: str, passages: list[str], key: str | None) -> list[float]:
        document = await self._exchange.document(
            self._service,
            key,
            self._ask(query, passages),
            seconds=self._seconds,
            away=RerankerUnavailable,
        )
        try:
            if self._wire is RerankWire.TEI:
                pairs = [(entry["index"], entry["score"]) for entry in document]
            else:
                pairs = [(entry["index"], entry["relevance_score"]) for entry in document["results"]]
        except (KeyError, TypeError) as exc:
            raise RerankerUnavailable(
                f"The answer of {self._service.title} has no scores in it.",
                hint=f"Check the address; see {self._service.page}.",
            ) from exc
        return scores_of(pairs, len(passages), self._service.title)

    def _ask(self, query: str, passages: list[str]) -> Ask:
        if self._wire is RerankWire.TEI:
            return Ask("/rerank", {"query": query, "texts": passages, "raw_scores": False, "truncate": True})
        body: dict[str, Any] = {"model": self._model, "query": query, "documents": passages}
        if self._wire is RerankWire.COHERE:
            return Ask("/v2/rerank", body)
        return Ask("/v1/rerank", {**body, "return_documents": False})


def _sent(text: str) -> str:
    whole = text[:_MOST_CHARS].encode("utf-8", "replace").decode()
    return whole if whole.strip() else "-"
