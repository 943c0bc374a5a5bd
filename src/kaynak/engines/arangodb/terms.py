"""Filter terms in digits alone.

AQL compares strings by the language of the server, and languages have opinions about letters: in Danish ``aa`` comes
after ``z``, in Czech ``ch`` after ``h``. All agree about digits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from kaynak.domain import Json
from kaynak.engines.payload_terms import payload_terms

_ALPHABET = "0123456789_abcdefghijklmnopqrstuvwxyz"
_TABLE = {ord(character): f"{place:02d}" for place, character in enumerate(_ALPHABET)}

_MOST = 16_000
"""ArangoSearch drops a term of over 32,766 bytes. Beyond this, equality goes by a hash, and order by the beginning."""


def digits(term: str) -> str:
    """Returns a term as digits that sort as the term does."""
    found = term.translate(_TABLE)
    if len(found) <= _MOST:
        return found
    return found[:_MOST] + f"{int.from_bytes(hashlib.sha256(term.encode()).digest()):078d}"


def above(term: str) -> str:
    """Returns what is greater than ``term``, and not greater than any term that is; of digits."""
    # Every letter of a term is two digits, so that nothing lies between a term and one digit more.
    return term + "0"


ENTRY = digits("entry")
"""The term of whatever is not our own record: of points and entries."""


def having(field: str) -> str:
    """Returns the term of the points that have a vector in ``field``."""
    return digits(f"vector_{field}")


def terms_of(payload: Mapping[str, Json]) -> list[str]:
    """Returns the terms of a payload, as they are stored."""
    return [digits(term) for term in payload_terms(payload)]
