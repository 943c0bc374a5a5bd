"""What looks like a secret does not reach the log, whoever logs it: by the name of its field, and by its looks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from structlog.typing import EventDict, WrappedLogger

MASK: Final = "********"
_NAMES: Final = re.compile(
    r"(?i)authorization|cookie|passw(?:or)?d|passphrase|secret|credential|private_?key|api_?key|(?:^|_)(?:token|key)$"
    r"|(?:access|refresh|id|session|csrf)_?token"
)
_HARMLESS: Final = frozenset({"event", "logger", "level", "time", "request_id", "method", "path", "kid"})
_HEADER: Final = re.compile(
    r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie|x-api-key|api-key|x-goog-api-key)([\"']?\s*[:=]\s*[\"']?)[^\r\n\"',}\]]+"
)
_FIELD: Final = re.compile(
    r"(?i)([\"']?\b(?:password|passwd|secret|client_secret|api_?key|access_token|refresh_token)\b[\"']?\s*[:=]\s*)"
    r"(?:\"[^\"]*\"|'[^']*'|[^\s&,;)}\]]+)"
)
_URL: Final = re.compile(r"(://[^:/@\s]*):[^@/\s]+@")
_SHAPES: Final = re.compile(
    r"\bkyn_[A-Za-z0-9_-]{6,}"  # our keys
    r"|\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"  # tokens
    r"|\b(?:Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}"
    r"|\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}|\bhf_[A-Za-z0-9]{16,}|\bAIza[A-Za-z0-9_-]{20,}"  # keys of providers
)
_HINTS: Final = ("kyn_", "eyj", "bearer", "basic", "sk-", "pk-", "rk-", "hf_", "aiza", "://", "passw", "secret", "key",
                 "token", "cookie", "authorization")  # fmt: skip
"""One of which stands, in small letters, in every text that one of the patterns could find."""
_DEEPEST: Final = 6


def mask_secrets(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Masks the fields of a log event; a processor of structlog."""
    for name, value in event.items():
        if name == "event" or name not in _HARMLESS:
            event[name] = _masked(name, value, 0)
    return event


def masked_text(text: str) -> str:
    """Returns ``text`` without what looks like a secret in it."""
    folded = text.lower()
    if not any(hint in folded for hint in _HINTS):
        return text
    text = _HEADER.sub(rf"\1\2{MASK}", text)
    text = _FIELD.sub(rf"\1{MASK}", text)
    text = _URL.sub(rf"\1:{MASK}@", text)
    return _SHAPES.sub(MASK, text)


def _masked(name: str, value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value  # numbers of tokens are no tokens
    if name not in _HARMLESS and _NAMES.search(name.replace("-", "_")):
        return MASK
    if depth > _DEEPEST:
        return MASK
    if isinstance(value, str):
        return masked_text(value)
    if isinstance(value, bytes):
        return masked_text(value.decode("latin-1"))
    if isinstance(value, Mapping):
        return {key: _masked(str(key), inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_pair(inner, depth) for inner in value]
    return value


def _pair(value: Any, depth: int) -> Any:
    """Headers are often pairs of a name and a value."""
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str | bytes):
        name = value[0].decode("latin-1") if isinstance(value[0], bytes) else value[0]
        return [name, _masked(name, value[1], depth + 1)]
    return _masked("", value, depth + 1)
