"""What a service says when it does not answer, in the words of many. The only place that knows them."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

_MOST_WORDS = 240
_TOO_LONG = ("prompt is too long", "maximum context length", "context_length", "maximum input length")
_STATUS_OF = {
    # Anthropic
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
    # OpenAI and those who speak like it
    "invalid_api_key": 401,
    "insufficient_quota": 402,
    "model_not_found": 404,
    "context_length_exceeded": 413,
    "rate_limit_exceeded": 429,
    "server_error": 500,
    "overloaded": 503,
    # Gemini
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
TRANSIENT = frozenset({408, 409, 425, 429})
"""Statuses below 500 after which the same request may succeed."""
_STATUS = re.compile(r"[45][0-9]{2}")
_DURATION = re.compile(
    r"(?:(?P<h>\d+(?:\.\d+)?)h)?(?:(?P<m>\d+(?:\.\d+)?)m(?!s))?(?:(?P<s>\d+(?:\.\d+)?)s)?(?:(?P<ms>\d+(?:\.\d+)?)ms)?"
)


@dataclass(frozen=True, slots=True)
class Said:
    """What an error document says, in any of the formats.

    Attributes:
        message: For people; empty if there is none.
        codes: Names and numbers of the kind of error.
        parameter: The field that is at fault.
        retry_after: Seconds, if the document says so.
    """

    message: str = ""
    codes: tuple[str, ...] = ()
    parameter: str = ""
    retry_after: float | None = None


def said(document: object) -> Said | None:
    """Returns what ``document`` says if it is an error of any provider; None if it is not an error."""
    if not isinstance(document, dict):
        return None
    error = document.get("error")
    if error is None:
        detail = document.get("detail") if "choices" not in document else None
        return Said(_words(detail)) if detail else None
    if isinstance(error, str):
        return Said(error, _texts(document.get("error_type")))
    if not isinstance(error, dict):
        return Said()
    details = error.get("details")
    inner = [one for one in details if isinstance(one, dict)] if isinstance(details, list) else []
    reasons = (detail.get("reason") for detail in inner)
    codes = _texts(error.get("code"), error.get("type"), error.get("status"), *reasons)
    waits = (duration(str(detail.get("retryDelay", ""))) for detail in inner)
    retry_after = next((wait for wait in waits if wait is not None), None)
    message = _words(error.get("message"))
    upstream = (error.get("metadata") or {}).get("raw") if isinstance(error.get("metadata"), dict) else None
    if isinstance(upstream, str) and upstream not in message:
        message = f"{message}: {upstream}"
    return Said(message, codes, str(error.get("param") or ""), retry_after)


def duration(text: str) -> float | None:
    """Returns seconds of ``1.5``, ``20ms``, ``30s`` or ``6m0s``; None for anything else."""
    text = text.strip()
    try:
        seconds = float(text)
    except ValueError:
        found = _DURATION.fullmatch(text)
        if found is None or not text:
            return None
        parts = {unit: float(value) for unit, value in found.groupdict("0").items()}
        seconds = parts["h"] * 3600 + parts["m"] * 60 + parts["s"] + parts["ms"] / 1000
    return seconds if 0 <= seconds < float("inf") else None


def later(headers: Mapping[str, str], error: Said) -> float | None:
    """Returns in how many seconds the provider wants to be asked again."""
    if (milliseconds := duration(headers.get("retry-after-ms", ""))) is not None:
        return milliseconds / 1000
    after = headers.get("retry-after", "")
    if (seconds := duration(after)) is not None:
        return seconds
    if after:
        try:
            until = parsedate_to_datetime(after)
        except (ValueError, OverflowError):
            pass
        else:
            now = datetime.datetime.now(datetime.UTC)
            return max(
                0.0, (until if until.tzinfo else until.replace(tzinfo=datetime.UTC)).timestamp() - now.timestamp()
            )
    if error.retry_after is not None:
        return error.retry_after
    return max(_resets(headers), default=None)


def _resets(headers: Mapping[str, str]) -> Iterator[float]:
    """Yields when the limits that are used up begin anew; without a count of what is left, each counts."""
    for kind in ("requests", "tokens"):
        left = headers.get(f"x-ratelimit-remaining-{kind}")
        reset = duration(headers.get(f"x-ratelimit-reset-{kind}", ""))
        if reset is not None and (left is None or left.strip() in {"0", "-1"}):
            yield reset


def meant(status: int, error: Said) -> int:
    """Returns the status that goes with the error, whatever status it came under."""
    if status == 429 and "insufficient_quota" in error.codes:
        return 402
    if status >= 300:
        return status
    for code in error.codes:
        if _STATUS.fullmatch(code):
            return int(code)
        if code in _STATUS_OF:
            return _STATUS_OF[code]
    return 500


def too_long(error: Said) -> bool:
    """Returns whether the text is longer than the model reads."""
    message = error.message.lower()
    return any(words in message for words in _TOO_LONG)


def _words(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):  # FastAPI's list of faults
        return "; ".join(str(item.get("msg", "")) for item in value if isinstance(item, dict))
    return ""


def _texts(*values: object) -> tuple[str, ...]:
    return tuple(str(value) for value in values if isinstance(value, str | int) and not isinstance(value, bool))


def shown(message: str, key: str | None) -> str:
    """Returns the provider's words for people: one line, not long, without the key."""
    text = message.replace(key, "********") if key else message
    text = re.sub(r"\b(?:sk|hf|gsk|AIza)[-_A-Za-z0-9*]{8,}", "********", text)
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return text if len(text) <= _MOST_WORDS else text[: _MOST_WORDS - 1] + "…"
