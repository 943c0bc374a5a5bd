"""From a span of a page's canonical text to boxes on the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kaynak.domain import Box
from kaynak.parsing.pictures.alignment import aligned
from kaynak.parsing.pictures.letters import Letters

_FORM: Final = frozenset("-\u2010\u2011\u00ad|\\•▪◦‣●○■□…")
"""Characters that joining lines, tables and lists adds or takes away."""
_APART: Final = 2.0
"""Gap within a line, in heights, beyond which a box ends: what lies between is something else."""


def letters_at(letters: Letters, text: str, start: int, end: int) -> NDArray[np.int64]:
    """Returns which letters a span of the page's text is drawn with, in reading order.

    Args:
        letters: Of the page.
        text: Its canonical text.
        start: First character of the span in ``text``.
        end: One past its last.
    """
    drawn, owners = _solid("".join(letters.texts), np.repeat(np.arange(len(letters.texts)), _lengths(letters.texts)))
    said, places = _solid(text, np.arange(len(text)))
    first, last = np.searchsorted(places, [start, end])
    found = np.array(aligned(said, drawn), np.int64)[first:last]
    chosen = np.unique(owners[found[found >= 0]])
    return _with_hyphens(letters, chosen)


def boxes_of(letters: Letters, chosen: NDArray[np.int64]) -> tuple[Box, ...]:
    """Returns the boxes of letters, one for each stretch of a line."""
    boxes: list[Box] = []
    begin = 0
    for at in range(1, len(chosen) + 1):
        if at == len(chosen) or _parted(letters, int(chosen[at - 1]), int(chosen[at])):
            part = letters.boxes[chosen[begin:at]]
            left, top = part[:, :2].min(axis=0).tolist()
            right, bottom = part[:, 2:].max(axis=0).tolist()
            boxes.append(Box(round(left, 2), round(top, 2), round(right, 2), round(bottom, 2)))
            begin = at
    return tuple(boxes)


def _parted(letters: Letters, before: int, after: int) -> bool:
    if letters.rows[before] != letters.rows[after]:
        return True
    one, other = letters.boxes[before], letters.boxes[after]
    across = max(other[0] - one[2], one[0] - other[2])
    down = max(other[1] - one[3], one[1] - other[3])
    height = min(max(one[2] - one[0], one[3] - one[1]), max(other[2] - other[0], other[3] - other[1]))
    return bool(max(across, down) > _APART * height)


def _with_hyphens(letters: Letters, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns the letters with the hyphens that stand between them, which the text may have lost."""
    between = [
        at
        for one, other in zip(chosen[:-1].tolist(), chosen[1:].tolist(), strict=True)
        if 1 < other - one <= 3
        for at in range(one + 1, other)
        if set(letters.texts[at]) <= _FORM
    ]
    return np.sort(np.concatenate([chosen, np.array(between, np.int64)]))


def _lengths(texts: Sequence[str]) -> list[int]:
    return [len(text) for text in texts]


def _solid(text: str, owners: NDArray[np.int64]) -> tuple[str, NDArray[np.int64]]:
    """Returns the characters of ``text`` that say something, and the owner of each."""
    kept = [at for at, char in enumerate(text) if not char.isspace() and char not in _FORM]
    return "".join(text[at] for at in kept), owners[kept]
