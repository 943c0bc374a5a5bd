"""Envelope encryption: secrets are encrypted with data keys, and those with the key of the installation."""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import structlog

from kaynak.catalog.master_keys import MasterKeys
from kaynak.catalog.sealed_secrets import SealedRow
from kaynak.catalog.vault import opened_with, sealed_with
from kaynak.domain import Action, InvalidRequest, Misconfigured, Scope

if TYPE_CHECKING:
    from kaynak.catalog.catalog import Catalog
    from kaynak.catalog.unit import Unit

log = structlog.get_logger(__name__)

_DIRECT: Final = 1
"""Format of what is encrypted with the key of the installation itself: data keys, and secrets of older versions."""
_ENVELOPE: Final = 2
_ID_BYTES: Final = 8
_PREFIX: Final = "data-key:"
_AGAIN_SECONDS: Final = 2.0
"""Least time between two readings of the data keys for the sake of one that is not here."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """What replacing the key of the installation did.

    Attributes:
        data_keys: That are encrypted with the new one now.
        secrets: Of older versions, that have data keys now.
        unreadable: Secrets that nothing opened; they must be stored again.
    """

    data_keys: int
    secrets: int
    unreadable: int


class Secrets:
    """Encrypts what must be read again, such as keys of providers. What is sealed for one name opens for no other.

    Nothing is read, and no key made, before it is first needed.

    Args:
        catalog: Where the data keys are.
        master: Where the key of the installation is.
    """

    def __init__(self, catalog: Catalog, master: MasterKeys) -> None:
        self._catalog = catalog
        self._master = master
        self._keys: dict[bytes, bytes] = {}  # oldest first
        self._read_at = float("-inf")
        self._lock = asyncio.Lock()

    async def seal(self, name: str, text: str) -> bytes:
        """Returns ``text`` encrypted; the first time, a data key is made.

        Raises:
            Misconfigured: There is no usable key of the installation.
        """
        if not self._keys:
            async with self._lock:
                await self._begin()
        number, key = list(self._keys.items())[-1]
        return bytes([_ENVELOPE]) + number + sealed_with(key, name, text)

    async def open(self, name: str, sealed: bytes) -> str | None:
        """Returns the text; None if its keys are not here, or it is damaged.

        Raises:
            Misconfigured: There is no usable key of the installation.
        """
        return (await self.open_all({name: sealed}))[name]

    async def open_all(self, sealed: Mapping[str, bytes]) -> dict[str, str | None]:
        """Returns the text of each name, as `open` does."""
        if any(_key_of(one) not in self._keys for one in sealed.values() if one[:1] == bytes([_ENVELOPE])):
            async with self._lock:
                await self._read()
        return await asyncio.to_thread(lambda: {name: self._opened(name, one) for name, one in sealed.items()})

    async def rotate(self, scope: Scope) -> Rotation:
        """Replaces the key of the installation: data keys are encrypted anew, secrets stay as they are.

        All or nothing, also if it is interrupted: the new key waits beside the old one until the data keys are
        written, and both are tried until it has taken over.

        Args:
            scope: Who does it, for the audit log.

        Raises:
            Misconfigured: The data keys were encrypted with a key that is not here.
            InvalidRequest: The key that is set is in use already.
        """
        holding = self._master.alone()
        await asyncio.to_thread(holding.__enter__)
        try:
            async with self._catalog.begin() as unit:
                done = await self._rotated(unit)
                unit.audit.record(scope, Action.SECRETS_ROTATED, "", data_keys=done.data_keys, secrets=done.secrets)
            await asyncio.to_thread(self._master.promote)
        finally:
            holding.__exit__(None, None, None)
        self._read_at = float("-inf")
        return done

    async def _rotated(self, unit: Unit) -> Rotation:
        await unit.sealed_secrets.lock()
        rows = await unit.sealed_secrets.all(_PREFIX)
        keys, by_next = await asyncio.to_thread(self._unwrapped, rows)
        missing = [row.name for row in rows if row.name not in keys]
        if missing:
            raise Misconfigured(
                f"{len(missing)} of {len(rows)} data keys were encrypted with another key of the installation.",
                hint="Give the one before as KAYNAK_OLD_SECRET_KEY, or restore the file secret.key.",
            )
        if by_next:  # an earlier rotation was cut off just before its end
            await asyncio.to_thread(self._master.promote)
        if self._master.secret is not None and rows and self._in_use(rows):
            raise InvalidRequest(
                "The data keys are encrypted with this KAYNAK_SECRET_KEY already.",
                hint="Set a new one (openssl rand -base64 48) and this one as KAYNAK_OLD_SECRET_KEY, and run it again.",
            )
        direct = [row for row in await unit.sealed_secrets.elsewhere() if row.secret[:1] == bytes([_DIRECT])]
        texts = await asyncio.to_thread(self._direct, direct)
        vault = await asyncio.to_thread(self._master.fresh)
        if texts and not keys:
            keys = dict([_new()])
        for name, key in keys.items():
            wrapped = await asyncio.to_thread(vault.seal, name, base64.b64encode(key).decode())
            await unit.sealed_secrets.put(name, wrapped)
        await self._resealed(unit, direct, texts, keys)
        return Rotation(len(keys), len(texts), len(direct) - len(texts))

    async def _begin(self) -> None:
        """Makes the first data key, and gives what was encrypted without one to it."""
        await self._read()
        if self._keys:
            return
        async with self._catalog.begin() as unit:
            await unit.sealed_secrets.lock()
            keys, _ = await asyncio.to_thread(self._unwrapped, await unit.sealed_secrets.all(_PREFIX))
            if not keys:
                name, key = _new()
                wrapped = await asyncio.to_thread(self._master.current().seal, name, base64.b64encode(key).decode())
                await unit.sealed_secrets.put(name, wrapped)
                keys = {name: key}
                direct = [row for row in await unit.sealed_secrets.elsewhere() if row.secret[:1] == bytes([_DIRECT])]
                await self._resealed(unit, direct, await asyncio.to_thread(self._direct, direct), keys)
        self._keys = {_number(name): key for name, key in keys.items()}

    async def _read(self) -> None:
        if time.monotonic() - self._read_at < _AGAIN_SECONDS:
            return
        async with self._catalog.read() as unit:
            rows = await unit.sealed_secrets.all(_PREFIX)
        keys, _ = await asyncio.to_thread(self._unwrapped, rows)
        if len(keys) < len(rows):
            log.warning("data_keys_unreadable", count=len(rows) - len(keys))
        # What is known stays known: a running server outlives a new key of the installation.
        self._keys = {**self._keys, **{_number(name): key for name, key in keys.items()}}
        self._read_at = time.monotonic()

    def _unwrapped(self, rows: list[SealedRow]) -> tuple[dict[str, bytes], bool]:
        """Returns the data keys that can be read, and whether one needed the next key of the installation."""
        found: dict[str, bytes] = {}
        by_next = False
        for vault in self._master.candidates() if rows else ():
            for row in rows:
                text = None if row.name in found else vault.open(row.name, row.secret)
                if text is not None:
                    found[row.name] = base64.b64decode(text)
                    by_next = by_next or vault.path == self._master.next
        return {row.name: found[row.name] for row in rows if row.name in found}, by_next

    def _in_use(self, rows: list[SealedRow]) -> bool:
        current = self._master.current()
        return all(current.open(row.name, row.secret) is not None for row in rows)

    def _direct(self, rows: list[SealedRow]) -> dict[SealedRow, str]:
        vaults = list(self._master.candidates()) if rows else []
        found = {row: next((text for vault in vaults if (text := vault.open(row.name, row.secret)) is not None), None)
                 for row in rows}  # fmt: skip
        return {row: text for row, text in found.items() if text is not None}

    async def _resealed(
        self, unit: Unit, rows: list[SealedRow], texts: Mapping[SealedRow, str], keys: Mapping[str, bytes]
    ) -> None:
        for row in rows:
            if row in texts:
                name, key = list(keys.items())[-1]
                sealed = bytes([_ENVELOPE]) + _number(name) + sealed_with(key, row.name, texts[row])
                await unit.sealed_secrets.put_elsewhere(replace(row, secret=sealed))

    def _opened(self, name: str, sealed: bytes) -> str | None:
        if sealed[:1] == bytes([_ENVELOPE]):
            key = self._keys.get(_key_of(sealed))
            return None if key is None else opened_with(key, name, sealed[1 + _ID_BYTES :])
        for vault in self._master.candidates():
            text = vault.open(name, sealed)
            if text is not None:
                return text
        return None


def _new() -> tuple[str, bytes]:
    return _PREFIX + secrets.token_hex(_ID_BYTES), secrets.token_bytes(32)


def _number(name: str) -> bytes:
    return bytes.fromhex(name.removeprefix(_PREFIX))


def _key_of(sealed: bytes) -> bytes:
    return sealed[1 : 1 + _ID_BYTES]
