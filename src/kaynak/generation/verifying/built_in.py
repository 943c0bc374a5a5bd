from __future__ import annotations

import asyncio
from collections.abc import Sequence

from kaynak.domain import Verdict
from kaynak.generation.comparing import Comparison, compare, read
from kaynak.generation.fluency import fluency
from kaynak.generation.verifying.meaning import GetEmbedder, Meaning, windows
from kaynak.generation.verifying.protocol import Judgement
from kaynak.generation.verifying.reasons import reasons_of
from kaynak.generation.verifying.weighing import verdict, weigh
from kaynak.generation.wording import language_of

_SHORT = 4
"""Words below which a sentence is read with its question: “26 days.” says what it says only so."""


class BuiltInVerifier:
    """Checks numbers, dates, names, negations and opposites, and whether the meaning is borne out. See `Verifier`.

    No language model is asked: words are looked up with what they stand next to, and the embedding model compares
    the sentence with those of the evidence. It knows English and Turkish; sentences in other languages are checked by
    their words, numbers and names.

    Args:
        embedder: Gives the embedding model; where it is away, words must do.
    """

    name = "built-in"

    def __init__(self, embedder: GetEmbedder) -> None:
        self._meaning = Meaning(embedder)

    async def verify(self, sentence: str, evidence: Sequence[str], *, question: str = "") -> Judgement:
        """See `Verifier`. Never raises `Unavailable`."""
        comparison, spoken = await self.measure(sentence, evidence, question=question)
        score = weigh(comparison.features, spoken)
        decided = verdict(score)
        language = language_of(question or sentence)
        reasons = () if decided is Verdict.SUPPORTED else reasons_of(comparison, language)
        return Judgement(decided, round(score, 4), reasons)

    async def measure(self, sentence: str, evidence: Sequence[str], *, question: str = "") -> tuple[Comparison, float]:
        """Returns what was found, with the feature ``cosine``, and how well the model speaks the sentence's language.

        Arguments are those of `verify`.
        """
        claim = f"{question} {sentence}" if question and len(sentence.split()) < _SHORT else sentence
        language = language_of(claim)
        text = "\n\n".join(evidence)
        comparison = await asyncio.to_thread(compare, read(claim, language), read(text, language))
        nearest = await self._meaning.cosine(claim, windows(text, comparison.coverage))
        if nearest is None:
            comparison.features["cosine"] = 0.0
            return comparison, 0.0
        cosine, embedder = nearest
        spoken = fluency(claim, embedder.tokenizer)
        comparison.features["cosine"] = cosine
        return comparison, spoken
