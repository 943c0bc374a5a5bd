from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from kaynak.domain import InvalidRequest, Json, TooLarge
from kaynak.domain.documents import MAX_METADATA_BYTES
from kaynak.domain.filters import MOST_NUMBER, exact

_MAX_DEPTH = 16
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def validate_metadata(metadata: Mapping[str, Json]) -> dict[str, Json]:
    """Returns ``metadata`` as it will be stored and filtered.

    Large numbers become the ones they are to filters, whoever read them: see `kaynak.domain.filters.exact`.

    Raises:
        InvalidRequest: A key begins with ``_``, or a value cannot be stored as JSON.
        TooLarge: It is longer than 64 KiB as JSON.
    """
    for key in metadata:
        if isinstance(key, str) and key.startswith("_"):
            raise InvalidRequest(
                f"The metadata key “{key[:80]}” begins with an underscore; such names are Kaynak's own.",
                hint="Choose another name.",
            )
    checked = _mapping(metadata, 0)
    size = len(json.dumps(checked, ensure_ascii=False, separators=(",", ":")).encode())
    if size > MAX_METADATA_BYTES:
        raise TooLarge(
            f"The metadata takes {size:,} bytes; at most {MAX_METADATA_BYTES:,} are kept.",
            hint="Put long texts into the document.",
        )
    return checked


def _mapping(value: Mapping[str, Json], depth: int) -> dict[str, Json]:
    checked: dict[str, Json] = {}
    for key, inner in value.items():
        if not isinstance(key, str) or not key:
            raise InvalidRequest("A metadata key is empty or not a string.")
        checked[_string(key)] = _value(inner, depth + 1)
    return checked


def _value(value: Json, depth: int) -> Json:
    if depth > _MAX_DEPTH:
        raise InvalidRequest(f"The metadata is nested deeper than {_MAX_DEPTH} levels.")
    if isinstance(value, str):
        return _string(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, Mapping):
        return _mapping(value, depth)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_value(item, depth + 1) for item in value]
    raise InvalidRequest(f"The metadata has a value that is not JSON ({type(value).__name__}).")


def _string(value: str) -> str:
    if _UNSTORABLE.search(value):
        raise InvalidRequest(
            "The metadata has a character that cannot be stored (NUL or a lone surrogate).",
            hint="Remove it.",
        )
    return value


def _number(value: int | float) -> int | float:
    if not abs(value) < MOST_NUMBER:
        raise InvalidRequest("The metadata has a number that is infinite, not a number, or beyond 1e300.")
    return exact(value)
