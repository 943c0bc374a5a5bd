"""What may go wrong with a connection, as errors of ours."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx

from kaynak.domain import KaynakError


@contextlib.contextmanager
def translating(
    title: str, url: str, *, away: type[KaynakError], refused: type[KaynakError], hint: str
) -> Iterator[None]:
    """Makes failures of connections errors of ours.

    Args:
        title: Of the service, for people.
        url: Where it is.
        away: For what may pass.
        refused: For what will not pass by itself.
        hint: What to do where the address or the key cannot be sent.
    """
    try:
        yield
    except httpx.ConnectTimeout as exc:
        raise away(f"{title} cannot be reached: the connection took too long.", hint=_reach_hint(url)) from exc
    except httpx.ConnectError as exc:
        if "CERTIFICATE_VERIFY_FAILED" in str(exc):
            raise refused(
                f"The certificate of {title} cannot be verified.",
                hint="If your company has its own authority, set SSL_CERT_FILE to its certificates.",
            ) from exc
        raise away(f"{title} cannot be reached.", hint=_reach_hint(url)) from exc
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError) as exc:
        raise refused(f"The address or the key of {title} cannot be sent.", hint=hint) from exc
    except httpx.HTTPError as exc:
        raise away(f"The connection to {title} broke.", hint="Try again.") from exc


def is_loopback(host: str) -> bool:
    """Returns whether ``host`` is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _reach_hint(url: str) -> str:
    host = urlsplit(url).netloc.rpartition("@")[2]
    return f"Is it running at {host}, and may this machine reach it?"
