from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from kaynak.domain import Hit
from kaynak.generation.citing.code import CodeSplitter
from kaynak.generation.citing.links import LinkGuard, urls_of
from kaynak.generation.citing.markers import MarkerReader
from kaynak.generation.citing.pieces import Chain, Kind, Marks, Piece, Text
from kaynak.generation.citing.tags import TagStripper

NOTHING = 0
"""The number a model refers to where no passage says it."""

# Control characters, those that turn the direction of writing, and those nobody sees.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


class AnswerReader:
    """Reads what a model writes as data: references become numbers, and nothing in it can act.

    The same text gives the same pieces, however it is cut on its way.

    Args:
        hits: The passages.
        labels: The numbers of those that the model was given; the first has 1.
        instead: What is shown in the place of an address that no passage has.
    """

    def __init__(self, hits: Sequence[Hit], labels: Collection[int], instead: str) -> None:
        self._code = CodeSplitter()
        self._markers = MarkerReader(labels, silent=NOTHING)
        self._links = LinkGuard(urls_of(text for hit in hits for text in (hit.text, hit.external_id)), instead)
        self._chain = Chain(TagStripper(), self._markers, self._links)

    @property
    def unknown(self) -> int:
        """How many references led nowhere."""
        return self._markers.unknown

    @property
    def removed(self) -> int:
        """How many addresses and pictures were taken out."""
        return self._links.removed

    def feed(self, text: str) -> Iterator[Piece]:
        """Yields what is decided with ``text``."""
        for piece in self._code.feed(_UNSEEN.sub("", text)):
            yield from self._chain.feed(piece)

    def finish(self) -> Iterator[Piece]:
        """Yields what was held back."""
        for piece in self._code.finish():
            yield from self._chain.feed(piece)
        yield from self._chain.finish()


__all__ = ["NOTHING", "AnswerReader", "Kind", "Marks", "Piece", "Text"]
