"""The characters of a page as arrays, read from pdfium in bulk.

Asking pdfium for one character through the usual bindings costs more than all the layout that follows, so the
functions are called through bare prototypes with `map`: no Python code runs per character.
"""

from __future__ import annotations

import ctypes
import math
from array import array
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from typing import Any, Final

import numpy as np
import pypdfium2.raw as pdfium
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

SOFT_HYPHEN: Final = 0xAD
SKEWED: Final = 4
"""Direction of text that runs along no edge of the page: watermarks and stamps."""

_INVISIBLE: Final = 3
_HYPHENS_OF_PDFIUM: Final = (2, 0xFFFE)
_BOLD_WEIGHT: Final = 600
_FIXED_PITCH: Final = 1
_MONO_NAMES: Final = ("mono", "courier", "consol", "typewriter", "cmtt", "sftt", "lettergothic", "menlo", "sourcecode")
_BOLD_NAMES: Final = ("bold", "black", "heavy", "cmbx", "sfbx", "semibold", "demi")


@dataclass(slots=True)
class Glyphs:
    """The characters of a page that leave a mark, in the order pdfium reads them.

    Coordinates are points, x to the right and y down, in the frame in which the text of most characters stands
    upright (so the rotation of the page does not matter); the origin is arbitrary.

    Attributes:
        codes: Unicode code points, shape ``(n,)``.
        left: Of the box, as are ``top``, ``right``, ``bottom``; shape ``(n,)`` each.
        base: The base line.
        size: The size of the type as it appears.
        bold: Whether the font is.
        mono: Whether the font is of fixed pitch.
        hidden: Whether it is drawn invisibly, as text under scans is.
        space: Whether white space stands before it.
        turned: Whether it runs in another direction than most.
        garbage: How many characters pdfium knew no meaning of.
        quarter: The direction of most characters, in quarter turns counter-clockwise.
    """

    codes: NDArray[np.uint32]
    left: Floats
    top: Floats
    right: Floats
    bottom: Floats
    base: Floats
    size: Floats
    bold: Flags
    mono: Flags
    hidden: Flags
    space: Flags
    turned: Flags
    garbage: int = 0
    quarter: int = 0

    def __len__(self) -> int:
        return len(self.codes)

    def keep(self, mask: Flags) -> None:
        """Drops the characters where ``mask`` is false; spaces before them move to the next one kept."""
        if mask.all():
            return
        self.space = _carry(self.space, mask)
        for name in _COLUMNS:
            setattr(self, name, getattr(self, name)[mask])


_COLUMNS = ("codes", "left", "top", "right", "bottom", "base", "size", "bold", "mono", "hidden", "turned")


@dataclass(frozen=True, slots=True)
class _Style:
    size: float
    bold: bool
    mono: bool
    hidden: bool


@cache
def _bare(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    address = ctypes.cast(getattr(pdfium, name), ctypes.c_void_p).value
    return ctypes.CFUNCTYPE(result, *arguments)(address or 0)


def read_glyphs(text_page: Any) -> Glyphs | None:
    """Returns the characters of an open text page; None if there are none."""
    count = int(pdfium.FPDFText_CountChars(text_page))
    if count <= 0:
        return None
    handle = ctypes.cast(text_page, ctypes.c_void_p).value
    pages, indexes = repeat(handle), range(count)
    pointer, number = ctypes.c_void_p, ctypes.c_int
    codes = np.array(array("I", map(_bare("FPDFText_GetUnicode", ctypes.c_uint, pointer, number), pages, indexes)))
    boxes = np.zeros((count, 4), np.float32)
    address = boxes.ctypes.data
    loose = _bare("FPDFText_GetLooseCharBox", number, pointer, number, pointer)
    deque(map(loose, pages, indexes, range(address, address + 16 * count, 16)), 0)
    find_object = _bare("FPDFText_GetTextObject", ctypes.c_size_t, pointer, number)
    objects = np.array(array("Q", map(find_object, pages, indexes)))
    codes = _joined_surrogates(codes.astype(np.uint32))

    _name_ligatures(codes, boxes)
    blank = _blank(codes)
    garbage = _garbage(codes)
    codes[np.isin(codes, _HYPHENS_OF_PDFIUM)] = SOFT_HYPHEN
    solid = ~blank & ~garbage & (codes >= 32) & (boxes[:, 0] > -1e6) & np.isfinite(boxes).all(axis=1)
    if not solid.any():
        return None
    space = _carry(blank, solid)
    where = np.flatnonzero(solid)
    codes, boxes, objects = codes[solid], boxes[solid], objects[solid]
    return _framed(text_page, codes, boxes, objects, space, where, int(np.count_nonzero(garbage & ~blank)))


def _framed(
    text_page: Any,
    codes: NDArray[np.uint32],
    boxes: Floats,
    objects: NDArray[np.uint64],
    space: Flags,
    where: NDArray[np.int64],
    garbage: int,
) -> Glyphs:
    """Puts the characters into the frame in which most stand upright, with the style of their text object."""
    _turn_ligatures(codes, boxes)
    starts = np.flatnonzero(np.r_[True, objects[1:] != objects[:-1]])
    run = np.cumsum(np.r_[False, objects[1:] != objects[:-1]])
    styles, quarters, origins = _runs(text_page, objects[starts], where[starts])
    quarter_of = quarters[run]
    main = int(np.bincount(quarter_of[quarter_of < SKEWED], minlength=4).argmax()) if (quarter_of < SKEWED).any() else 0
    box_left, box_top, box_right, box_bottom = boxes.T
    x, y = origins[run].T
    if main == 0:
        left, right, top, bottom, base = box_left, box_right, -box_top, -box_bottom, -y
    elif main == 1:
        left, right, top, bottom, base = box_bottom, box_top, box_left, box_right, x
    elif main == 2:
        left, right, top, bottom, base = -box_right, -box_left, box_bottom, box_top, y
    else:
        left, right, top, bottom, base = -box_top, -box_bottom, -box_right, -box_left, -x
    height = np.abs(bottom - top)
    declared = np.array([style.size for style in styles], np.float32)[run]
    # Forms scale their text, and pdfium does not say so; the box is right in any case, but varies with the font.
    fits = (declared > 0.55 * height) & (declared < 2.2 * height)
    size = np.where(fits | (height <= 0), declared, height).astype(np.float32)
    return Glyphs(
        codes,
        np.minimum(left, right),
        np.minimum(top, bottom),
        np.maximum(left, right),
        np.maximum(top, bottom),
        base.astype(np.float32),
        np.maximum(size, 0.5),
        np.array([style.bold for style in styles], np.bool_)[run],
        np.array([style.mono for style in styles], np.bool_)[run],
        np.array([style.hidden for style in styles], np.bool_)[run],
        space,
        quarter_of != main,
        garbage,
        main,
    )


def _runs(
    text_page: Any, objects: NDArray[np.uint64], firsts: NDArray[np.int64]
) -> tuple[list[_Style], NDArray[np.int64], Floats]:
    """Returns style, direction and origin of each run of characters that one text object draws."""
    angle_of = _bare("FPDFText_GetCharAngle", ctypes.c_float, ctypes.c_void_p, ctypes.c_int)
    handle = ctypes.cast(text_page, ctypes.c_void_p).value
    x, y = ctypes.c_double(), ctypes.c_double()
    known: dict[int, _Style] = {}
    fonts: dict[int, tuple[bool, bool]] = {}
    styles: list[_Style] = []
    quarters = np.zeros(len(objects), np.int64)
    origins = np.zeros((len(objects), 2), np.float32)
    for index, (address, first) in enumerate(zip(objects.tolist(), firsts.tolist(), strict=True)):
        style = known.get(address)
        if style is None:
            style = known[address] = _style(address, fonts)
        styles.append(style)
        pdfium.FPDFText_GetCharOrigin(text_page, first, x, y)
        origins[index] = x.value, y.value
        quarters[index] = _quarter(angle_of(handle, first))
    return styles, quarters, origins


def _quarter(angle: float) -> int:
    turns = -angle / (math.pi / 2)  # pdfium counts clockwise
    nearest = round(turns)
    return nearest % 4 if abs(turns - nearest) < 0.2 else SKEWED


def _style(address: int, fonts: dict[int, tuple[bool, bool]]) -> _Style:
    if not address:
        return _Style(0.0, bold=False, mono=False, hidden=False)
    pointer, number = ctypes.c_void_p, ctypes.c_int
    size, matrix = ctypes.c_float(), pdfium.FS_MATRIX()
    _bare("FPDFTextObj_GetFontSize", number, pointer, pointer)(address, ctypes.addressof(size))
    _bare("FPDFPageObj_GetMatrix", number, pointer, pointer)(address, ctypes.addressof(matrix))
    scale = math.sqrt(abs(matrix.a * matrix.d - matrix.b * matrix.c))
    font = _bare("FPDFTextObj_GetFont", ctypes.c_size_t, pointer)(address)
    if font not in fonts:
        fonts[font] = _font(ctypes.cast(font, pdfium.FPDF_FONT)) if font else (False, False)
    bold, mono = fonts[font]
    hidden = _bare("FPDFTextObj_GetTextRenderMode", number, pointer)(address) == _INVISIBLE
    return _Style(abs(size.value) * scale, bold, mono, hidden)


def _font(font: Any) -> tuple[bool, bool]:
    """Returns whether a font is bold, and whether it is of fixed pitch."""
    buffer = ctypes.create_string_buffer(256)
    pdfium.FPDFFont_GetBaseFontName(font, buffer, 256)
    name = buffer.value.decode("utf-8", "replace").lower()
    bold = pdfium.FPDFFont_GetWeight(font) >= _BOLD_WEIGHT or any(part in name for part in _BOLD_NAMES)
    mono = bool(pdfium.FPDFFont_GetFlags(font) & _FIXED_PITCH) or any(part in name for part in _MONO_NAMES)
    return bold, mono


def _name_ligatures(codes: NDArray[np.uint32], boxes: Floats) -> None:
    """Names the ligatures of old TeX fonts, which files without a mapping leave as control characters."""
    found = (codes >= 11) & (codes <= 15) & (boxes[:, 2] - boxes[:, 0] > 0.1 * np.abs(boxes[:, 1] - boxes[:, 3]))
    found &= boxes[:, 2] > boxes[:, 0]
    codes[found] += 0xFB00 - 11


def _turn_ligatures(codes: NDArray[np.uint32], boxes: Floats) -> None:
    """Puts the letters of right-to-left ligatures in order: pdfium turns lines round letter by letter."""
    if not right_to_left(codes).any():
        return
    same = (boxes[1:] == boxes[:-1]).all(axis=1) & right_to_left(codes[1:]) & right_to_left(codes[:-1])
    edges = np.flatnonzero(np.diff(np.r_[False, same, False].astype(np.int8)))
    for begin, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        codes[begin : end + 1] = codes[begin : end + 1][::-1].copy()


def right_to_left(codes: NDArray[np.uint32]) -> Flags:
    """Marks the letters of right-to-left scripts."""
    return np.asarray(
        ((codes >= 0x590) & (codes <= 0x8FF))
        | ((codes >= 0xFB1D) & (codes <= 0xFDFF))
        | ((codes >= 0xFE70) & (codes <= 0xFEFF))
    )


def _joined_surrogates(codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Puts a pair of surrogates into its first half; what is left of surrogates becomes garbage."""
    high = np.flatnonzero((codes[:-1] & 0xFFFFFC00) == 0xD800)
    pairs = high[(codes[high + 1] & 0xFFFFFC00) == 0xDC00]
    codes[pairs] = 0x10000 + ((codes[pairs] - 0xD800) << 10) + (codes[pairs + 1] - 0xDC00)
    codes[pairs + 1] = 0
    codes[((codes >= 0xD800) & (codes < 0xE000)) | (codes > 0x10FFFF)] = 0xFFFD
    return codes


def _blank(codes: NDArray[np.uint32]) -> Flags:
    white = np.isin(codes, (9, 10, 11, 12, 13, 32, 0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000))
    return np.asarray(white | ((codes >= 0x2000) & (codes <= 0x200A)))


def _garbage(codes: NDArray[np.uint32]) -> Flags:
    """Marks what has no meaning: unmapped glyphs, controls, marks of order, private use but for known bullets."""
    private = (codes >= 0xE000) & (codes <= 0xF8FF) & ~np.isin(codes, tuple(SYMBOLS))
    control = ((codes > 2) & (codes < 32)) | ((codes >= 0x7F) & (codes < 0xA0)) | (codes == 1)
    return np.asarray(
        private | control | (codes == 0xFFFD) | (codes == 0xFEFF) | (codes == 0xFFFF) | (codes >= 0xF0000)
    )


SYMBOLS: Final[dict[int, str]] = {
    0xF0B7: "•", 0xF0A7: "▪", 0xF06E: "■", 0xF06F: "□", 0xF071: "❑", 0xF076: "❖", 0xF0D8: "➢", 0xF0FC: "✓",
    0xF0A8: "□", 0xF0FE: "☑", 0xF0E0: "→", 0xF0DE: "⇒", 0xF02D: "-", 0xF06C: "●", 0xF0E8: "➔", 0xF0AE: "→",
}  # fmt: skip
"""Private use of the symbol fonts of office programs: what their bullets and arrows look like."""


def _carry(space: Flags, mask: Flags) -> Flags:
    """Returns ``space[mask]``, where a dropped character that is a space marks the next one kept."""
    total = np.cumsum(space)
    kept = np.flatnonzero(mask)
    before = np.r_[0, total[kept[:-1]]] if len(kept) else total[:0]
    return np.asarray(total[kept] > before)
