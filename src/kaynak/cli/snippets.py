"""Short extracts of passages, with the words of the query marked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

_WORD = re.compile(r"\w+")
SNIPPET_CHARS = 320


def snippet(text: str, query: str, size: int = SNIPPET_CHARS) -> str:
    """Returns the stretch of ``text`` that has most of the query's words, on one line."""
    flat = " ".join(text.split())
    if len(flat) <= size:
        return flat
    places = [start for start, _ in matches(flat, query)]
    best = max(places, key=lambda start: sum(start <= other < start + size for other in places), default=0)
    begin = max(0, best - size // 8)
    begin = flat.rfind(" ", 0, begin + 1) + 1 if begin else 0
    end = min(len(flat), begin + size)
    if end < len(flat):
        end = max(flat.rfind(" ", begin, end), begin + size // 2)
    return ("… " if begin else "") + flat[begin:end].strip() + (" …" if end < len(flat) else "")


def matches(text: str, query: str) -> list[tuple[int, int]]:
    """Returns the words of ``text`` that share their stem with a word of ``query``, as character ranges.

    A stem is the word without its last letters: enough for a mark, without a stemmer per language.
    """
    stems = {_stem(word.group()) for word in _WORD.finditer(query)} - {""}
    return [word.span() for word in _WORD.finditer(text) if any(_fold(word.group()).startswith(stem) for stem in stems)]


def highlighted(text: str, query: str) -> Text:
    """Returns ``text`` with the words of the query in bold."""
    from rich.text import Text

    marked = Text(text)
    for start, end in matches(text, query):
        marked.stylize("bold yellow", start, end)
    return marked


def _stem(word: str) -> str:
    folded = _fold(word)
    if len(folded) < 3 and folded.isascii() and not folded.isdigit():
        return ""
    return folded if len(folded) <= 4 else folded[: max(4, len(folded) - 2)]


def _fold(word: str) -> str:
    # Turkish: both i's fold to one letter, since the language of the query is not known here.
    return word.replace("İ", "i").replace("I", "i").replace("ı", "i").casefold()
