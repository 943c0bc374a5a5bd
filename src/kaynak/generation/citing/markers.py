from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from kaynak.generation.citing.pieces import Held, Kind, Marks, Piece, Text

_MOST = 60
_MOST_RANGE = 20
_CLOSING = {"[": "]", "【": "】", "(": ")", "（": "）", "［": "］"}
_NAMES = """
source sources src passage passages document documents doc docs reference references ref refs citation citations cite
see kaynak kaynaklar kaynağı belge belgeler alıntı pasaj bkz id ids s
"""
_WORDS = _NAMES.split()
_WORD = rf"(?:(?:{'|'.join(_WORDS)})\s*\.?\s*[:#]?\s*)"
_NUMBER = rf"(?:{_WORD}{{0,2}}[\^#]?(\d{{1,3}})(?:†[^\]】]*)?)"
_BETWEEN = r"(?:\s*(?:,|;|/|&|\+|\band\b|\bve\b|\bund\b|\bet\b|\by\b|[-–—]|\.\.)\s*)"
_CONTENT = re.compile(rf"\s*{_NUMBER}(?:{_BETWEEN}{_NUMBER})*\s*", re.I)
_PART = re.compile(r"(\d{1,3})(?:†[^\]】,;]*)?|([-–—]|\.\.)", re.I)
_ALLOWED = re.compile(r"[\w\s,;:/&+^#.†–—-]*")
_STARTS = re.compile(r"\s*([^\W\d_]+)")


class MarkerReader(Held):
    """Finds references to passages in all shapes in which models write them.

    ``[1]``, ``[1, 2]``, ``[1-3]``, ``[1][2]``, ``【1】``, ``【1†source】``, ``[^1]``, ``[source 1]``, ``(source 1)``,
    ``(see documents 1 and 2)``. Code has none. References to passages that are not there are left out.

    Args:
        known: The numbers of the passages that are there.
        silent: A number that may be referred to and is never shown.

    Attributes:
        unknown: How many references led nowhere.
    """

    special = "".join(_CLOSING)

    def __init__(self, known: Collection[int], silent: int = 0) -> None:
        super().__init__()
        self._known = known
        self._silent = silent
        self._spaces: list[str] = []
        self._dropped = False
        self.unknown = 0

    def feed(self, piece: Piece) -> Iterator[Piece]:
        """See `Stage`."""
        for made in super().feed(piece):
            yield from self._spaced(made)

    def finish(self) -> Iterator[Piece]:
        """See `Stage`."""
        for made in super().finish():
            yield from self._spaced(made)
        yield from self._leading("")

    def take(self, text: str, at: int, *, final: bool) -> tuple[int, list[Piece]] | None:
        """See `Held`."""
        opening = text[at]
        end = text.find(_CLOSING[opening], at + 1, at + _MOST)
        content = text[at + 1 : end] if end >= 0 else text[at + 1 : at + _MOST]
        if not _ALLOWED.fullmatch(content) or not _may_begin(content, opening, whole=end >= 0 or final):
            return 0, []
        if end < 0:
            return None if len(text) - at < _MOST and not final else (0, [])
        if not _CONTENT.fullmatch(content):
            return 0, []
        labels = tuple(label for label in _labels(content) if label in self._known or label == self._silent)
        self.unknown += len(_labels(content)) - len(labels)
        if not labels:
            self._dropped = True
            return end + 1 - at, self.gap()
        return end + 1 - at, [Marks(labels)]

    def _spaced(self, piece: Piece) -> Iterator[Piece]:
        """Holds spaces back until it is seen what follows: a dropped mark leaves at most one of those around it."""
        if isinstance(piece, Marks):
            if piece.labels == (self._silent,):
                self._dropped = True  # it is not shown either
            else:
                yield from self._leading("x")
            yield piece
            return
        if piece.kind is not Kind.PROSE:
            yield from self._leading("x")
            yield piece
            return
        bare = piece.text.lstrip(" \t")
        self._spaces.append(piece.text[: len(piece.text) - len(bare)])
        if not bare:
            return
        yield from self._leading(bare[0])
        shown = bare.rstrip(" \t")
        self._spaces.append(bare[len(shown) :])
        yield Text(shown)

    def _leading(self, following: str) -> Iterator[Piece]:
        spaces, self._spaces = "".join(self._spaces), []
        if self._dropped:
            spaces = " " if spaces and following and following not in ".,;:!?…)\n" else ""
        self._dropped = False
        if spaces:
            yield Text(spaces)


def _may_begin(content: str, opening: str, *, whole: bool) -> bool:
    """Whether what stands in brackets so far can become a reference; round ones need a word before the number."""
    word = _STARTS.match(content)
    if word is None:
        return opening not in "(（" or not content.strip()
    folded = word[1].lower()
    if word.end() < len(content) or whole:
        return folded in _WORDS
    return any(one.startswith(folded) for one in _WORDS)


def _labels(content: str) -> tuple[int, ...]:
    found: dict[int, None] = {}
    last: int | None = None
    through = False
    for part in _PART.finditer(content):
        if part[2]:
            through = last is not None
            continue
        number = int(part[1])
        if through and last is not None and 0 < number - last <= _MOST_RANGE:
            found.update(dict.fromkeys(range(last + 1, number + 1)))
        found[number] = None
        last, through = number, False
    return tuple(found)
