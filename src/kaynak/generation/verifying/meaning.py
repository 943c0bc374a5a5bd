"""How near a sentence is to what its evidence means, by the embedding model."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence

import numpy as np
import structlog
from numpy.typing import NDArray

from kaynak.domain import KaynakError
from kaynak.domain.sentences import sentence_spans
from kaynak.embedding import Embedder

_log = structlog.get_logger(__name__)

Vectors = NDArray[np.float32]
GetEmbedder = Callable[[], Awaitable[Embedder]]
"""Returns the model, loaded at the first call; raises `KaynakError` if it is away."""

_COMPARED = 3
"""Evidence sentences that are compared by meaning, and as many pairs of them: those with most words of the sentence."""
_REMEMBERED = 512


class Meaning:
    """Cosines of sentences with their evidence. The vectors of recent evidence are kept.

    Args:
        embedder: Gives the model.
    """

    def __init__(self, embedder: GetEmbedder) -> None:
        self._get = embedder
        self._known: OrderedDict[tuple[str, str], Vectors] = OrderedDict()

    async def cosine(self, sentence: str, evidence: Sequence[str]) -> tuple[float, Embedder] | None:
        """Returns the cosine with the nearest of ``evidence``, and the model; None if it is away."""
        try:
            embedder = await self._get()
            vectors = await self._vectors(embedder, [sentence, *evidence])
        except KaynakError as error:
            _log.warning("verification_without_model", error=error.type)
            return None
        return float((vectors[1:] @ vectors[0]).max()) if evidence else 0.0, embedder

    async def _vectors(self, embedder: Embedder, texts: Sequence[str]) -> Vectors:
        keys = [(embedder.fingerprint, text) for text in texts]
        unknown = [key for key in dict.fromkeys(keys) if key not in self._known]
        found = {key: self._known[key] for key in keys if key in self._known}
        if unknown:
            made = await embedder.embed([text for _, text in unknown], "document")
            found |= zip(unknown, made, strict=True)
        for key, vector in found.items():
            self._known[key] = vector
            self._known.move_to_end(key)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return np.stack([found[key] for key in keys])


def windows(text: str, coverage: Sequence[float]) -> list[str]:
    """Returns the sentences of an evidence that are likely to bear a sentence out, and each with its neighbour.

    Args:
        text: The evidence.
        coverage: Share of the sentence's words in each of its sentences.
    """
    spans = sentence_spans(text)
    likely = sorted(range(len(spans)), key=lambda at: -(coverage[at] if at < len(coverage) else 0.0))[:_COMPARED]
    texts = [spans[at].of(text) for at in likely]
    for at in likely:
        left = at if at + 1 < len(spans) else at - 1
        if left >= 0:
            texts.append(text[spans[left].start : spans[left + 1].end])
    return list(dict.fromkeys(" ".join(one.split()) for one in texts))
