"""What is drawn on a page besides text: ruled lines, and how much of it pictures cover."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pypdfium2.raw as pdfium

_OBJECTS_MOST = 20_000
_PARTS_MOST = 2_000
"""Line segments of one path beyond which it is a drawing."""
_RULES_MOST = 4_000
_THIN = 2.5
_SHORT = 6.0
_FORM_DEPTH = 4

Matrix = tuple[float, float, float, float, float, float]
Box = tuple[float, float, float, float]
_IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Rule:
    """A horizontal or vertical line in the frame of the page's text, ``left == right`` or ``top == bottom``."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def horizontal(self) -> bool:
        """Whether it lies."""
        return self.top == self.bottom


@dataclass(slots=True)
class Drawing:
    """What is drawn on a page.

    Attributes:
        rules: Ruled lines; empty where there are so many that they are a drawing.
        cover: Area that the largest picture, or all together where they are strips of one, covers.
        busy: Whether so much is drawn that the text may be drawn too.
        top: The upper edge of the page in the frame of the text.
    """

    rules: list[Rule] = field(default_factory=list)
    cover: float = 0.0
    busy: bool = False
    top: float = 0.0


def read_drawing(page: Any, quarter: int) -> Drawing:
    """Returns what is drawn on an open page, in the frame turned by ``quarter`` quarter turns."""
    drawing = Drawing()
    place = _PLACES[quarter]
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    pdfium.FPDFPage_GetMediaBox(page, left, bottom, right, top)
    corners = (place(left.value, bottom.value), place(right.value, top.value))
    drawing.top = min(corner[1] for corner in corners)
    area = max(1.0, abs((right.value - left.value) * (top.value - bottom.value)))
    paths = 0
    for item, matrix in _objects(page):
        kind = pdfium.FPDFPageObj_GetType(item)
        if kind == pdfium.FPDF_PAGEOBJ_IMAGE:
            x0, y0, x1, y1 = _bounds(item, matrix)
            drawing.cover += min(area, abs((x1 - x0) * (y1 - y0)))
        elif kind == pdfium.FPDF_PAGEOBJ_PATH:
            paths += 1
            if len(drawing.rules) < _RULES_MOST:
                drawing.rules.extend(_rules(item, matrix, area, place))
        elif kind == pdfium.FPDF_PAGEOBJ_SHADING:
            paths += 1
    drawing.cover = min(drawing.cover, area)
    drawing.busy = paths > 100
    if len(drawing.rules) >= _RULES_MOST:
        drawing.rules.clear()
    return drawing


_PLACES: list[Callable[[float, float], tuple[float, float]]] = [
    lambda x, y: (x, -y),
    lambda x, y: (y, x),
    lambda x, y: (-x, y),
    lambda x, y: (-y, -x),
]
"""By quarter turns: from the coordinates of the file to those of `kaynak.parsing.pdf.glyphs.Glyphs`."""


def _objects(page: Any) -> Iterator[tuple[Any, Matrix]]:
    """Yields pictures, paths and the like with the matrix of the form they are in."""
    seen = 0
    stack: list[tuple[Any, int, Any, Any, Matrix, int]] = []
    current = (page, 0, pdfium.FPDFPage_CountObjects, pdfium.FPDFPage_GetObject, _IDENTITY, 0)
    stack.append(current)
    while stack:
        owner, index, count, get, matrix, depth = stack.pop()
        total = count(owner)
        while index < total and seen < _OBJECTS_MOST:
            item = get(owner, index)
            index += 1
            seen += 1
            if not item:
                continue
            kind = pdfium.FPDFPageObj_GetType(item)
            if kind == pdfium.FPDF_PAGEOBJ_FORM:
                if depth < _FORM_DEPTH:
                    stack.append((owner, index, count, get, matrix, depth))
                    inner = _times(_matrix(item), matrix)
                    form = (pdfium.FPDFFormObj_CountObjects, pdfium.FPDFFormObj_GetObject)
                    stack.append((item, 0, *form, inner, depth + 1))
                    break
            elif kind != pdfium.FPDF_PAGEOBJ_TEXT:
                yield item, matrix


def _rules(item: Any, matrix: Matrix, area: float, place: Callable[[float, float], tuple[float, float]]) -> list[Rule]:
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDFPath_GetDrawMode(item, fill, stroke)
    if not fill.value and not stroke.value:
        return []
    x0, y0, x1, y1 = _bounds(item, matrix)
    width, height = x1 - x0, y1 - y0
    if height <= _THIN or width <= _THIN:
        return _thin(x0, y0, x1, y1, place)
    parts = pdfium.FPDFPath_CountSegments(item)
    if parts > _PARTS_MOST or (not stroke.value and width * height > 0.5 * area):
        return []
    found: list[Rule] = []
    for ax, ay, bx, by in _lines(item, _times(_matrix(item), matrix), parts):
        if abs(ax - bx) <= 1.0 or abs(ay - by) <= 1.0:
            found.extend(_thin(min(ax, bx), min(ay, by), max(ax, bx), max(ay, by), place))
    return found


def _thin(
    x0: float, y0: float, x1: float, y1: float, place: Callable[[float, float], tuple[float, float]]
) -> list[Rule]:
    if max(x1 - x0, y1 - y0) < _SHORT:
        return []
    (ax, ay), (bx, by) = place(x0, y0), place(x1, y1)
    if abs(ax - bx) >= abs(ay - by):
        middle = (ay + by) / 2
        return [Rule(min(ax, bx), middle, max(ax, bx), middle)]
    middle = (ax + bx) / 2
    return [Rule(middle, min(ay, by), middle, max(ay, by))]


def _lines(item: Any, matrix: Matrix, parts: int) -> Iterator[Box]:
    """Yields the straight parts of a path, closing lines included."""
    x, y = ctypes.c_float(), ctypes.c_float()
    begin = last = (0.0, 0.0)
    for index in range(parts):
        part = pdfium.FPDFPath_GetPathSegment(item, index)
        pdfium.FPDFPathSegment_GetPoint(part, x, y)
        here = _apply(matrix, x.value, y.value)
        kind = pdfium.FPDFPathSegment_GetType(part)
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            begin = here
        elif kind == pdfium.FPDF_SEGMENT_LINETO:
            yield (*last, *here)
        else:
            return  # curves: a drawing or a rounded box, and no table
        last = here
        if pdfium.FPDFPathSegment_GetClose(part):
            yield (*here, *begin)


def _bounds(item: Any, matrix: Matrix) -> Box:
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    pdfium.FPDFPageObj_GetBounds(item, left, bottom, right, top)
    if matrix == _IDENTITY:
        return left.value, bottom.value, right.value, top.value
    points = [_apply(matrix, x, y) for x in (left.value, right.value) for y in (bottom.value, top.value)]
    xs, ys = [point[0] for point in points], [point[1] for point in points]
    return min(xs), min(ys), max(xs), max(ys)


def _matrix(item: Any) -> Matrix:
    matrix = pdfium.FS_MATRIX()
    if not pdfium.FPDFPageObj_GetMatrix(item, matrix):
        return _IDENTITY
    return matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f


def _apply(matrix: Matrix, x: float, y: float) -> tuple[float, float]:
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f


def _times(first: Matrix, then: Matrix) -> Matrix:
    a, b, c, d, e, f = first
    g, h, i, j, k, m = then
    return (a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k, e * h + f * j + m)
