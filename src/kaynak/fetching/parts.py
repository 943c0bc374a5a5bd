"""Addresses of the web, and names of files, taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from kaynak.domain import UrlRefused

_LONGEST = 2048
_PORTS = {"http": 80, "https": 443}
_FIRST_FREE_PORT = 1024
_SEEMLY = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Target:
    """An address that may be asked for.

    Attributes:
        url: Whole, without fragment, in ASCII.
        name: The last part of its path, as a name for a file.
    """

    url: str
    name: str


def target_of(url: str, *, base: str | None = None) -> Target:
    """Returns what ``url`` leads to.

    Args:
        url: As it was given.
        base: What it is relative to, for a redirect.

    Raises:
        UrlRefused: It is no address of the web, or one that is not asked for.
    """
    text = url.strip()
    if base is not None:
        text = urljoin(base, text)
    if len(text) > _LONGEST:
        raise UrlRefused(f"The address has more than {_LONGEST} characters.", hint="Give a shorter one.")
    try:
        parts = urlsplit(_ascii(text))
        port = parts.port
    except ValueError as exc:
        raise _none() from exc
    if parts.scheme not in _PORTS or not parts.hostname or not _SEEMLY.fullmatch(_ascii(text)):
        raise _none()
    if parts.username is not None or parts.password is not None:
        raise UrlRefused(
            "The address has a name or password in it.", hint="Download the document, and add the file instead."
        )
    if port is not None and port != _PORTS[parts.scheme] and port < _FIRST_FREE_PORT:
        raise UrlRefused(f"Port {port} is not one of the web.", hint="Use the usual port, or one from 1024.")
    clean = urlunsplit((parts.scheme, parts.netloc, parts.path or "/", parts.query, ""))
    return Target(clean, PurePosixPath(unquote(parts.path)).name or f"{parts.hostname}.html")


def _ascii(text: str) -> str:
    """Returns an address with its host in Punycode, and everything else beyond ASCII in per cent."""
    if text.isascii():
        return text
    head, slashes, rest = text.partition("://")
    match = re.match(r"[^/?#]*", rest)
    netloc = match.group() if match else ""
    host, colon, port = netloc.partition(":")
    encoded = host.encode("idna").decode()
    tail = "".join(
        char if ord(char) < 128 else "".join(f"%{byte:02X}" for byte in char.encode()) for char in rest[len(netloc) :]
    )
    return f"{head}{slashes}{encoded}{colon}{port}{tail}"


def _none() -> UrlRefused:
    return UrlRefused("That is no address of the web.", hint="Addresses begin with http:// or https://.")
