from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kaynak.domain import Action, InvalidRequest, Misconfigured, NotFound, Permission, Scope
from kaynak.identity.signing import Sealing

if TYPE_CHECKING:
    from kaynak.catalog import Catalog

_NAME: Final = "oidc-client-secret"
_LONGEST: Final = 4096


class ClientSecret:
    """Our secret at the provider of OpenID Connect: that of the settings, or else the one that is kept, encrypted.

    Args:
        catalog: Where it is kept.
        sealing: What encrypts it.
        configured: That of the settings; None: there is none.
    """

    def __init__(self, catalog: Catalog, sealing: Sealing, configured: str | None) -> None:
        self._catalog = catalog
        self._sealing = sealing
        self._configured = configured

    @property
    def configured(self) -> bool:
        """Whether the settings have one, which goes before the one that is kept."""
        return self._configured is not None

    async def current(self) -> str | None:
        """Returns it, as it is now; None: there is none, and PKCE alone protects the code.

        Raises:
            Misconfigured: The one that is kept cannot be read.
        """
        if self._configured is not None:
            return self._configured
        async with self._catalog.read() as unit:
            sealed = await unit.sealed_secrets.get(_NAME)
        if sealed is None:
            return None
        found = await self._sealing.open(_NAME, sealed)
        if found is None:
            raise Misconfigured(
                "The client secret of OpenID Connect was encrypted with another key of the installation.",
                hint="Store it again: kaynak secrets set oidc",
            )
        return found

    async def put(self, scope: Scope, secret: str) -> None:
        """Keeps one, encrypted, in place of the one before; it counts from the next sign-in on.

        Raises:
            Forbidden: The caller may not keep secrets.
            InvalidRequest: It cannot be a secret.
            Misconfigured: There is no usable key of the installation.
        """
        scope.require(Permission.SETTINGS)
        if not secret or len(secret) > _LONGEST or not secret.isprintable():
            raise InvalidRequest(
                "That is no client secret.", hint="Give it as the provider shows it, as one line of standard input."
            )
        sealed = await self._sealing.seal(_NAME, secret)
        async with self._catalog.begin() as unit:
            await unit.sealed_secrets.put(_NAME, sealed)
            unit.audit.record(scope, Action.OIDC_SECRET_STORED)

    async def remove(self, scope: Scope) -> None:
        """Forgets the one that is kept.

        Raises:
            Forbidden: The caller may not keep secrets.
            NotFound: None is kept.
        """
        scope.require(Permission.SETTINGS)
        async with self._catalog.begin() as unit:
            if not await unit.sealed_secrets.delete(_NAME):
                raise NotFound("No client secret is stored.", hint="It may be a setting: see kaynak config.")
            unit.audit.record(scope, Action.OIDC_SECRET_REMOVED)
