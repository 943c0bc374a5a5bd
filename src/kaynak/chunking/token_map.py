"""Where the tokens of a text are, found once, so that any stretch of it can be counted in no time."""

from __future__ import annotations

import unicodedata

import numpy as np
from numpy.typing import NDArray

from kaynak.domain import Span
from kaynak.domain.tokens import TokenCounter

_SLICE = 32_768
_LONGEST = 24
"""Characters that may count as one token. A vocabulary calls a word that it cannot spell one token, however
long it is; chunks must be bounded in characters too."""
_JOINERS = frozenset("\u200c\u200d")
_GRAPHEME = 32


class TokenMap:
    """The tokens of ``text``.

    Counts are the tokenizer's, except that long tokens and long stretches without tokens (white space,
    characters the tokenizer drops) count for their length. They hold for a part of the text that begins and
    ends at white space; a part cut elsewhere may have a few more.

    Attributes:
        text: The text.
        starts: First character of each token, int32, ascending.
    """

    def __init__(self, text: str, counter: TokenCounter) -> None:
        self.text = text
        self.counter = counter
        pieces = [
            _with_gaps_filled(np.array(counter.starts(part.of(text)), dtype=np.int64), len(part)) + part.start
            for part in _slices(text)
        ]
        self.starts: NDArray[np.int64] = (
            np.maximum.accumulate(np.concatenate(pieces)) if pieces else np.zeros(0, dtype=np.int64)
        )

    def index(self, at: int) -> int:
        """Returns how many tokens begin before the character ``at``."""
        return int(self.starts.searchsorted(at))

    def count(self, start: int, end: int) -> int:
        """Returns how many tokens begin in ``[start, end)``."""
        return self.index(end) - self.index(start)

    def cut(self, start: int, end: int, limit: int, *, clauses: bool = True) -> int:
        """Returns where to cut ``[start, end)`` so that the first part has at most ``limit`` tokens.

        After a clause if asked to and it costs less than a third of the part, else between words, else, in a
        word that is too long itself, between characters. Always after ``start``.
        """
        first = self.index(start)
        if first + limit >= len(self.starts) or self.starts[first + limit] >= end:
            return end
        latest = int(self.starts[first + limit])
        spaces = self._spaces(start, latest)
        third = int(self.starts[first + max(1, limit * 2 // 3)])
        for at in spaces if clauses else ():
            if at < third:
                break
            if self.text[at - 1] in ",;:)—–،，、；：":
                return at
        if spaces:
            return spaces[0]
        return self.between_characters(start, latest)

    def safe(self, start: int, end: int, limit: int) -> bool:
        """Returns whether ``[start, end)`` has at most ``limit`` tokens when it is read by itself, surely."""
        edges = (not start or self.text[start - 1].isspace()) and self.text[end : end + 1].strip() == ""
        return edges and self.count(start, end) <= limit * 9 // 10

    def _spaces(self, start: int, latest: int) -> list[int]:
        """Returns where words end in ``(start, latest]``, last first."""
        found: list[int] = []
        at = latest
        while at > start and len(found) < 64:
            if self._between_words(at):
                found.append(at)
            at -= 1
        return found

    def _between_words(self, at: int) -> bool:
        before, after = self.text[at - 1], self.text[at : at + 1]
        return not before.isspace() and (not after or after.isspace())

    def between_characters(self, start: int, latest: int) -> int:
        """Returns ``latest``, or a little before it where it would part what is shown as one character."""
        for at in range(latest, max(start, latest - _GRAPHEME), -1):
            if not _joined(self.text[at - 1], self.text[at]):
                return at
        return latest


def _joined(before: str, after: str) -> bool:
    """Returns whether two characters are shown as one."""
    if before in _JOINERS or after in _JOINERS or unicodedata.combining(after):
        return True
    return "\ufe00" <= after <= "\ufe0f" or "\U0001f3fb" <= after <= "\U0001f3ff" or unicodedata.category(after) == "Mc"


def _slices(text: str) -> list[Span]:
    """Cuts at white space into parts that a tokenizer reads at a gulp; its memory goes with its input."""
    parts = []
    start = 0
    while start < len(text):
        end = min(len(text), start + _SLICE)
        if end < len(text):
            space = max(text.rfind(" ", start + 1, end), text.rfind("\n", start + 1, end))
            end = space if space > start else end
        parts.append(Span(start, end))
        start = end
    return parts


def _with_gaps_filled(starts: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Returns the starts of tokens, with one more every `_LONGEST` characters where there is none."""
    edges = np.concatenate([[0], starts, [length]])
    gaps = np.diff(edges)
    if not len(gaps) or gaps.max() <= _LONGEST:
        return starts
    more = [np.arange(edges[at] + _LONGEST, edges[at + 1], _LONGEST) for at in np.flatnonzero(gaps > _LONGEST)]
    return np.sort(np.concatenate([starts, *more]))
