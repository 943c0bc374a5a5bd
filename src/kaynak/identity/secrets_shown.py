"""Random secrets that are shown once, and known by their hashes from then on."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

KEY_PREFIX: Final = "kyn_"
REFRESH_PREFIX: Final = "kyr_"
SETUP_PREFIX: Final = "kys_"
_BYTES: Final = 32
_SHOWN: Final = 5


def new_secret(prefix: str) -> str:
    """Returns 256 random bits as text; the prefix lets people and scanners of leaks know it for what it is."""
    return prefix + secrets.token_urlsafe(_BYTES)


def hash_of(secret: str) -> bytes:
    """Returns the SHA-256 of a secret. Nothing slower is needed: nobody guesses 256 random bits."""
    return hashlib.sha256(secret.encode()).digest()


def hint_of(secret: str) -> str:
    """Returns its first characters, by which people know it again."""
    return secret[: len(KEY_PREFIX) + _SHOWN] + "…"
