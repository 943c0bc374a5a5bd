from __future__ import annotations

import re
import threading
from functools import cache
from typing import Any

import numpy as np

SAMPLE = 600
"""Characters that are looked at."""
_READ = 300
"""Letters of them that are classified, which is most of the work: on 4,500 texts twice as many changed nothing."""

_LEAST_LETTERS = 24
_LEAST_OTHERS = 6
_SURE = 0.55
_LETTERS = re.compile(r"[^\W\d_]+")
_loading = threading.Lock()


def detect_language(text: str) -> str | None:
    """Returns the ISO 639-1 code of the language of ``text``, or None if it is too short or nothing stands out.

    Three samples from the beginning, the middle and the end decide, so that a cover page in another language
    does not.
    """
    sample = _sample(" ".join(_LETTERS.findall(_sample(text, SAMPLE))), _READ)
    # A few characters of most other scripts tell more than a few Latin letters.
    if len(sample) < (_LEAST_LETTERS if sample.isascii() else _LEAST_OTHERS):
        return None
    language, certainty = _identifier().classify(sample)
    return str(language) if certainty >= _SURE else None


def _sample(text: str, size: int) -> str:
    if len(text) <= size:
        return text
    third = size // 3
    middle = (len(text) - third) // 2
    return " ".join((text[:third], text[middle : middle + third], text[-third:]))


def _identifier() -> Any:
    with _loading:
        return _load()


@cache
def _load() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    # The model tells languages apart that have no two-letter code (varieties of Arabic, Chinese and Turkic
    # among them); they would take votes from those that analysers know.
    identifier.set_languages([code for code in identifier.labels if len(code) == 2])
    # Its table comes column by column, while rows are what is read of it: so scoring takes half the time.
    identifier.nb_ptc = np.ascontiguousarray(identifier.nb_ptc)
    return identifier
