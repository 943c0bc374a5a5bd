from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

_LONGEST = 1 << 20


def utf16(call: Callable[[Any, int], int]) -> str:
    """Returns the text of a pdfium function that is asked twice: for the length in bytes, then for the text."""
    size = int(call(None, 0))
    if not 2 < size < _LONGEST:
        return ""
    buffer = (ctypes.c_ushort * (size // 2 + 1))()
    call(buffer, size)
    return bytes(buffer)[: size - 2].decode("utf-16-le", "replace").rstrip("\0")
