"""What an answer of the server says, and what went wrong where it says nothing."""

from __future__ import annotations

from typing import Any, TypeVar

import httpx

from kaynak.client.calls import Call
from kaynak.client.failures import error_of
from kaynak.client.retrying import seconds_in
from kaynak.domain import KaynakError

ResultT = TypeVar("ResultT")
CONNECT_SECONDS = 5.0


def result_of(call: Call[ResultT], response: httpx.Response) -> ResultT:
    """Returns what an answer says.

    Raises:
        KaynakError: It is not an answer to this call.
    """
    try:
        if call.binary:
            return call.result(response.content)
        return call.result(response.json() if response.content else None)
    except (AttributeError, LookupError, TypeError, ValueError) as exc:
        raise KaynakError(
            f"What answers at {response.url.copy_with(query=None)} is not Kaynak, or of another version.",
            hint="Check the address; use a client of the server's version.",
        ) from exc


def failure_of(response: httpx.Response, content: bytes) -> KaynakError:
    """Returns the error of an answer that is not a success."""
    return error_of(response.status_code, content, seconds_in(response.headers))


def patience_of(call: Call[Any]) -> dict[str, Any]:
    """Returns how long to wait, where that is not as the client was told."""
    return {} if call.seconds is None else {"timeout": httpx.Timeout(call.seconds, connect=CONNECT_SECONDS)}
