"""Payloads as Qdrant holds them: terms for what is equal, numbers for what is ordered, and the payload itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID

from kaynak.domain import Json, JsonScalar
from kaynak.engines.payload_terms import order_key, path_key, payload_leaves, payload_terms, value_key

DOCUMENT = "document"
TERMS = "terms"
TENANT = "tenant"
SOURCE = "source"
NUMBERS, STRINGS = "numbers", "strings"

MAX_ORDERED = 64
"""Paths that get an index for ranges. Ranges over others are as right, and slower: Qdrant reads the payloads."""


@lru_cache(maxsize=65_536)
def term_id(term: str) -> str:
    """Returns a term as the UUID that stands for it: such an index holds 16 bytes for each, however long the term."""
    return str(UUID(bytes=hashlib.blake2b(term.encode(), digest_size=16).digest()))


def ordered_field(path: str, value: JsonScalar) -> str:
    """Returns the field that holds the order keys of a path, for values of the kind of ``value``."""
    return f"{STRINGS if isinstance(value, str) else NUMBERS}.{path_key(path)}"


def stored_payload(document: UUID, payload: Mapping[str, Json], tenant: str | None) -> dict[str, Json]:
    """Returns what is stored with a point.

    Args:
        document: Id of its document.
        payload: What filters see.
        tenant: The path whose values also stand in a field of their own.
    """
    ordered: dict[str, dict[str, list[float]]] = {NUMBERS: {}, STRINGS: {}}
    tenants: list[Json] = []
    for path, leaf in payload_leaves(payload):
        key = order_key(leaf)
        if key is not None:
            kind, _, where = ordered_field(path, leaf).partition(".")
            ordered[kind].setdefault(where, []).append(key)
        if path == tenant:
            tenants.append(term_id(path_key(path) + value_key(leaf)))
    stored: dict[str, Any] = {
        DOCUMENT: str(document),
        TERMS: [term_id(term) for term in payload_terms(payload)],
        # As text: Qdrant's own numbers end at 64 bits.
        SOURCE: json.dumps(payload, default=list, separators=(",", ":")),
    }
    stored.update((kind, fields) for kind, fields in ordered.items() if fields)
    if tenants:
        stored[TENANT] = tenants
    return stored


def ordered_fields(stored: Mapping[str, Json]) -> set[str]:
    """Returns the names of all fields of a stored payload that hold order keys."""
    found: set[str] = set()
    for kind in (NUMBERS, STRINGS):
        fields = stored.get(kind)
        if isinstance(fields, Mapping):
            found.update(f"{kind}.{where}" for where in fields)
    return found


def source_of(stored: Mapping[str, Json]) -> Mapping[str, Json]:
    """Returns the payload that was stored."""
    source: Mapping[str, Json] = json.loads(str(stored[SOURCE]))
    return source
