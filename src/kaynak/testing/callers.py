from __future__ import annotations

from kaynak.identity import THE_OWNER, Caller


class OnlyTheOwner:
    """Takes whoever asks for the owner, like a laptop without accounts; needs no catalog."""

    async def find(self, credential: str | None, *, local: bool) -> Caller:
        """Returns the owner."""
        return THE_OWNER

    async def again(self, caller: Caller, credential: str | None, *, local: bool) -> Caller:
        """Returns the owner."""
        return THE_OWNER
