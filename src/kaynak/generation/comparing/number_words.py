"""Numbers written in words, in English and Turkish."""

from __future__ import annotations

import re
from functools import cache

_ENGLISH = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen
"""
_ENGLISH_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_ENGLISH_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "eleventh": 11, "twelfth": 12, "thirteenth": 13, "fourteenth": 14, "fifteenth": 15,
    "sixteenth": 16, "seventeenth": 17, "eighteenth": 18, "nineteenth": 19, "twentieth": 20, "thirtieth": 30,
    "fortieth": 40, "fiftieth": 50, "hundredth": 100, "thousandth": 1000,
}  # fmt: skip
_TURKISH = "sıfır bir iki üç dört beş altı yedi sekiz dokuz"
_TURKISH_TENS = "on yirmi otuz kırk elli altmış yetmiş seksen doksan"
_TURKISH_ENDINGS = (
    r"(?:inci|ıncı|uncu|üncü|nci|ncı)(?:s[iıuü])?(?:n?[dt][ae]n?)?|"
    r"(?:si|ı|i|u|ü|sı)n?|[ae]|y[ae]|[dt][ae]n?|[iıuü]?n[iıuü]n"
)
SCALES = {
    "en": {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12},
    "tr": {"yüz": 1e2, "bin": 1e3, "milyon": 1e6, "milyar": 1e9, "trilyon": 1e12},
}
"""Words that multiply what stands before them, by language."""

WEAK = frozenset({"one", "first", "second", "zero", "bir", "on", "once", "half", "quarter", "yarı", "yarım"})
"""Words that are often something else than a number: they satisfy a number, but are not looked for themselves."""

_EXTRA = {
    "en": {"dozen": 12.0, "once": 1.0, "twice": 2.0, "half": 0.5, "quarter": 0.25},
    "tr": {"düzine": 12.0, "yarı": 0.5, "yarısı": 0.5, "yarım": 0.5, "çeyrek": 0.25},
}


@cache
def values(language: str) -> dict[str, float]:
    """Returns every simple number word of a language with its value; small letters."""
    if language == "tr":
        found = {word: float(at) for at, word in enumerate(_TURKISH.split())}
        found |= {word: float(10 * at) for at, word in enumerate(_TURKISH_TENS.split(), 1)}
    else:
        found = {word: float(at) for at, word in enumerate(_ENGLISH.split())}
        found |= {word: float(10 * at) for at, word in enumerate(_ENGLISH_TENS.split(), 2)}
        found |= {word: float(value) for word, value in _ENGLISH_ORDINALS.items()}
    return found | _EXTRA.get(language, {})


@cache
def _inflected() -> re.Pattern[str]:
    bases = sorted((*values("tr"), *SCALES["tr"]), key=len, reverse=True)
    return re.compile(rf"({'|'.join(bases)})(?:{_TURKISH_ENDINGS})")


def base(word: str, language: str) -> str:
    """Returns the number word that a word is a form of, else the word itself.

    Turkish words carry endings (``üçüncü``, ``beşte``); those of *on*, *bin*, *yüz* and *altı* that also are other
    words (``onun``, ``yüzü``, ``altında``) are left as they are.
    """
    if language != "tr" or word in values("tr") or word in SCALES["tr"]:
        return word
    match = _inflected().fullmatch(word)
    if match is None:
        return word
    ordinal = "nc" in word[len(match[1]) :]
    return match[1] if ordinal or match[1] not in ("on", "bin", "yüz", "altı", "kırk", "bir", "elli", "yedi") else word


def combined(words: list[str], language: str) -> float:
    """Returns the value of number words that stand together: ``two hundred and five`` is 205."""
    simple, scales = values(language), SCALES.get(language, {})
    total = current = 0.0
    for word in words:
        if word in simple:
            current += simple[word]
        elif word in scales:
            scale = scales[word]
            if scale == 1e2:
                current = (current or 1.0) * scale
            else:
                total, current = total + (current or 1.0) * scale, 0.0
    return total + current
