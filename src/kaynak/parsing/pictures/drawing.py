"""A page as pdfium draws it, with boxes marked as with a highlighter."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pypdfium2.raw as pdfium
from numpy.typing import NDArray

from kaynak.domain import Box

SIDE_MOST: Final = 4_000
"""Pixels of the longer side, whatever is asked for."""
_HIGHLIGHT: Final = np.array([255, 226, 64], np.uint16)
"""The colour of the highlighter, which darkens what is under it as ink does."""


def size_of(width: float, height: float, pixels: int) -> tuple[int, int]:
    """Returns how many pixels a page is drawn with: ``pixels`` wide unless a side becomes too long.

    Args:
        width: Of the page, in points.
        height: Of the page, in points.
        pixels: Of its width.
    """
    zoom = min(pixels / max(width, 1.0), SIDE_MOST / max(width, height, 1.0))
    return max(1, round(width * zoom)), max(1, round(height * zoom))


def draw(page: Any, form: Any, width: int, height: int) -> NDArray[np.uint8]:
    """Returns an open page as pixels: red, green and blue, shape ``(height, width, 3)``."""
    pixels = np.full((height, width, 3), 255, np.uint8)
    place = pixels.ctypes.data_as(ctypes.c_void_p)
    bitmap = pdfium.FPDFBitmap_CreateEx(width, height, pdfium.FPDFBitmap_BGR, place, 3 * width)
    try:
        frame = (bitmap, page, 0, 0, width, height, 0, pdfium.FPDF_ANNOT | pdfium.FPDF_REVERSE_BYTE_ORDER)
        pdfium.FPDF_RenderPageBitmap(*frame)
        if form is not None:
            pdfium.FPDF_FFLDraw(form, *frame)
    finally:
        pdfium.FPDFBitmap_Destroy(bitmap)
    return pixels


def mark(pixels: NDArray[np.uint8], boxes: Sequence[Box], scale: float) -> None:
    """Marks boxes, given in points, on a picture with ``scale`` pixels per point."""
    height, width, _ = pixels.shape
    for box in boxes:
        left, right = max(0, int(box.left * scale) - 1), min(width, int(np.ceil(box.right * scale)) + 1)
        top, bottom = max(0, int(box.top * scale)), min(height, int(np.ceil(box.bottom * scale)))
        if left < right and top < bottom:
            part = pixels[top:bottom, left:right]
            part[...] = (part.astype(np.uint16) * _HIGHLIGHT // 255).astype(np.uint8)
