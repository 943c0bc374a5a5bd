from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from kaynak.domain import Misconfigured, Verdict
from kaynak.embedding import PairClassifier
from kaynak.generation.verifying.protocol import Judgement
from kaynak.generation.wording import language_of

_LIKELY, _HALF = 0.5, 0.25
_REASONS = {
    "en": {"contradiction": "The source contradicts this.", "neutral": "The source does not say this."},
    "tr": {"contradiction": "Kaynak bununla çelişiyor.", "neutral": "Kaynak bunu söylemiyor."},
}


class InferenceVerifier:
    """Asks a model of natural language inference whether the source entails the sentence. See `Verifier`.

    The model reads the source as premise and the sentence as hypothesis; a long source is read in parts that overlap,
    and the part that speaks most for the sentence counts.

    Args:
        classifier: A model with a class *entailment*.

    Raises:
        Misconfigured: It has no such class.
    """

    def __init__(self, classifier: PairClassifier) -> None:
        self.name = classifier.name
        self._classifier = classifier
        labels = [label.lower() for label in classifier.labels]
        if "entailment" not in labels:
            raise Misconfigured(
                f"{classifier.name} has the classes {', '.join(classifier.labels)}, and none called entailment.",
                hint="Choose a model of natural language inference; its config.json names its classes in id2label.",
            )
        self._entails = labels.index("entailment")
        self._contradicts = labels.index("contradiction") if "contradiction" in labels else None

    @classmethod
    async def load(cls, directory: Path) -> InferenceVerifier:
        """Loads the model in ``directory``, off the event loop.

        Raises:
            Misconfigured: It cannot be loaded, or is no such model.
        """
        return cls(await asyncio.to_thread(lambda: PairClassifier.load(directory.expanduser())))

    async def verify(self, sentence: str, evidence: Sequence[str], *, question: str = "") -> Judgement:
        """See `Verifier`."""
        claim = f"{question} {sentence}" if question and len(sentence.split()) < 4 else sentence
        pairs = [(part, claim) for text in evidence for part in self._classifier.split(text, claim)]
        likely = await self._classifier.classify(pairs)
        entailed = float(likely[:, self._entails].max())
        words = _REASONS[language_of(question or sentence)]
        if entailed >= _LIKELY:
            return Judgement(Verdict.SUPPORTED, round(entailed, 4))
        contradicted = float(likely[:, self._contradicts].max()) if self._contradicts is not None else 0.0
        reason = words["contradiction"] if contradicted >= _LIKELY else words["neutral"]
        verdict = Verdict.PARTLY if entailed >= _HALF and contradicted < _LIKELY else Verdict.UNSUPPORTED
        return Judgement(verdict, round(entailed, 4), (reason,))

    async def close(self) -> None:
        """Frees the model."""
        await self._classifier.close()
