"""Whether passages answer a question at all: what speaks for the best sentence, weighed against what is missing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import exp

from kaynak.domain import Hit
from kaynak.generation.comparing import compare, read
from kaynak.generation.extractive.choosing import evidence
from kaynak.generation.extractive.features import NAMES as SENTENCE
from kaynak.generation.extractive.features import Features
from kaynak.generation.extractive.units import Unit
from kaynak.generation.wording import language_of

ANSWERED = 0.35
"""Least likelihood at which something is quoted: see docs/benchmarks.md for what other values would give."""
HOPELESS = 0.15
"""Least likelihood at which it is worth asking a language model, which understands more than words."""

# Words that only ask. An answer to “How long does it last?” need not have “long” or “last” in it.
_ASKING = re.compile(
    r"\bhow (?:long|many|much|often|soon|far|old|large|big|tall|high|fast|deep|wide)\b|(?<=\w )(?:last|take)s?(?=\W*$)|"
    r"\b(?:kaç(?:ıncı|tır|ta)?|ne kadar|ne zaman|nere\w*|kim\w{0,4}|hangi\w{0,2}|nasıl|neden|niçin|niye|nedir|ne)\b",
    re.IGNORECASE,
)
_NEAR = ("one", "missing", "name", "number", "date", "name_slot", "opposite", "negation", "unnegated")
_WHOLE = ("all", "name", "number", "date")
NAMES = (
    *(name for name in SENTENCE if name not in ("spoken", "short", "heading")),
    "margin",
    *_NEAR,
    *(f"passage_{name}" for name in _WHOLE),
)
"""What the score is made of: the features of the best sentence (see `features.NAMES`); margin: how much more speaks for
it than for the best one of another passage; and the question held against the sentence with what it is read under, and
(passage\\_) against its whole passage, see `comparing.NAMES`."""


def read_answerability(
    question: str, best: int, units: Sequence[Unit], features: Features, hits: Sequence[Hit]
) -> dict[str, float]:
    """Returns the features of the best sentence as an answer, by `NAMES`.

    Args:
        question: As asked.
        best: Which of ``units``.
        units: Candidates.
        features: Of each, see `features.NAMES`.
        hits: The passages.
    """
    unit = units[best]
    hit = hits[unit.hit]
    found = dict(zip(SENTENCE, features[best].tolist(), strict=True))
    speaking = evidence(features)
    others = [speaking[at] for at, other in enumerate(units) if other.hit != unit.hit]
    found["margin"] = float(speaking[best] - max(others)) if others else 0.0
    language = hit.language if hit.language in ("en", "tr") else language_of(question)
    asked = read(_ASKING.sub(" ", question), language)
    above = "\n\n".join(one for one in (unit.above, unit.before) if one)
    near = compare(asked, read(f"{above}\n\n{unit.text}", language)).features
    whole = compare(asked, read(f"{unit.above}\n\n{hit.text}", language)).features
    found |= {name: near[name] for name in _NEAR} | {f"passage_{name}": whole[name] for name in _WHOLE}
    return {name: found[name] for name in NAMES}


# Fitted by logistic regression on half of the questions of benchmarks/abstention.py (see there, --refit): with a model
# that speaks the language, on SQuAD 2.0; by words alone, on SQuAD 2.0 and TQuAD.
BY_MEANING = {
    "own": 0.45, "around": 0.68, "passage": -0.59, "cosine": 4.72, "cue": 0.58, "kind": -0.72, "rank": 0.37,
    "margin": -0.11, "one": 0.49, "missing": -1.06, "name": -0.95, "number": -1.04, "date": -1.37,
    "name_slot": -0.49, "opposite": -3.53, "negation": -5.47, "unnegated": -0.82, "passage_all": -0.05,
    "passage_name": -0.48, "passage_number": -0.58, "passage_date": -1.13, "bias": -2.47,
}  # fmt: skip
BY_WORDS = {
    "own": 0.1, "around": -2.79, "passage": 2.84, "cue": 0.47, "kind": -0.65, "rank": 0.41, "one": 0.42,
    "missing": -3.39, "name": -0.83, "number": -1.22, "date": -0.26, "name_slot": -0.04, "opposite": -4.16,
    "negation": -5.97, "unnegated": -1.46, "passage_all": -0.32, "passage_name": -1.71, "passage_number": -0.5,
    "passage_date": -2.06, "bias": 1.12,
}  # fmt: skip


def likely_answered(found: Mapping[str, float], spoken: float) -> float:
    """Returns how likely a question is answered, in [0, 1].

    Args:
        found: By `NAMES`.
        spoken: How well the embedding model speaks the question, in [0, 1].
    """
    by_meaning, by_words = _logit(found, BY_MEANING), _logit(found, BY_WORDS)
    return 1 / (1 + exp(-(spoken * by_meaning + (1 - spoken) * by_words)))


def _logit(found: Mapping[str, float], weights: Mapping[str, float]) -> float:
    return weights["bias"] + sum(weight * found[name] for name, weight in weights.items() if name != "bias")
