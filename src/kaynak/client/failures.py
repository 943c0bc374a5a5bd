"""Problem documents back to typed errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx

from kaynak.domain import (
    Busy,
    Conflict,
    Forbidden,
    InvalidRequest,
    KaynakError,
    ModelUnavailable,
    NotFound,
    RateLimited,
    StorageFull,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnreadableDocument,
    UnreadableReason,
)

_URN = "urn:kaynak:error:"
_BY_STATUS: dict[int, type[KaynakError]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: InvalidRequest,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
    507: StorageFull,
}


def _tree(root: type[KaynakError]) -> Iterator[type[KaynakError]]:
    yield root
    for child in root.__subclasses__():
        yield from _tree(child)


def error_of(status: int, content: bytes, retry_after: float | None = None) -> KaynakError:
    """Returns the typed error of an answer that is not a success.

    Args:
        status: Of the answer.
        content: Its body, a problem document if it is the server's own.
        retry_after: Seconds after which to ask again, if the answer said so.
    """
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        document = {}
    error = error_of_problem({"status": status, **document})
    if retry_after is not None and isinstance(error, Busy | ModelUnavailable | RateLimited):
        error.retry_after = retry_after
    return error


def error_of_problem(document: dict[str, Any]) -> KaynakError:
    """Returns the typed error that a problem document names; its request id is added as a note."""
    name = str(document.get("type", "")).removeprefix(_URN)
    status = document.get("status")
    message = str(document.get("detail") or document.get("title") or f"The server answered {status}.")
    hint = document.get("hint")
    if name == UnreadableDocument.type:
        error: KaynakError = UnreadableDocument(_reason(document.get("reason")), message, hint=hint)
    elif name == RateLimited.type:
        error = RateLimited(message, retry_after=1.0, hint=hint)
    else:
        # `unavailable` and `catalog-unavailable` share a base: the most specific class of that name wins.
        kinds = [kind for kind in _tree(KaynakError) if kind.__dict__.get("type") == name]
        kind = kinds[0] if kinds else _BY_STATUS.get(status or 0, KaynakError)
        error = kind(message, hint=hint)
    if document.get("request_id"):
        error.add_note(f"request id: {document['request_id']}")
    return error


class Unreachable(Unavailable):
    """The server does not answer, or no longer: this side of the connection found it out."""


def unreachable(base_url: str, error: httpx.TransportError) -> Unreachable:
    """Returns the error for a server that does not answer."""
    if isinstance(error, httpx.TimeoutException):
        return Unreachable(f"{base_url} did not answer in time.", hint="Try again, or raise the client's timeout.")
    return Unreachable(
        f"{base_url} cannot be reached: {type(error).__name__}.", hint="Is the server running? Start it with: kaynak up"
    )


def _reason(value: object) -> UnreadableReason:
    try:
        return UnreadableReason(str(value))
    except ValueError:
        return UnreadableReason.CORRUPT
