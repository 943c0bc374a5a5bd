from __future__ import annotations

import random
from collections.abc import Mapping

import httpx

from kaynak.client.calls import Call

ATTEMPTS = 4
LONGEST_WAIT = 5.0


def seconds_in(headers: Mapping[str, str]) -> float | None:
    """Returns the seconds after which the server wants to be asked again; None if it does not say."""
    given = headers.get("retry-after", "")
    return float(given) if given.isascii() and given.isdigit() else None


def resume_after(attempt: int) -> float:
    """Returns the seconds to wait before a lost stream is taken up for the ``attempt``-th time."""
    return min(0.2 * 2.0 ** (attempt - 1), LONGEST_WAIT)


def wait_before_retry(call: Call[object], attempt: int, outcome: httpx.Response | httpx.TransportError) -> float | None:
    """Returns the seconds to wait before the call is repeated, or None if it may not or need not be.

    A connection that was never made repeats any call; everything else only those that do no harm twice.
    """
    if attempt >= ATTEMPTS:
        return None
    if isinstance(outcome, httpx.Response):
        # What was refused by rate has not been done: it may be repeated, whatever it is.
        if outcome.status_code != 429 and (outcome.status_code != 503 or not call.safe):
            return None
        asked = seconds_in(outcome.headers)
        if asked is not None:
            return min(asked, LONGEST_WAIT)
    elif not call.safe and not isinstance(outcome, httpx.ConnectError | httpx.ConnectTimeout):
        return None
    return min(0.2 * 2.0 ** (attempt - 1) * random.uniform(0.8, 1.2), LONGEST_WAIT)  # noqa: S311 - jitter
