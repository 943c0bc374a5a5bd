from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from kaynak.domain import NOBODY, Action, Conflict, GlobalRole, Unauthenticated, fold_email, validate_person_name
from kaynak.identity.password_rules import check_password
from kaynak.identity.passwords import Passwords
from kaynak.identity.secrets_shown import SETUP_PREFIX, hash_of, new_secret
from kaynak.identity.sign_in import Client, SignedIn, SignIns

if TYPE_CHECKING:
    from kaynak.catalog import Catalog

_SECONDS = 3600.0


class Setup:
    """Makes the first administrator for whoever sees what is printed at the start of the server.

    The token lives in this process alone, for an hour at most, and works once.
    """

    def __init__(
        self,
        catalog: Catalog,
        passwords: Passwords,
        sign_ins: SignIns,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._catalog = catalog
        self._passwords = passwords
        self._sign_ins = sign_ins
        self._clock = clock
        self._hash: bytes | None = None
        self._until = 0.0

    async def open(self) -> str:
        """Returns a token for `complete`; one that was made before does not work any more.

        Raises:
            Conflict: Somebody administers already.
        """
        async with self._catalog.read() as unit:
            if await unit.users.administrators():
                raise _done()
        token = new_secret(SETUP_PREFIX)
        self._hash, self._until = hash_of(token), self._clock() + _SECONDS
        return token

    async def complete(self, token: str, email: str, name: str, password: str, client: Client) -> SignedIn:
        """Makes the first administrator, and signs them in.

        Raises:
            Unauthenticated: The token is not valid, or not any more.
            Conflict: Somebody administers already, or there is somebody of that address.
            WeakPassword: The password is not good enough.
            InvalidRequest: The address or the name cannot be.
        """
        self._check(token)
        address, label = fold_email(email), validate_person_name(name)
        check_password(password, about=(address, label))
        hashed, signer = await self._passwords.hash(password), await self._sign_ins.signer()
        self._check(token)  # of two at once, the second finds it used
        kept, self._hash = self._hash, None
        try:
            async with self._catalog.begin() as unit:
                await unit.users.lock()
                if await unit.users.administrators():
                    raise _done()
                made = await unit.users.add(address, name=label, role=GlobalRole.ADMINISTRATOR, password_hash=hashed)
                unit.audit.record(NOBODY, Action.SETUP, f"user:{made.id}", email=address, address=client.address)
                return await self._sign_ins.begin(unit, made.id, client, signer)
        except BaseException:
            self._hash = kept  # nothing came of it
            raise

    def _check(self, token: str) -> None:
        valid = self._hash is not None and self._clock() < self._until
        if not valid or not hmac.compare_digest(hash_of(token), self._hash or b""):
            raise Unauthenticated(
                "The setup link is not valid, or not any more.",
                hint="Start the server again with: kaynak up --setup",
            )


def _done() -> Conflict:
    return Conflict("Somebody administers this server already.", hint="Sign in, or run: kaynak users add --admin EMAIL")
