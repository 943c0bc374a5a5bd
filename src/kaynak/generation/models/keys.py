from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from enum import StrEnum

from kaynak.catalog import Catalog, Secrets
from kaynak.domain import Action, InvalidRequest, ModelRefused, NotFound, Scope
from kaynak.generation.models.providers import Provider

_FRESH_SECONDS = 5.0
"""How long stored keys are remembered: another process may store one."""
_LONGEST_KEY = 4096


class KeySource(StrEnum):
    """Where the key of a provider comes from."""

    STORED = "stored"
    ENVIRONMENT = "environment"
    NONE = "none"
    UNREADABLE = "unreadable"
    """One is stored, but with another key of the installation."""


class Keys:
    """The keys of providers: stored ones, encrypted, and before them none; else those of the environment.

    Args:
        catalog: Where they are stored.
        secrets: What encrypts them.
        environment: Environment variables.
    """

    def __init__(self, catalog: Catalog, secrets: Secrets, environment: Mapping[str, str]) -> None:
        self._catalog = catalog
        self._secrets = secrets
        self._environment = environment
        self._stored: dict[str, str | None] = {}
        self._until = 0.0
        self._reading = asyncio.Lock()

    async def get(self, provider: Provider) -> str | None:
        """Returns the key of ``provider``; None if there is none.

        Raises:
            ModelRefused: A stored key cannot be read any more.
        """
        source = await self.source(provider)
        if source is KeySource.UNREADABLE:
            raise ModelRefused(
                f"The stored key of {provider.title} was encrypted with another key of the installation.",
                hint=f"Store it again: kaynak models set-key {provider.name}",
            )
        if source is KeySource.STORED:
            return (await self._all())[provider.name]
        return self._of_environment(provider)

    async def source(self, provider: Provider) -> KeySource:
        """Returns where the key of ``provider`` comes from."""
        stored = await self._all()
        if provider.name in stored:
            return KeySource.UNREADABLE if stored[provider.name] is None else KeySource.STORED
        return KeySource.NONE if self._of_environment(provider) is None else KeySource.ENVIRONMENT

    async def put(self, scope: Scope, provider: Provider, key: str) -> None:
        """Stores a key; from now on it goes before the one of the environment.

        Raises:
            InvalidRequest: It cannot be a key.
        """
        if not key or len(key) > _LONGEST_KEY or not key.isascii() or not key.isprintable() or " " in key:
            raise InvalidRequest(
                "That is not a key: it is empty, too long, or has characters that keys do not have.",
                hint="Copy it again, without spaces and line ends.",
            )
        sealed = await self._secrets.seal(provider.name, key)
        async with self._catalog.begin() as unit:
            await unit.provider_keys.put(provider.name, sealed)
            unit.audit.record(scope, Action.PROVIDER_KEY_STORED, f"provider:{provider.name}")
        self._until = 0.0

    async def delete(self, scope: Scope, provider: Provider) -> None:
        """Removes the stored key.

        Raises:
            NotFound: There is none.
        """
        async with self._catalog.begin() as unit:
            removed = await unit.provider_keys.delete(provider.name)
            if removed:
                unit.audit.record(scope, Action.PROVIDER_KEY_REMOVED, f"provider:{provider.name}")
        self._until = 0.0
        if not removed:
            raise NotFound(
                f"No key of {provider.title} is stored.", hint="Keys of the environment are not stored here."
            )

    async def _all(self) -> dict[str, str | None]:
        if time.monotonic() >= self._until:
            async with self._reading:
                if time.monotonic() >= self._until:
                    await self._read()
        return self._stored

    async def _read(self) -> None:
        async with self._catalog.read() as unit:
            sealed = await unit.provider_keys.all()
        # The usual installation stores none: then neither the key of the installation nor ciphers are touched.
        opened = await self._secrets.open_all(sealed) if sealed else {}
        self._stored, self._until = opened, time.monotonic() + _FRESH_SECONDS

    def _of_environment(self, provider: Provider) -> str | None:
        found = (self._environment.get(name, "").strip() for name in provider.key_env)
        return next((key for key in found if key), None)
