from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from kaynak.domain import Hit
from kaynak.generation.extractive.answerability import ANSWERED
from kaynak.generation.extractive.choosing import choose
from kaynak.generation.extractive.composing import compose
from kaynak.generation.extractive.scoring import Models, Scoring
from kaynak.generation.protocol import Written


class ExtractiveAnswerer:
    """Quotes the sentences that answer a question, word by word. See `Answerer`.

    Sentences are chosen by the words they share with the question, by meaning, by the kind of thing that is asked
    for, and by the passage they stand in. Where nothing speaks clearly for any of them, nothing is quoted.

    Args:
        models: To compare sentences with the model of their collection.
    """

    name = "extractive"

    def __init__(self, models: Models) -> None:
        self._scoring = Scoring(models)

    async def stream(self, question: str, hits: Sequence[Hit]) -> AsyncGenerator[Written, None]:
        """See `Answerer`."""
        scored = await self._scoring.scored(question, hits)
        if scored is None or scored.answered < ANSWERED:
            return
        for written in compose(choose(scored.likely, scored.features), scored.units, hits):
            yield written
