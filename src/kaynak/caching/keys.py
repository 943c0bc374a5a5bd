"""Keys that say everything a value depends on."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID


def digest(*parts: object) -> str:
    """Returns 64 hexadecimal digits that are equal if, and only if, all parts are.

    Every field of a dataclass counts, those too that are added one day; the order of sets and mappings does not.

    Raises:
        TypeError: A part holds something that has no such form.
    """
    plain = json.dumps([_plain(part) for part in parts], ensure_ascii=True, separators=(",", ":"))
    return hashlib.blake2b(plain.encode(), digest_size=32).hexdigest()


def _plain(value: object) -> Any:
    """Returns ``value`` as JSON in which different values of different types never look alike."""
    if isinstance(value, Enum):
        return ["enum", type(value).__name__, value.value]
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        return ["number", repr(value)]
    if isinstance(value, bytes):
        return ["bytes", value.hex()]
    if isinstance(value, UUID | datetime):
        return [type(value).__name__, str(value)]
    if dataclasses.is_dataclass(value):
        fields = [[field.name, _plain(getattr(value, field.name))] for field in dataclasses.fields(value)]
        return ["object", type(value).__name__, fields]
    if isinstance(value, Mapping):
        return ["mapping", sorted(([_plain(key), _plain(one)] for key, one in value.items()), key=json.dumps)]
    if isinstance(value, Set):
        return ["set", sorted((_plain(one) for one in value), key=json.dumps)]
    if isinstance(value, Sequence):
        return ["list", [_plain(one) for one in value]]
    raise TypeError(f"{type(value).__name__} cannot be part of a key")
