"""Lines to running text: words that a line end has cut are joined, real hyphens are kept."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

_LAST = re.compile(r"([^\W\d_]+(?:-[^\W\d_]+)*)[-\u2010\u00ad]$")
_FIRST = re.compile(r"[^\W\d_]+")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_KEPT_BEFORE = frozenset(
    {"self", "well", "half", "high", "long", "short", "full", "cross", "quasi", "vice"}
    | {"two", "three", "four", "five", "six", "seven", "eight", "nine", "third"}
)
"""Words that English joins to the next with a hyphen that stays."""
_NO_SPACE = re.compile("[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\u3000-\u30ff]")
"""Scripts that put no space between words: a line end there is nothing at all."""


class Vocabulary:
    """The words of a document by how often they occur within lines: what tells a hyphen from a cut."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines
        self._counts: Counter[str] | None = None

    def count(self, word: str) -> int:
        """Returns how often the document has ``word``; it is read only when first asked."""
        if self._counts is None:
            self._counts = Counter()
            for line in self._lines:
                self._counts.update(_WORD.findall(line.lower()))
        return self._counts[word.lower()]


def join_lines(lines: Iterable[str], vocabulary: Vocabulary | None = None) -> str:
    """Returns the lines of a paragraph as one line."""
    text = ""
    for line in lines:
        line = line.strip()
        text = join(text, line, vocabulary) if text else line
    return finished(text)


def join(text: str, line: str, vocabulary: Vocabulary | None = None) -> str:
    """Returns ``text`` continued by ``line``."""
    cut = _LAST.search(text)
    if cut is not None and line:
        head = _FIRST.match(line)
        if head is not None and line[0].islower() and not _keeps_hyphen(cut.group(1), head.group(), vocabulary):
            return text[:-1] + line
        if line[0].isalnum():
            return text[:-1] + "-" + line
    elif text.endswith("-") and text[-2:-1].isdigit() and line[:1].isalnum():
        return text + line
    if text and line and _NO_SPACE.match(text[-1]) and _NO_SPACE.match(line[0]):
        return text + line
    return f"{text} {line}"


def _keeps_hyphen(before: str, after: str, vocabulary: Vocabulary | None) -> bool:
    if vocabulary is not None:
        with_hyphen = vocabulary.count(f"{before}-{after}")
        without = vocabulary.count(f"{before}{after}")
        if with_hyphen != without:
            return with_hyphen > without
    # A part that has hyphens already goes on having them: state-of-the-|art.
    return "-" in before or (before.lower() in _KEPT_BEFORE and len(after) >= 4)


def finished(text: str) -> str:
    """Returns ``text`` without soft hyphens, but for one at its end, which was a hyphen."""
    if "\u00ad" not in text:
        return text
    if text.endswith("\u00ad"):
        text = text[:-1] + "-"
    return text.replace("\u00ad", "")
