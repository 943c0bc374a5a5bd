"""PostgreSQL's binary form of rows, for ``COPY … FROM STDIN (FORMAT binary)``.

The driver forms rows one field at a time; many rows that go together are formed in a tenth of that time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from struct import Struct

_HEAD = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_END = b"\xff\xff"
_COUNT = Struct(">h")
_LENGTH = Struct(">i")
_NULL = _LENGTH.pack(-1)
_ARRAY = Struct(">iii")
_BOUNDS = Struct(">ii")
_TEXT = 25

int4 = Struct(">i").pack
int8 = Struct(">q").pack


def texts(values: Sequence[str]) -> bytes:
    """Returns a value of type ``text[]``."""
    if not values:
        return _ARRAY.pack(0, 0, _TEXT)
    parts = [_ARRAY.pack(1, 0, _TEXT), _BOUNDS.pack(len(values), 1)]
    for value in values:
        encoded = value.encode()
        parts += (_LENGTH.pack(len(encoded)), encoded)
    return b"".join(parts)


def jsonb(document: bytes) -> bytes:
    """Returns a value of type ``jsonb``."""
    return b"\x01" + document


def copy_rows(rows: Iterable[Sequence[bytes | None]]) -> bytes:
    """Returns a whole stream of rows; each field is the binary form of its column's type, or None for NULL."""
    parts = [_HEAD]
    for row in rows:
        parts.append(_COUNT.pack(len(row)))
        for field in row:
            parts += (_NULL,) if field is None else (_LENGTH.pack(len(field)), field)
    parts.append(_END)
    return b"".join(parts)
