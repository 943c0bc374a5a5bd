"""Secrets that must be read again, such as keys of providers: encrypted with the key of the installation."""

from __future__ import annotations

import base64
import os
import secrets
import stat
import threading
from pathlib import Path

from kaynak.domain import Misconfigured

_VERSION = b"\x01"
_NONCE_BYTES = 12
_LEAST_CHARACTERS = 32


class Vault:
    """Encrypts and decrypts with AES-256-GCM; what is sealed for one name cannot be opened for another.

    The key of the installation is read when it is first needed.

    Args:
        secret: The key of the installation, at least 32 characters; None: it is kept in ``path``.
        path: A file that only its owner can read; made with a random key when it is first needed.
    """

    def __init__(self, secret: str | None, path: Path) -> None:
        self._secret = secret
        self._path = path
        self._key: bytes | None = None
        self._lock = threading.Lock()

    @property
    def path(self) -> Path:
        """Where the key is kept, unless it was given."""
        return self._path

    def seal(self, name: str, text: str) -> bytes:
        """Returns ``text`` encrypted.

        Raises:
            Misconfigured: There is no usable key of the installation.
        """
        return _VERSION + sealed_with(self._encryption_key(), name, text)

    def open(self, name: str, sealed: bytes) -> str | None:
        """Returns the text; None if it was sealed with another key of the installation, or is damaged.

        Raises:
            Misconfigured: There is no usable key of the installation.
        """
        return opened_with(self._encryption_key(), name, sealed[1:]) if sealed[:1] == _VERSION else None

    def derived(self, purpose: str) -> bytes:
        """Returns 32 bytes that follow from the key of the installation, and are others for each purpose.

        Raises:
            Misconfigured: There is no usable key of the installation.
        """
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        secret = (self._secret or self._kept()).encode()
        return HKDF(SHA256(), 32, salt=None, info=f"kaynak {purpose} 1".encode()).derive(secret)

    def _encryption_key(self) -> bytes:
        with self._lock:
            if self._key is None:
                self._key = self.derived("secrets")
        return self._key

    def _kept(self) -> str:
        """Returns the key in the file, which is made if it is missing."""
        try:
            found = self._path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            self._make()
            return self._kept()
        except (OSError, ValueError) as exc:
            raise Misconfigured(
                f"The key of the installation cannot be read: {self._path}.", hint="Check who may read the file."
            ) from exc
        if os.name == "posix" and stat.S_IMODE(self._path.stat().st_mode) & 0o077:
            raise Misconfigured(f"Others than its owner can read {self._path}.", hint=f"Run: chmod 600 {self._path}")
        if len(found) < _LEAST_CHARACTERS:
            raise Misconfigured(
                f"{self._path} does not hold a key of the installation.",
                hint="Restore it from a backup; without it, stored keys of providers must be stored again.",
            )
        return found

    def _make(self) -> None:
        """Makes the file. Of several processes at once one wins, and none reads half of it."""
        fresh = self._path.with_name(f".{self._path.name}.{secrets.token_hex(8)}")
        try:
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(base64.b64encode(secrets.token_bytes(32)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(fresh, self._path)
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        except OSError as exc:
            raise Misconfigured(
                f"The key of the installation cannot be kept in {self._path}: {exc.strerror}.",
                hint="Make the data directory writable, or set KAYNAK_SECRET_KEY.",
            ) from exc


def sealed_with(key: bytes, name: str, text: str) -> bytes:
    """Returns ``text`` encrypted for ``name`` with a key of 32 bytes."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, text.encode(), name.encode())


def opened_with(key: bytes, name: str, sealed: bytes) -> str | None:
    """Returns the text; None if key or name are others, or it is damaged."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if len(sealed) <= _NONCE_BYTES:
        return None
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], name.encode()).decode()
    except InvalidTag:
        return None
