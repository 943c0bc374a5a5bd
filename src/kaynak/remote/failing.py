"""What it means when a service does not answer as it should."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from kaynak.domain import EmbedderUnavailable, InvalidRequest, KaynakError, Misconfigured, RerankerUnavailable
from kaynak.remote.saying import TRANSIENT, Said, later, meant, shown, too_long
from kaynak.remote.service import Service

Away: TypeAlias = EmbedderUnavailable | RerankerUnavailable

_CREDIT_SECONDS = 60.0
"""When to ask again after the money was spent: nobody adds some within a moment."""


class TextTooLong(InvalidRequest):
    """A text is longer than the model reads, or there are too many in one request."""


def failure(
    service: Service, status: int, headers: Mapping[str, str], error: Said, *, key: str | None, away: type[Away]
) -> KaynakError:
    """Returns what an answer means that is an error.

    Args:
        service: Who says it.
        status: Of the answer; 200 if it came as its body.
        headers: By lower-case name.
        error: What was said.
        key: Never shown, should the service repeat it.
        away: For what may pass.
    """
    status = meant(status, error)
    words = shown(error.message, key)
    tail = f": {words}" if words else f" ({status})."
    if status == 413 or too_long(error) or "context_length_exceeded" in error.codes:
        return TextTooLong(f"A text is too long for {service.title}{tail}")
    if status in TRANSIENT or status == 424 or status >= 500:
        return away(f"{service.title} does not answer now{tail}", hint="Try again.", retry_after=later(headers, error))
    if status == 402:
        return away(
            f"The account at {service.title} has no credit{tail}", hint="Add credit.", retry_after=_CREDIT_SECONDS
        )
    if status == 401 or "API_KEY_INVALID" in error.codes:
        return Misconfigured(f"{service.title} does not accept the key.", hint=service.key_hint)
    if status == 403:
        return Misconfigured(f"{service.title} forbids it{tail}", hint="Check what the key and the account may do.")
    if status == 404:
        return Misconfigured(f"{service.title} has no such model{tail}", hint=f"See {service.page}.")
    if 300 <= status < 400:
        return Misconfigured(
            f"The address of {service.title} leads elsewhere ({status}).", hint=f"Correct it; see {service.page}."
        )
    return Misconfigured(f"{service.title} refuses the request{tail}", hint=f"See {service.page}.")
