"""Which sentences are quoted, and whether any is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kaynak.generation.extractive.features import Features, column
from kaynak.generation.extractive.units import Unit

MOST = 3
"""Sentences of an answer."""

CLOSE = 1.5
"""How far behind the best another sentence may be: so 1.4 sentences are quoted on SQuAD and 2.0 on TQuAD."""

# Fitted as a softmax over the sentences of one question, on half of SQuAD 2.0 (English) and of TQuAD (Turkish).
_CHOICE = {
    "own": 2.5,
    "around": 4.0,
    "passage": 2.5,
    "cosine": 8.0,
    "cue": 2.0,
    "rank": 1.8,
    "short": -5.0,
    "heading": -50.0,  # fitted as -5; but a heading is no answer
}
# Fitted by logistic regression to tell questions with their own passages from the same questions with passages on
# other subjects: with a model that speaks the language, on SQuAD 2.0, and by words alone, on TQuAD.
_EVIDENCE = {"around": 1.6, "passage": 1.1}
_COSINE, _BIAS = 8.5, -5.9
_EVIDENCE_OF_WORDS = {"around": 2.6, "passage": 3.1}
_BIAS_OF_WORDS = -2.9
ENOUGH = -0.7
"""Least evidence of a further sentence. Whether there is an answer at all is decided in `answerability`."""


def best_of(features: Features) -> int:
    """Returns which unit answers best, whether or not it does."""
    return int(np.argmax(_weighed(features, _CHOICE)))


def choose(units: Sequence[Unit], features: Features) -> list[Unit]:
    """Returns the sentences to quote, best first: the best one, and those close to it that speak for themselves.

    Args:
        units: Candidates.
        features: Of each, see `features.NAMES`.
    """
    scores = _weighed(features, _CHOICE)
    speaking = evidence(features)
    order = np.argsort(-scores, kind="stable").tolist()
    chosen: list[Unit] = []
    for at in order:
        if len(chosen) == MOST or scores[at] < scores[order[0]] - CLOSE:
            break
        if chosen and speaking[at] < ENOUGH:
            continue
        if not units[at].heading and not any(_says_again(units[at], other) for other in chosen):
            chosen.append(units[at])
    return chosen


def evidence(features: Features) -> Features:
    """Returns how strongly each sentence speaks as an answer, shape ``(n,)``; 0 is as likely as not."""
    spoken = column(features, "spoken")
    # The cosine is already weighed by how well the model speaks the question.
    by_meaning = spoken * (_weighed(features, _EVIDENCE) + _BIAS) + _COSINE * column(features, "cosine")
    by_words = (1 - spoken) * (_weighed(features, _EVIDENCE_OF_WORDS) + _BIAS_OF_WORDS)
    return by_meaning + by_words


def _weighed(features: Features, weights: Mapping[str, float]) -> Features:
    total = np.zeros(len(features))
    for name, weight in weights.items():
        total += weight * column(features, name)
    return total


def _says_again(unit: Unit, other: Unit) -> bool:
    """Whether two units have the same words, or one is a row of the other."""
    inside = unit.hit == other.hit and unit.span.start < other.span.end and other.span.start < unit.span.end
    return inside or _plain(unit.text) == _plain(other.text)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
