from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Generic, TypeVar

from pydantic import JsonValue, TypeAdapter, ValidationError

ValueT = TypeVar("ValueT")


class Values(Generic[ValueT]):
    """Turns values of one type into bytes and back; what is not exactly such a value is not read.

    Args:
        kind: A dataclass; it may hold others.
    """

    def __init__(self, kind: type[ValueT]) -> None:
        self._kind = kind

    @cached_property
    def shape(self) -> str:
        """Changes with any field of the type: part of keys, so that no version reads what another one wrote."""
        schema = json.dumps(self._adapter.json_schema(), sort_keys=True)
        return hashlib.blake2b(schema.encode(), digest_size=16).hexdigest()

    def dump(self, key: str, value: ValueT) -> bytes:
        """Returns ``value`` as bytes that can be read under ``key`` alone."""
        return key.encode() + b"\n" + self._adapter.dump_json(value)

    def load(self, key: str, stored: bytes) -> ValueT | None:
        """Returns the value, or None if it is not one that was stored under ``key``."""
        name, _, body = stored.partition(b"\n")
        if name != key.encode():
            return None
        try:
            return self._adapter.validate_json(body, strict=True)
        except (ValidationError, RecursionError):
            return None

    @cached_property
    def _adapter(self) -> TypeAdapter[ValueT]:
        adapter = TypeAdapter(self._kind)
        # `Json` refers to itself, which pydantic only follows in an alias of its own.
        adapter.rebuild(force=True, _types_namespace={"Json": JsonValue})
        return adapter
