"""Exit codes, and how an error becomes one. Documented in docs/cli.md."""

from __future__ import annotations

from kaynak.domain import (
    Conflict,
    InvalidRequest,
    KaynakError,
    Misconfigured,
    NotFound,
    StorageFull,
    TooLarge,
    Unavailable,
    Unsupported,
)

OK = 0
FAILED = 1
USAGE = 2
NOT_FOUND = 3
NOTHING_FOUND = 4
CONFLICT = 5
UNAVAILABLE = 69
INTERNAL = 70
STORAGE_FULL = 74
MISCONFIGURED = 78
INTERRUPTED = 130

_CODES: tuple[tuple[type[KaynakError], int], ...] = (
    (NotFound, NOT_FOUND),
    (Conflict, CONFLICT),
    (InvalidRequest, USAGE),
    (TooLarge, USAGE),
    (Unsupported, USAGE),
    (Misconfigured, MISCONFIGURED),
    (StorageFull, STORAGE_FULL),
    (Unavailable, UNAVAILABLE),
)


def exit_code_of(error: KaynakError) -> int:
    """Returns the exit code for ``error``."""
    if error.status == 503:
        return UNAVAILABLE
    return next((code for kind, code in _CODES if isinstance(error, kind)), FAILED)
