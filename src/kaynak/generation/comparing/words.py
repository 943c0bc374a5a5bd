"""A text cut into words as the checks need them: with their places, their stems, and the sentence they are in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from kaynak.domain.sentences import sentence_spans
from kaynak.engines.analysis import is_stop_word, normalise, stems

# One sign of a script without spaces is a word, and so is a code with its number (IL-6), and all else between signs
# that are neither letters nor digits.
_WORD = re.compile(
    r"[^\W\d_]*[A-Z]-\d\w*|[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]|[^\W_]+(?:['’][^\W\d_]+)?"
)
_MAX_CHARS = 20_000
_PREFIX, _LONG = 5, 6
_NONE = "\u2400"


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a text.

    Attributes:
        start: Offset of its first character.
        end: Offset after its last.
        text: As written, without what follows an apostrophe.
        stem: In one case, without inflection and diacritics.
        stop: Whether it says nothing alone.
        sentence: Number of its sentence, from 0.
        opens: Whether it is the first of its sentence.
    """

    start: int
    end: int
    text: str
    stem: str
    stop: bool
    sentence: int
    opens: bool

    @property
    def capital(self) -> bool:
        """Whether it begins with a capital letter."""
        return self.text[0].isupper()


@dataclass(frozen=True)
class Reading:
    """A text and its words."""

    text: str
    language: str
    words: tuple[Word, ...]
    sentences: int

    @cached_property
    def places(self) -> dict[str, tuple[int, ...]]:
        """Stem to the indices of the words that have it."""
        found: dict[str, list[int]] = {}
        for at, word in enumerate(self.words):
            found.setdefault(word.stem, []).append(at)
        return {stem: tuple(places) for stem, places in found.items()}

    @cached_property
    def prefixes(self) -> dict[str, tuple[int, ...]]:
        """The first letters of long stems to the indices of the words that begin so."""
        found: dict[str, list[int]] = {}
        for at, word in enumerate(self.words):
            if len(word.stem) >= _LONG - 1:
                found.setdefault(word.stem[:_PREFIX], []).append(at)
        return {prefix: tuple(places) for prefix, places in found.items()}

    def between(self, start: int, end: int) -> range:
        """Returns the indices of the words that touch the characters from ``start`` to ``end``."""
        inside = [at for at, word in enumerate(self.words) if word.start < end and word.end > start]
        return range(inside[0], inside[-1] + 1) if inside else range(0)


@lru_cache(maxsize=512)
def read(text: str, language: str) -> Reading:
    """Returns ``text`` cut into words; its first 20,000 characters are looked at.

    Args:
        text: Any text.
        language: ISO 639-1.
    """
    text = text[:_MAX_CHARS]
    ends = [span.end for span in sentence_spans(text)]
    found: list[tuple[int, int, str, str]] = []
    for match in _WORD.finditer(text):
        bare = (
            re.split("['’]", match[0], maxsplit=1)[0] if language == "tr" or match[0][-2:] in ("'s", "’s") else match[0]
        )
        found.append((match.start(), match.end(), bare, _normal(bare, language)))
    words: list[Word] = []
    sentence, opens = 0, True
    for (start, end, bare, normal), stem in zip(found, _stems([one[3] for one in found], language), strict=True):
        while sentence < len(ends) - 1 and start >= ends[sentence]:
            sentence, opens = sentence + 1, True
        words.append(Word(start, end, bare, stem, _is_stop(normal, language), sentence, opens))
        opens = False
    return Reading(text, language, tuple(words), len(ends))


def _stems(normal: Sequence[str], language: str) -> list[str]:
    """Returns one stem for each word; all at once, since a call costs more than a word."""
    joined = stems(" ".join(normal), language)
    if len(joined) == len(normal):
        return joined
    return [next(iter(stems(word, language)), word) for word in normal]


@lru_cache(maxsize=20_000)
def _normal(word: str, language: str) -> str:
    return "".join(char for char in normalise(word, language, short_grams=False) if char.isalnum()) or _NONE


@lru_cache(maxsize=20_000)
def _is_stop(normal: str, language: str) -> bool:
    return is_stop_word(normal, language)


def alike(left: str, right: str) -> float:
    """Returns how likely two stems are forms of one word: 1, 0.6 by a long common beginning, or 0."""
    if left == right:
        return 1.0
    short, long = sorted((len(left), len(right)))
    if short >= _LONG - 1 and left[:_PREFIX] == right[:_PREFIX] and not left[0].isdigit():
        common = next((at for at in range(short) if left[at] != right[at]), short)
        return 0.6 if common >= 0.6 * long else 0.0
    return 0.0
