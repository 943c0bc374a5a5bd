from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import sys
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from kaynak.domain import InvalidRequest, Unavailable
from kaynak.identity.legacy import Pbkdf2Hasher

if TYPE_CHECKING:
    from pwdlib import PasswordHash

P = ParamSpec("P")
ResultT = TypeVar("ResultT")

_MOST_WAITING = 512
"""People who may wait for their password to be checked; a few seconds' worth."""
_MEMORY_KIB = 32 * 1024
_ROUNDS = 2
_NICENESS = 10


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of checking a password.

    Attributes:
        matches: Whether it is the one.
        rehashed: Its hash as it would be made today, if the stored one is of an older kind.
    """

    matches: bool
    rehashed: str | None = None


class Passwords:
    """Hashes passwords with Argon2id, off the event loop, a few at a time, and after everything else.

    A hash is meant to be slow and takes 32 MB. Hundreds at once would take all cores and all memory from those who
    search, so there is a queue, and where the system allows it its threads have a low priority.

    Args:
        parallel: How many at the same time.
    """

    def __init__(self, parallel: int = 1) -> None:
        self._threads = ThreadPoolExecutor(parallel, thread_name_prefix="passwords", initializer=_step_back)
        self._waiting = 0
        self._hasher: PasswordHash | None = None
        self._decoy: str | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Ends the threads; what waits is given up."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """Returns the hash of a new password.

        Raises:
            Unavailable: Too many wait.
        """
        return await self._run(self._hash, password)

    async def check(self, password: str, hashed: str | None) -> Checked:
        """Compares a password with a hash.

        Args:
            password: As typed.
            hashed: None: there is nobody, or they have no password. The work is the same, the answer no.

        Raises:
            Unavailable: Too many wait.
        """
        return await self._run(self._check, password, hashed)

    def acceptable(self, hashed: str) -> str:
        """Returns a hash that another system made, if this one can check it.

        Raises:
            InvalidRequest: It cannot.
        """
        if not any(hasher.identify(hashed) for hasher in self._passwords().hashers) or len(hashed) > 512:
            raise InvalidRequest(
                "That is no hash of a password that can be checked here.",
                hint="It looks like $argon2id$…, or pbkdf2_sha256$100000$SALT$HASH with at least 16 bytes of salt.",
            )
        return hashed

    async def _run(self, work: Callable[P, ResultT], *args: P.args, **kwargs: P.kwargs) -> ResultT:
        if self._waiting >= _MOST_WAITING:
            raise Unavailable("Too many people sign in at this moment.", hint="Try again in a few seconds.")
        self._waiting += 1
        try:
            return await asyncio.wrap_future(self._threads.submit(work, *args, **kwargs))
        finally:
            self._waiting -= 1

    def _passwords(self) -> PasswordHash:
        with self._lock:
            if self._hasher is None:
                from pwdlib import PasswordHash
                from pwdlib.hashers.argon2 import Argon2Hasher

                own = Argon2Hasher(time_cost=_ROUNDS, memory_cost=_MEMORY_KIB, parallelism=1)
                self._hasher = PasswordHash((own, Pbkdf2Hasher()))
        return self._hasher

    def _hash(self, password: str) -> str:
        return self._passwords().hash(_normal(password))

    def _check(self, password: str, hashed: str | None) -> Checked:
        if hashed is None:
            if self._decoy is None:
                self._decoy = self._hash(secrets.token_urlsafe(24))
            self._passwords().verify(_normal(password), self._decoy)
            return Checked(matches=False)
        if Pbkdf2Hasher.identify(hashed):
            # Older systems hashed what was typed, letter for letter.
            matches = self._passwords().verify(password, hashed)
            return Checked(matches, self._hash(password) if matches else None)
        matches, rehashed = self._passwords().verify_and_update(_normal(password), hashed)
        return Checked(matches, rehashed)


def _normal(password: str) -> str:
    """Returns one form of what different keyboards make of the same letters (NIST SP 800-63B)."""
    return unicodedata.normalize("NFKC", password)


def _step_back() -> None:
    if sys.platform == "linux":  # elsewhere a priority is the whole process's
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
