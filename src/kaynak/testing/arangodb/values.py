"""How AQL compares values."""

from __future__ import annotations

from typing import Any

_RANKS: dict[type, int] = {bool: 1, int: 2, float: 2, str: 3, list: 4, dict: 5}


def order(value: Any) -> tuple[int, Any]:
    """Returns a key that sorts as AQL does: null, booleans, numbers, strings, arrays, objects."""
    if value is None:
        return 0, 0
    if isinstance(value, str):
        return 3, collation(value)
    if isinstance(value, list):
        return 4, [order(one) for one in value]
    if isinstance(value, dict):
        return 5, sorted((key, order(one)) for key, one in value.items())
    return _RANKS[type(value)], value


def collation(text: str) -> tuple[str, str]:
    """Returns a key that sorts text as a server does that was started for Danish.

    Letters before their case, and ``aa`` after ``z``: whoever takes strings to be sorted by code points finds out.
    """
    return text.casefold().replace("aa", "{"), text.swapcase()


def truth(value: Any) -> bool:
    """Returns whether AQL takes a value for true: null, zero and the empty string are not; any array is."""
    return isinstance(value, list | dict) or bool(value)
