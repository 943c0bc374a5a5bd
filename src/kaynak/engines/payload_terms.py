"""Payloads as terms, so that an inverted index answers every filter exactly.

A term is a hash of the path, a letter for the kind, and the value in a form whose byte order is the order of
the values. All of it is ``[0-9a-z]``: nothing in it can be syntax to a query parser, such as tantivy's, which is
the only way to ask it for a range of text terms. Engines that know sets of words, but no ranges over them, find the
range roughly by `order_key` and look at what they found with `kaynak.domain.matches`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from math import isinf, isnan

from kaynak.domain import Json, JsonScalar
from kaynak.domain.filters import leaves_of

PRESENT = "x"
NULL = "z"
NUMBER = "n"
STRING = "s"

MAX_STRING_BYTES = 30_000
"""Beyond this, equality goes by a hash, and order by this many first bytes."""

_BIAS = 1 << 31
_INVERTED = str.maketrans("0123456789abcdef", "fedcba9876543210")


@lru_cache(maxsize=4096)
def path_key(path: str) -> str:
    """Returns the fixed-width prefix of all terms of a path."""
    return hashlib.blake2b(path.encode("utf-8", "replace"), digest_size=16).hexdigest()


def value_key(value: JsonScalar) -> str:
    """Returns kind and value as text that sorts as values of one kind do."""
    if value is None:
        return NULL
    if isinstance(value, bool):
        return "b1" if value else "b0"
    if isinstance(value, str):
        return STRING + _string(value)
    return NUMBER + _number(value)


def _string(value: str) -> str:
    # Bytes of UTF-8 sort as code points do.
    data = value.encode("utf-8", "replace")
    if len(data) <= MAX_STRING_BYTES:
        return data.hex()
    return data[:MAX_STRING_BYTES].hex() + "g" + hashlib.sha256(data).hexdigest()


def _number(value: float) -> str:
    """Encodes sign, binary exponent and binary fraction: exact for any int and float, and equal if they are."""
    if value == 0 or (isinstance(value, float) and isnan(value)):
        return "o"
    sign = value > 0
    if isinstance(value, float) and isinf(value):
        exponent, fraction = _BIAS - 1, ""
    else:
        top, bottom = abs(value).as_integer_ratio()
        bits = top.bit_length()
        # bottom is a power of two, so the exponent of the leading bit is exact.
        exponent = bits - bottom.bit_length()
        rest = top - (1 << (bits - 1))
        padding = -(bits - 1) % 4
        fraction = f"{rest << padding:0{(bits - 1 + padding) // 4}x}".rstrip("0") if rest else ""
    digits = f"{exponent + _BIAS:08x}{fraction}"
    return f"p{digits}" if sign else f"m{digits.translate(_INVERTED)}g"


def payload_terms(payload: Mapping[str, Json]) -> list[str]:
    """Returns the distinct terms of a payload, following the paths that `matches` follows."""
    terms: dict[str, None] = {}
    for path, value in _at(payload, ""):
        key = path_key(path)
        terms[key + PRESENT] = None
        for leaf in leaves_of(value):
            terms[key + value_key(leaf)] = None
    return list(terms)


def payload_leaves(payload: Mapping[str, Json]) -> Iterator[tuple[str, JsonScalar]]:
    """Yields (path, value) of all values of a payload that a comparison may meet; the same pair may come twice."""
    for path, value in _at(payload, ""):
        for leaf in leaves_of(value):
            yield path, leaf


def _at(node: Json, path: str) -> Iterator[tuple[str, Json]]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            # A filter cannot name a key with a dot in it, nor an empty one.
            if key and "." not in key:
                here = f"{path}.{key}" if path else key
                yield here, value
                yield from _at(value, here)
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for item in node:
            if isinstance(item, Mapping):
                yield from _at(item, path)


# From nothing over "-./0123456789:" and "T" to the greatest character; those in between share a rank.
_RANKS = {character: rank for rank, character in enumerate("-./0123456789:", start=2)} | {"T": 17}
_BELOW, _BETWEEN, _ABOVE = 1, 16, 18
_BASE, _CHARACTERS = 19, 12


def order_key(value: JsonScalar) -> float | None:
    """Returns a number that never falls where values of one kind rise: the greater value has the same one or a greater.

    So ``value >= bound`` implies ``order_key(value) >= order_key(bound)``, for numbers of any size and for strings.
    Of dates and times as ISO 8601 writes them it tells apart what differs in the first twelve characters (tens of
    hours); what begins with a letter it does not tell apart. Every one is exact as a float.

    Returns:
        None for values that have no order: null, booleans.
    """
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str):
        return float(_string_key(value))
    try:
        return min(max(float(value), -1e300), 1e300) + 0.0
    except OverflowError:
        return 1e300 if value > 0 else -1e300


def _string_key(value: str) -> int:
    key = 0
    for at in range(_CHARACTERS):
        rank = 0
        if at < len(value):
            character = value[at]
            shared = _BELOW if character < "-" else _ABOVE if character > "T" else _BETWEEN
            rank = _RANKS.get(character, shared)
            if character not in _RANKS:
                value = value[: at + 1]  # what follows says nothing where this one does not
        key = key * _BASE + rank
    return key
