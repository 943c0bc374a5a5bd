"""PNG files, written with what Python has: a picture of a page needs no imaging library."""

from __future__ import annotations

import struct
import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_GREY, _COLOUR = 0, 2
_UP: Final = 2
"""Filter that keeps the difference to the row above: in pages of text most rows are like the one above."""
_LEVEL: Final = 4


def png_of(pixels: NDArray[np.uint8]) -> bytes:
    """Returns a picture as a PNG file.

    Args:
        pixels: Red, green and blue, shape ``(height, width, 3)``. A picture without colours takes a third.
    """
    grey = bool((pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all())
    plane = np.ascontiguousarray(pixels[..., :1] if grey else pixels)
    height, width, samples = plane.shape
    rows = plane.reshape(height, width * samples)
    filtered = np.empty((height, 1 + width * samples), np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    head = struct.pack(">IIBBBBB", width, height, 8, _GREY if grey else _COLOUR, 0, 0, 0)
    body = zlib.compress(filtered.tobytes(), _LEVEL)
    return _SIGNATURE + _chunk(b"IHDR", head) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
