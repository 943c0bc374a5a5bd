from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

BEARER = "authorization"
NO_KEY = "none"

KeyOf = Callable[[str], Awaitable[str | None]]
"""Returns the key of a service by its name; None if there is none."""


@dataclass(frozen=True, slots=True)
class Service:
    """Where a service of another machine is, and how it wants to be asked.

    Attributes:
        name: As people type it.
        title: For people.
        url: Base of its addresses.
        auth: Header that carries the key: `BEARER`, the name of another one, or `NO_KEY`.
        needs_key: Whether it answers only with a key.
        key_env: Environment variables that may hold the key.
        headers: Sent with every request.
        page: Its page in the documentation.
    """

    name: str
    title: str
    url: str
    auth: str = BEARER
    needs_key: bool = False
    key_env: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    page: str = "docs/embedders.md"

    @property
    def key_hint(self) -> str:
        """What to do about a key that is missing or wrong."""
        variable = f"Set {self.key_env[0]}, or store" if self.key_env else "Store"
        return f"{variable} a key: kaynak models set-key {self.name}"

    def headers_with(self, key: str | None) -> dict[str, str]:
        """Returns the headers of a request."""
        headers = {"user-agent": "kaynak", **self.headers}
        if key and self.auth != NO_KEY:
            headers[self.auth] = f"Bearer {key}" if self.auth == BEARER else key
        return headers


@dataclass(frozen=True, slots=True)
class Ask:
    """A request for a JSON document.

    Attributes:
        path: After the base of the service.
        body: Posted as JSON; None: it is a GET.
    """

    path: str
    body: Mapping[str, Any] | None = None
