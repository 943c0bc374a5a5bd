"""The keys that sign access tokens: made, kept, replaced."""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from kaynak.domain import SYSTEM, Action, Scope
from kaynak.identity.options import IdentityOptions

if TYPE_CHECKING:
    from kaynak.catalog import Catalog, SigningKeyRow, Unit

log = structlog.get_logger(__name__)

_FRESH_SECONDS = 60.0
"""After which the keys are read again: another process may have retired one."""
_UNKNOWN_SECONDS = 2.0
"""Least time between two readings for the sake of names that nobody knows."""
_SLACK = timedelta(minutes=5)


class Sealing(Protocol):
    """Encrypts what must be read again; see `kaynak.catalog.Secrets`."""

    async def seal(self, name: str, text: str) -> bytes:
        """Returns ``text`` encrypted."""
        ...

    async def open(self, name: str, sealed: bytes) -> str | None:
        """Returns the text; None if this is not the key for it."""
        ...


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key as it is used.

    Attributes:
        kid: Its public name.
        algorithm: The only one that its tokens may have.
        private: What signs.
        public: What verifies; the same for HS256.
    """

    kid: str
    algorithm: str
    private: Any
    public: Any


class SigningKeys:
    """The keys of this installation. One signs; those before it verify until their last token has run out.

    Args:
        catalog: Where they are kept, encrypted.
        sealing: What encrypts them.
        options: The algorithm of new ones, and how long each signs.
    """

    def __init__(self, catalog: Catalog, sealing: Sealing, options: IdentityOptions) -> None:
        self._catalog = catalog
        self._sealing = sealing
        self._options = options
        self._known: dict[str, SigningKey] = {}
        self._current: SigningKey | None = None
        self._read_at = float("-inf")
        self._due: datetime | None = None
        self._lock = asyncio.Lock()

    async def current(self) -> SigningKey:
        """Returns the key that signs now; a first or due one is made.

        It is asked for each time: what is signed with a key that another process took away is worthless.

        Raises:
            Misconfigured: There is no usable key of the installation.
        """
        asked_at = time.monotonic()
        async with self._lock:
            if self._read_at < asked_at:  # of many who wait here, one reads
                await self._read()
            if self._current is None or self._due is None or datetime.now(UTC) >= self._due:
                await self._rotate()
        if self._current is None:
            raise AssertionError("a key was just made")
        return self._current

    async def find(self, kid: str) -> SigningKey | None:
        """Returns the key of that name, if its tokens are still accepted."""
        if kid in self._known and not self._stale():
            return self._known[kid]
        # Names that nobody knows cost a reading, and are made up at will.
        if self._reads_again():
            async with self._lock:
                if self._reads_again():
                    await self._read()
        return self._known.get(kid)

    async def rotate(self, by: Scope | str = SYSTEM, *, distrust: bool = False) -> None:
        """Has a new key sign from now on.

        Args:
            by: Who does it, for the audit log.
            distrust: Whether the tokens of those before are not accepted any more, and everybody must refresh.
        """
        async with self._lock:
            await self._rotate(by, again=True, distrust=distrust)

    def _reads_again(self) -> bool:
        return time.monotonic() - self._read_at > _UNKNOWN_SECONDS

    def _stale(self) -> bool:
        return time.monotonic() - self._read_at > _FRESH_SECONDS

    async def _read(self) -> None:
        began = time.monotonic()
        async with self._catalog.read() as unit:
            rows = await unit.signing_keys.all()
        await self._take(rows, began)

    async def _rotate(self, by: Scope | str = SYSTEM, *, again: bool = False, distrust: bool = False) -> None:
        # Sealed before the transaction: the first secret of all makes the key that it is sealed with.
        fresh, began = await self._made(), time.monotonic()
        async with self._catalog.begin() as unit:
            await unit.signing_keys.lock()
            rows = await unit.signing_keys.all()
            if again or await self._signing(rows) is None:
                await self._keep(unit, fresh, rows, distrust=distrust)
                unit.audit.record(by, Action.SIGNING_KEY_ROTATED, "", kid=fresh[0], distrusted=distrust)
                rows = await unit.signing_keys.all()
        await self._take(rows, began)

    async def _made(self) -> tuple[str, bytes]:
        kid, secret = secrets.token_urlsafe(12), _made(self._options.algorithm)
        return kid, await self._sealing.seal(_name(kid), base64.b64encode(secret).decode())

    async def _keep(self, unit: Unit, fresh: tuple[str, bytes], rows: list[SigningKeyRow], *, distrust: bool) -> None:
        kid, sealed = fresh
        if distrust:
            await unit.signing_keys.delete([row.kid for row in rows])
        else:
            await unit.signing_keys.retire([row.kid for row in rows])
            gone = [row.kid for row in rows if not self._accepted(row)]
            await unit.signing_keys.delete(gone)
        await unit.signing_keys.add(kid, self._options.algorithm, sealed)
        log.info("signing_key_made", kid=kid, algorithm=self._options.algorithm)

    async def _take(self, rows: list[SigningKeyRow], read_at: float) -> None:
        known = await self._opened([row for row in rows if self._accepted(row)])
        signing = await self._signing(rows)
        self._known = known
        self._current = None if signing is None else known.get(signing.kid)
        self._due = None if signing is None else signing.created_at + self._options.rotation
        self._read_at = read_at

    async def _opened(self, rows: list[SigningKeyRow]) -> dict[str, SigningKey]:
        found = {}
        for row in rows:
            key = self._known.get(row.kid) or await self._key(row)
            if key is not None:
                found[row.kid] = key
        return found

    async def _signing(self, rows: list[SigningKeyRow]) -> SigningKeyRow | None:
        """Returns the row of the key that is to sign, or None if one must be made."""
        for row in rows:
            due = row.created_at + self._options.rotation <= datetime.now(UTC)
            usable = row.retired_at is None and row.algorithm == self._options.algorithm and not due
            if usable and await self._key(row):
                return row
        return None

    def _accepted(self, row: SigningKeyRow) -> bool:
        if row.retired_at is None:
            return True
        return datetime.now(UTC) < row.retired_at + self._options.access + _SLACK

    async def _key(self, row: SigningKeyRow) -> SigningKey | None:
        text = await self._sealing.open(_name(row.kid), row.secret)
        if text is None:
            # Sealed with another key of the installation: its tokens cannot be told from forged ones.
            log.warning("signing_key_unreadable", kid=row.kid)
            return None
        secret = base64.b64decode(text)
        if row.algorithm == "HS256":
            return SigningKey(row.kid, row.algorithm, secret, secret)
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        private = Ed25519PrivateKey.from_private_bytes(secret)
        return SigningKey(row.kid, row.algorithm, private, private.public_key())


def _made(algorithm: str) -> bytes:
    if algorithm == "HS256":
        return secrets.token_bytes(32)
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.generate().private_bytes_raw()


def _name(kid: str) -> str:
    return f"signing-key:{kid}"
