"""How well a model speaks a language, from how it spells its words."""

from __future__ import annotations

import re
import unicodedata

from kaynak.domain.tokens import TokenCounter

_SAMPLE = 1000
# Scripts without spaces between words: Chinese, Japanese, Thai, Lao, Burmese, Khmer.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_ASCII_LETTERS = re.compile("[A-Za-z]+")
_UNSPACED_WORD = 2.0
"""Letters of an average word there."""


def pieces_per_word(text: str, tokenizer: TokenCounter) -> float:
    """Returns how many tokens a word of ``text`` takes; 0 when it has no words.

    About 1 to 1.7 in a language the model was trained on, about 3 in one it was not. A token that stands for
    something unknown counts as all the letters of a word, since the model sees nothing of them. Where tokens are only
    estimated, nothing can be told: 0 as well.
    """
    if getattr(tokenizer, "estimated", False):
        return 0.0
    runs = _runs(text[:_SAMPLE])
    if not runs:
        return 0.0
    unspaced = sum(len(_UNSPACED.findall(run)) for run in runs if not run.isascii())
    letters = sum(map(len, runs))
    words = unspaced / _UNSPACED_WORD + (sum(not _UNSPACED.search(run) for run in runs) if unspaced else len(runs))
    joined = " ".join(runs)
    pieces = float(tokenizer.count(joined))
    unknown = getattr(tokenizer, "unknown", None)
    if unknown is not None:
        pieces += unknown(joined) * max(0.0, letters / words - 1)
    return pieces / words


def _runs(text: str) -> list[str]:
    """Returns what lies between characters that are no letters."""
    if text.isascii():
        return _ASCII_LETTERS.findall(text)
    return "".join(char if _is_letter(char) else " " for char in text).split()


def _is_letter(char: str) -> bool:
    return char.isalpha() or unicodedata.category(char)[0] == "M"
