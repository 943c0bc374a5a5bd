from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kaynak.identity.callers import Callers, Calling
from kaynak.identity.groups import GroupsOfPeople
from kaynak.identity.keys import Keys
from kaynak.identity.me import Me
from kaynak.identity.oidc import ClientSecret, OpenId
from kaynak.identity.options import IdentityOptions
from kaynak.identity.passwords import Passwords
from kaynak.identity.people import People
from kaynak.identity.setup import Setup
from kaynak.identity.sign_in import SignIns
from kaynak.identity.signing import Sealing, SigningKeys
from kaynak.identity.tokens import AccessTokens

if TYPE_CHECKING:
    from kaynak.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Identity:
    """Who people are, and how they prove it. Each attribute does one part of it; see their classes."""

    callers: Calling
    sign_ins: SignIns
    me: Me
    people: People
    groups: GroupsOfPeople
    keys: Keys
    setup: Setup
    oidc: OpenId | None
    oidc_secret: ClientSecret
    signing: SigningKeys
    passwords: Passwords

    @staticmethod
    def over(catalog: Catalog, sealing: Sealing, options: IdentityOptions) -> Identity:
        """Returns all of it over a catalog; to be closed.

        Args:
            catalog: Where people are kept.
            sealing: What encrypts the keys that sign.
            options: How people sign in.
        """
        passwords = Passwords(options.hashing)
        signing = SigningKeys(catalog, sealing, options)
        tokens = AccessTokens(signing, options)
        configured = None if options.oidc is None else options.oidc.client_secret
        secret = ClientSecret(catalog, sealing, configured)
        sign_ins = SignIns(catalog, passwords, tokens, options)
        return Identity(
            callers=Callers(catalog, tokens, options),
            sign_ins=sign_ins,
            me=Me(catalog, passwords, sign_ins),
            people=People(catalog, passwords),
            groups=GroupsOfPeople(catalog),
            keys=Keys(catalog),
            setup=Setup(catalog, passwords, sign_ins),
            oidc=None if options.oidc is None else OpenId(catalog, sealing, sign_ins, secret, options.oidc),
            oidc_secret=secret,
            signing=signing,
            passwords=passwords,
        )

    async def close(self) -> None:
        """Ends the threads that hash passwords, and the connections to a provider."""
        if self.oidc is not None:
            await self.oidc.close()
        self.passwords.close()
