"""Re-rankers on this machine's CPU."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kaynak.domain import EmbedderUnavailable, Misconfigured, RerankerUnavailable
from kaynak.embedding import M3Model, PairClassifier, late_interaction


class CrossReranker:
    """A cross-encoder: a classifier of pairs with a single class. See `Reranker`.

    Args:
        classifier: The model.

    Raises:
        Misconfigured: It has several classes.
    """

    def __init__(self, classifier: PairClassifier) -> None:
        if len(classifier.labels) != 1:
            raise Misconfigured(
                f"{classifier.name} has the classes {', '.join(classifier.labels)}: it is no re-ranker.",
                hint="Choose a cross-encoder with one class, such as those called reranker.",
            )
        self.name = f"cross:{classifier.name}"
        self._classifier = classifier

    @classmethod
    async def load(cls, directory: Path) -> CrossReranker:
        """Loads the model in ``directory``, off the event loop.

        Raises:
            Misconfigured: It cannot be loaded, or is no such model.
        """
        # Of a passage that is too long the end is left out; of the question nothing.
        return cls(await asyncio.to_thread(lambda: PairClassifier.load(directory, least=1, cut="second")))

    async def rerank(self, query: str, passages: Sequence[str]) -> list[float]:
        """See `Reranker`."""
        try:
            scores = await self._classifier.score([(query, passage) for passage in passages])
        except EmbedderUnavailable as exc:
            raise RerankerUnavailable(exc.message, hint=exc.hint) from exc
        if not np.isfinite(scores).all():
            raise RerankerUnavailable(f"{self.name} gave a score that is no number (NaN).")
        likely = 1 / (1 + np.exp(-scores[:, 0].astype(np.float64)))
        return [float(score) for score in likely]

    async def close(self) -> None:
        """See `Reranker`."""
        await self._classifier.close()


class LateReranker:
    """Compares each token of the query with each of a passage, as ColBERT does. See `Reranker`.

    Args:
        model: Gives the vectors of tokens.
    """

    def __init__(self, model: M3Model) -> None:
        self.name = f"colbert:{model.name}"
        self._model = model

    @classmethod
    async def load(cls, directory: Path) -> LateReranker:
        """Loads the model in ``directory``, off the event loop.

        Raises:
            Misconfigured: It cannot be loaded, or is no such model.
        """
        return cls(await asyncio.to_thread(lambda: M3Model.load(directory)))

    async def rerank(self, query: str, passages: Sequence[str]) -> list[float]:
        """See `Reranker`. Cosines below zero say no less than zero."""
        if not passages:
            return []
        try:
            (asked,) = await self._model.embed_tokens([query], "query")
            vectors = await self._model.embed_tokens(passages, "query")
        except EmbedderUnavailable as exc:
            raise RerankerUnavailable(exc.message, hint=exc.hint) from exc
        scores = await asyncio.to_thread(lambda: [late_interaction(asked, one) for one in vectors])
        return [min(1.0, max(0.0, score)) for score in scores]

    async def close(self) -> None:
        """See `Reranker`."""
        await self._model.close()
