"""Stretches of text on one base line: what reading order and lines are made of."""

from __future__ import annotations

import itertools
import re
import unicodedata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kaynak.parsing.pdf.glyphs import SYMBOLS, Glyphs, right_to_left

_GAP = 1.0
"""White space, in ems, that ends a stretch: narrower than a column gutter, wider than a justified space."""
_JUMP = 0.35
"""Change of the base line, in ems, that ends a stretch."""

_MAC_LIGATURE = re.compile(r"(?<=\w)↵(?=[\w-])")
"""What a Mac makes of “ff” when it saves a file of TeX anew."""


@dataclass(slots=True)
class Segment:
    """A stretch of text on one base line, in the frame of its `Glyphs`.

    Attributes:
        text: As it reads, right-to-left scripts in logical order.
        left: Of its box, as are ``top``, ``right``, ``bottom``.
        base: Its base line.
        size: Of the type, in points.
        bold: Whether most of it is bold.
        mono: Whether most of it is of fixed pitch.
        rtl: Whether most of its letters are of a right-to-left script.
        cell: Number of the table cell it lies in; -1 for none.
        turned: Whether it runs in another direction than the page.
        table: Number of the table of the page that it stands for; -1 for text.
    """

    text: str
    left: float
    top: float
    right: float
    bottom: float
    base: float
    size: float
    bold: bool = False
    mono: bool = False
    rtl: bool = False
    cell: int = -1
    turned: bool = False
    table: int = -1


def segments_of(glyphs: Glyphs, cells: NDArray[np.int64] | None = None) -> list[Segment]:
    """Returns the stretches of a page, in the order pdfium reads them.

    Args:
        glyphs: The characters.
        cells: The table cell of each character, -1 for none; a stretch never leaves its cell.
    """
    count = len(glyphs)
    if not count:
        return []
    starts = np.flatnonzero(np.r_[True, _breaks(glyphs, cells)])
    ends = np.r_[starts[1:], count]
    texts = _texts(glyphs, starts)
    lengths = (ends - starts).astype(np.float32)
    backward = np.add.reduceat(right_to_left(glyphs.codes).astype(np.int64), starts)
    columns = (
        np.minimum.reduceat(glyphs.left, starts),
        np.minimum.reduceat(glyphs.top, starts),
        np.maximum.reduceat(glyphs.right, starts),
        np.maximum.reduceat(glyphs.bottom, starts),
        glyphs.base[starts],
        np.add.reduceat(glyphs.size, starts) / lengths,  # a large bullet does not make the words after it large
        np.add.reduceat(glyphs.bold.astype(np.int64), starts) > 0.6 * lengths,
        np.add.reduceat(glyphs.mono.astype(np.int64), starts) > 0.8 * lengths,
        backward > 0.4 * lengths,
        cells[starts] if cells is not None else np.full(len(starts), -1),
        glyphs.turned[starts],
    )
    rows = zip(texts, *(column.tolist() for column in columns), strict=True)
    return [Segment(*row) for row in rows if row[0].strip()]


def _breaks(glyphs: Glyphs, cells: NDArray[np.int64] | None) -> NDArray[np.bool_]:
    em = np.maximum(glyphs.size[1:], glyphs.size[:-1])
    forward = glyphs.left[1:] - glyphs.right[:-1]
    backward = glyphs.left[:-1] - glyphs.right[1:]
    gap = np.maximum(forward, backward)
    broken = (np.abs(glyphs.base[1:] - glyphs.base[:-1]) > _JUMP * em) & ~glyphs.turned[1:]
    broken |= gap > np.where(glyphs.turned[1:], 3.0, _GAP) * em
    # A step back to the left in left-to-right text is a new line, even where lines are set tightly.
    letters = ~(right_to_left(glyphs.codes[1:]) | right_to_left(glyphs.codes[:-1]))
    broken |= (backward > 0.3 * em) & letters & (glyphs.base[1:] != glyphs.base[:-1])
    broken |= glyphs.turned[1:] != glyphs.turned[:-1]
    if cells is not None:
        broken |= cells[1:] != cells[:-1]
    return np.asarray(broken)


def _texts(glyphs: Glyphs, starts: NDArray[np.int64]) -> list[str]:
    """Returns the text of each stretch, with single spaces where white space was."""
    space = _spaces(glyphs)
    space[starts] = False
    places = np.flatnonzero(space)
    codes = np.insert(glyphs.codes, places, 32).astype("<u4")
    text = codes.tobytes().decode("utf-32-le", "replace")
    shifted = starts + np.searchsorted(places, starts)
    bounds = [*shifted.tolist(), len(codes)]
    return [readable(text[a:b]) for a, b in itertools.pairwise(bounds)]


def _spaces(glyphs: Glyphs) -> NDArray[np.bool_]:
    """Returns before which characters white space stands, put right where scripts of two directions meet."""
    space = glyphs.space.copy()
    rtl = right_to_left(glyphs.codes)
    if rtl.any():
        marks = ((glyphs.codes >= 0x64B) & (glyphs.codes <= 0x655)) | (
            (glyphs.codes >= 0x591) & (glyphs.codes <= 0x5C7)
        )
        space &= ~marks
        latin = (glyphs.codes | 32 >= 0x61) & (glyphs.codes | 32 <= 0x7A)
        space[1:] |= (rtl[1:] & latin[:-1]) | (latin[1:] & rtl[:-1])
    return space


def readable(text: str) -> str:
    """Returns ``text`` without ligatures, presentation forms and symbol fonts; most text has none."""
    if text.isascii():
        return text
    if any("\ue000" <= char <= "\uf8ff" or "\ufb00" <= char <= "\ufefc" for char in text):
        text = "".join(_plain(char) for char in text)
    if "↵" in text:
        text = _MAC_LIGATURE.sub("ff", text)
    return text


def _plain(char: str) -> str:
    if "\ufb00" <= char <= "\ufdff" or "\ufe70" <= char <= "\ufefc":
        return unicodedata.normalize("NFKC", char)
    return SYMBOLS.get(ord(char), char)


def mostly_right_to_left(text: str) -> bool:
    """Returns whether most letters of ``text`` are of a right-to-left script."""
    codes = np.array([ord(char) for char in text], np.uint32)
    return bool(len(codes)) and int(right_to_left(codes).sum()) > 0.4 * len(codes)
