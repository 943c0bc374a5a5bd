"""JSON to frozen dataclasses, by their annotations. Fields we do not know are ignored: a newer server."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from kaynak.domain import KaynakError

ResultT = TypeVar("ResultT")


def decode(kind: type[ResultT], value: object) -> ResultT:
    """Returns ``value`` as ``kind``.

    Raises:
        KaynakError: It does not have that shape.
    """
    try:
        found: ResultT = _decode(kind, value)
    except (KeyError, TypeError, ValueError) as exc:
        raise KaynakError(
            f"The server's answer is not a {kind.__name__}.", hint="Use a client of the server's version."
        ) from exc
    return found


@lru_cache(maxsize=256)
def _hints(kind: type) -> dict[str, Any]:
    # Json is a recursive alias that no resolver follows to its end; as a value it needs no conversion.
    hints = get_type_hints(kind, localns={"Json": Any, "JsonScalar": Any})
    return {entry.name: hints[entry.name] for entry in fields(kind)}


def _decode(kind: Any, value: Any) -> Any:
    if kind is Any or value is None:
        return value
    origin = get_origin(kind)
    if origin in (types.UnionType, Union):
        options = [option for option in get_args(kind) if option is not type(None)]
        return _decode(options[0], value) if len(options) == 1 else value
    if origin is tuple:
        return _tuple(get_args(kind), value)
    if origin in (dict, Mapping):
        keys, values = get_args(kind)
        return {_decode(keys, key): _decode(values, inner) for key, inner in value.items()}
    if is_dataclass(kind) and isinstance(kind, type):
        known = {name: _decode(hint, value[name]) for name, hint in _hints(kind).items() if name in value}
        return kind(**known)
    if kind is datetime:
        return datetime.fromisoformat(value)
    if isinstance(kind, type) and (kind is UUID or issubclass(kind, Enum)):
        return kind(value)
    return value


def _tuple(inner: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if len(inner) == 2 and inner[1] is Ellipsis:
        return tuple(_decode(inner[0], item) for item in value)
    return tuple(_decode(kind, item) for kind, item in zip(inner, value, strict=True))
