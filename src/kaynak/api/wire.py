"""How our nouns look as JSON: the domain's dataclasses, field for field."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import orjson

from kaynak.domain import KaynakError, UnreadableDocument

URN = "urn:kaynak:error:"


def dumps(value: object) -> bytes:
    """Returns ``value`` as UTF-8 JSON. Dataclasses, UUIDs, enums and datetimes are understood.

    Raises:
        TypeError: It holds something that has no JSON form.
    """
    return orjson.dumps(value, default=_default, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)


def _default(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, PurePath):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def problem_type(error: type[KaynakError] | KaynakError) -> str:
    """Returns the stable URI that names the kind of error, e.g. ``urn:kaynak:error:collection-not-found``."""
    return URN + error.type


def problem_of(error: KaynakError) -> dict[str, Any]:
    """Returns the RFC 9457 problem document of ``error``, without the request id."""
    document: dict[str, Any] = {
        "type": problem_type(error),
        "title": error.title,
        "status": error.status,
        "detail": error.message,
    }
    if error.hint:
        document["hint"] = error.hint
    if isinstance(error, UnreadableDocument):
        document["reason"] = error.reason.value
    return document
