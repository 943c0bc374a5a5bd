from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from kaynak.domain import Hit, KaynakError
from kaynak.embedding import Embedder
from kaynak.generation.extractive.answerability import HOPELESS, likely_answered, read_answerability
from kaynak.generation.extractive.choosing import best_of
from kaynak.generation.extractive.features import Evidence, Features, column, read_question
from kaynak.generation.extractive.units import Unit, units_of
from kaynak.generation.fluency import fluency
from kaynak.generation.wording import language_of

EMBEDDED = 20
"""Sentences that are compared by meaning, the most likely ones by their words: with 16 as many quotes are right on
SQuAD and TQuAD as with 40, and each costs about a millisecond."""

_SPOKEN = 0.5

_log = structlog.get_logger(__name__)


class Models(Protocol):
    """Knows the embedding model of each collection."""

    async def embedder_of(self, collection: str) -> Embedder:
        """Returns the model; raises `KaynakError` if it is away or the collection is not known."""
        ...


@dataclass(frozen=True)
class Scored:
    """The sentences of some passages as answers to a question.

    Attributes:
        units: All sentences.
        likely: Those that were looked at closely.
        features: Of those, see `features.NAMES`.
        spoken: How well the model of the best one speaks the question, in [0, 1].
        found: What speaks for the best one and against it, see `answerability.NAMES`.
    """

    units: Sequence[Unit]
    likely: Sequence[Unit]
    features: Features
    spoken: float
    found: Mapping[str, float]

    @property
    def answered(self) -> float:
        """How likely the best of them answers the question, in [0, 1]."""
        return likely_answered(self.found, self.spoken)


class Scoring:
    """Looks at every sentence of some passages as an answer.

    Args:
        models: To compare sentences with the model of their collection.
    """

    def __init__(self, models: Models) -> None:
        self._models = models

    async def scored(self, question: str, hits: Sequence[Hit]) -> Scored | None:
        """Returns the sentences with what speaks for each; None if nothing is asked, or nothing is said."""
        units = await asyncio.to_thread(units_of, hits)
        if not units:
            return None
        asked = read_question(question, hits)
        if not asked.words:
            return None
        evidence = await asyncio.to_thread(Evidence, asked, hits, units)
        places = np.argsort(-evidence.lexical, kind="stable")[:EMBEDDED].tolist()
        likely = [units[at] for at in places]
        cosines, spoken = await self._cosines(question, hits, likely)
        features = evidence.features(places, cosines, spoken)
        best = best_of(features)
        found = await asyncio.to_thread(read_answerability, question, best, likely, features, hits)
        return Scored(units, likely, features, float(column(features, "spoken")[best]), found)

    async def _cosines(
        self, question: str, hits: Sequence[Hit], units: Sequence[Unit]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Returns the cosine of each sentence with the question, and how well its model speaks the question.

        Where a model is away, words must do: it then speaks nothing.
        """
        cosines = np.zeros(len(units), dtype=np.float32)
        spoken = np.zeros(len(units), dtype=np.float32)
        of_collection: dict[str, list[int]] = {}
        for at, unit in enumerate(units):
            of_collection.setdefault(hits[unit.hit].collection, []).append(at)
        for collection, places in of_collection.items():
            try:
                embedder = await self._models.embedder_of(collection)
                fluent = fluency(question, embedder.tokenizer)
                if fluent == 0:
                    continue
                (asked,), vectors = await asyncio.gather(
                    embedder.embed([question], "query"),
                    embedder.embed([units[at].reading for at in places], "document"),
                )
            except KaynakError as error:
                _log.warning("answer_without_model", error=error.type)
                continue
            cosines[places] = vectors @ asked
            spoken[places] = fluent
        return cosines, spoken


class Answerability:
    """Whether passages answer a question: a guard before a language model is asked to write.

    Args:
        models: As for `ExtractiveAnswerer`.
        least: Likelihood below which a question counts as not answered.
    """

    def __init__(self, models: Models, *, least: float = HOPELESS) -> None:
        self._scoring = Scoring(models)
        self._least = least

    async def likelihood(self, question: str, hits: Sequence[Hit]) -> float:
        """Returns how likely a sentence of ``hits`` answers ``question``, in [0, 1].

        Costs some milliseconds of words and the embedding of at most 20 sentences.
        """
        scored = await self._scoring.scored(question, hits)
        return scored.answered if scored is not None else 0.0

    async def answerable(self, question: str, hits: Sequence[Hit]) -> bool:
        """Returns False where ``hits`` clearly do not answer ``question``. See `Guard`.

        Words say nothing of passages in another language than that of the question, or of a question in one that
        neither the embedding model nor we know: a language model may understand them, so that they pass.
        """
        scored = await self._scoring.scored(question, hits)
        if scored is None:
            return False
        asked = language_of(question)
        known = asked == "tr" or scored.spoken == 0 or scored.spoken >= _SPOKEN
        if not known or all(hit.language != asked for hit in hits):
            return True
        return scored.answered >= self._least
