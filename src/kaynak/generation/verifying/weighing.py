"""From features to a score and a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp

from kaynak.domain import Verdict

_TOGETHER = (
    ("cosine", "one"),
    ("name_slot", "one"),
    ("name_swap", "one"),
    ("number_slot", "one"),
    ("one", "one"),
    ("missing", "cosine"),
)
"""Features that say more together: a name in the wrong place weighs more where all the rest stands in one sentence."""
_WHOLE = 0.97

# Fitted by logistic regression on half of the set of benchmarks/verifier.py (see there, --refit): with a model that
# speaks the language, on English; by words alone, on Turkish. Zero is where 13 of 100 true reworded statements are
# doubted.
BY_MEANING = {
    "one": 7.7, "two": 5.34, "all": -0.24, "missing": -1.98, "number": -4.85, "date": -4.83, "name": -0.59,
    "name_swap": -1.66, "name_slot": -1.47, "roles": -9.03, "number_swap": -5.93, "number_slot": -1.06,
    "opposite": -8.96, "negation": -9.89, "unnegated": -6.44, "order": 2.04, "cosine": 0.74, "cosine*one": -1.61,
    "name_slot*one": -2.21, "name_swap*one": -1.1, "number_slot*one": -0.07, "one*one": -6.25,
    "missing*cosine": 7.32, "any_name": -1.03, "whole": 2.1, "bias": -5.48,
}  # fmt: skip
BY_WORDS = {
    "one": 6.02, "two": -0.15, "all": 1.76, "missing": -1.97, "number": -4.23, "date": -2.96, "name": -1.14,
    "name_swap": -3.56, "name_slot": -1.73, "roles": -8.58, "number_swap": -5.01, "opposite": -7.84,
    "negation": -9.11, "order": 1.05, "short": -3.91, "number_slot*one": 0.15, "one*one": -5.64, "any_name": -0.05,
    "whole": 2.0, "bias": -1.36,
}  # fmt: skip
SUPPORTED, PARTLY = 0.5, 0.2
"""Least scores."""


def expanded(features: Mapping[str, float]) -> dict[str, float]:
    """Returns what is weighed: the features, some of their products, and two thresholds."""
    found = dict(features)
    found |= {f"{left}*{right}": features[left] * features[right] for left, right in _TOGETHER}
    found["any_name"] = float(features["name"] > 0)
    found["whole"] = float(features["one"] > _WHOLE)
    found["bias"] = 1.0
    return found


def weigh(features: Mapping[str, float], spoken: float) -> float:
    """Returns how likely a sentence is borne out, in [0, 1].

    Args:
        features: By `comparing.NAMES`, and ``cosine``.
        spoken: How well the embedding model speaks the language, in [0, 1].
    """
    known = expanded(features)
    by_meaning, by_words = _logit(known, BY_MEANING), _logit(known, BY_WORDS)
    return 1 / (1 + exp(-(spoken * by_meaning + (1 - spoken) * by_words)))


def _logit(features: Mapping[str, float], weights: Mapping[str, float]) -> float:
    return sum(weight * features[name] for name, weight in weights.items())


def verdict(score: float) -> Verdict:
    """Returns what a score means."""
    if score >= SUPPORTED:
        return Verdict.SUPPORTED
    return Verdict.PARTLY if score >= PARTLY else Verdict.UNSUPPORTED
