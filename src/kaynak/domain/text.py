"""Rules that every canonical text and every query obeys."""

from __future__ import annotations

import hashlib
import re

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufeff]")


def clean(text: str) -> str:
    """Returns ``text`` with ``\\n`` line ends and without characters that PostgreSQL or JSON refuse.

    NUL, other control characters (tab and newline stay), lone surrogates and byte order marks are dropped.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _FORBIDDEN.sub("", text)


def text_hash(text: str) -> bytes:
    """Returns the 16-byte key under which the embedding of ``text`` is stored."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
