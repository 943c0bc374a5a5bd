"""Answers that need not be sent again."""

from __future__ import annotations

import hashlib

from starlette.requests import Request

REVALIDATED = "private, no-cache"
"""Kept by the caller alone, and asked about each time: permissions and documents change."""


def etag_of(*parts: object) -> str:
    """Returns the entity tag of an answer that depends on ``parts`` and on nothing else."""
    digest = hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=12).hexdigest()
    return f'"{digest}"'


def known(request: Request, etag: str) -> bool:
    """Returns whether the caller has the answer already."""
    given = request.headers.get("if-none-match", "")
    tags = {tag.strip().removeprefix("W/") for tag in given.split(",")}
    return etag in tags or "*" in tags
