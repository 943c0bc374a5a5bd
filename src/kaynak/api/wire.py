"""How our nouns look as JSON: the domain's dataclasses, field for field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import PurePath
from typing import Any

import orjson

from kaynak.domain import KaynakError, UnreadableDocument

URN = "urn:kaynak:error:"

_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


def dumps(value: object) -> bytes:
    """Returns ``value`` as UTF-8 JSON. Dataclasses, UUIDs, enums and datetimes are understood.

    Raises:
        TypeError: It holds something that has no JSON form.
    """
    try:
        return orjson.dumps(value, default=_default, option=_OPTIONS)
    except TypeError:  # a number of more than 64 bits, which metadata may have
        return orjson.dumps(_with_long_numbers(value), default=_default, option=_OPTIONS)


def _with_long_numbers(value: object) -> object:
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return orjson.Fragment(str(value))
    if isinstance(value, Mapping):
        return {key: _with_long_numbers(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_with_long_numbers(inner) for inner in value]
    if is_dataclass(value):
        return {one.name: _with_long_numbers(getattr(value, one.name)) for one in fields(value)}
    return value


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
