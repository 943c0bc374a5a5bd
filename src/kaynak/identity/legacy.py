"""Passwords that older systems hashed: PBKDF2 with HMAC-SHA256."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass

_FORM = re.compile(r"pbkdf2_sha256\$(?P<rounds>[0-9]{1,7})\$(?P<salt>[^$\s]{16,128})\$(?P<digest>[^$\s]{43,64})")
_DIGEST_BYTES = 32
_LEAST_SALT = 16
_ROUNDS = range(100_000, 2_000_001)


@dataclass(frozen=True, slots=True)
class _Parts:
    rounds: int
    salt: bytes
    digest: bytes


class Pbkdf2Hasher:
    """Verifies ``pbkdf2_sha256$ROUNDS$SALT$DIGEST``, with salt and digest in hexadecimal or base64.

    Every hash of it is to be replaced: `pwdlib.PasswordHash` does so when it is not the first of its hashers.
    """

    @classmethod
    def identify(cls, hash: str | bytes) -> bool:  # noqa: A002 - the protocol's name
        """Returns whether this is such a hash, whole and strong enough to be believed."""
        return _parts(hash) is not None

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        """Returns the hash as an older system would have made it: for tests and for moving people over."""
        if salt is None:
            raise ValueError("new passwords are not hashed like this")
        digest = hashlib.pbkdf2_hmac("sha256", _bytes(password), salt, _ROUNDS.start)
        return f"pbkdf2_sha256${_ROUNDS.start}${salt.hex()}${digest.hex()}"

    def verify(self, password: str | bytes, hash: str | bytes) -> bool:  # noqa: A002
        """Returns whether the password is the one that was hashed."""
        parts = _parts(hash)
        if parts is None:
            return False
        made = hashlib.pbkdf2_hmac("sha256", _bytes(password), parts.salt, parts.rounds)
        return hmac.compare_digest(made, parts.digest)

    def check_needs_rehash(self, hash: str | bytes) -> bool:  # noqa: A002
        """Returns True."""
        return True


def _parts(hashed: str | bytes) -> _Parts | None:
    found = _FORM.fullmatch(hashed.decode("latin-1") if isinstance(hashed, bytes) else hashed)
    if found is None or int(found["rounds"]) not in _ROUNDS:
        return None
    salt, digest = _decoded(found["salt"]), _decoded(found["digest"])
    if salt is None or digest is None or len(salt) < _LEAST_SALT or len(digest) != _DIGEST_BYTES:
        return None
    return _Parts(int(found["rounds"]), salt, digest)


def _decoded(text: str) -> bytes | None:
    """Returns the bytes; what could be both is hexadecimal, which base64 of 16 and 32 bytes never looks like."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        pass
    try:
        standard = text.replace("-", "+").replace("_", "/")
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _bytes(password: str | bytes) -> bytes:
    return password.encode() if isinstance(password, str) else password
