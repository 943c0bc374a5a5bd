"""What the server answers if it does not do something: an HTTP status, and a number of its own."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any


class Refusal(Exception):
    """An error answer.

    Args:
        status: Of HTTP.
        number: Of ArangoDB.
        message: For people.
    """

    def __init__(self, status: int, number: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.number = number
        self.message = message


def bad_parameter(message: str) -> Refusal:
    """Something in a request that cannot be."""
    return Refusal(400, 10, message)


def unknown_source(name: str) -> Refusal:
    """A collection or view that is not there."""
    return Refusal(404, 1203, f"collection or view not found: {name}")


def duplicate(name: str) -> Refusal:
    """A collection or view that is there already."""
    return Refusal(409, 1207, f"duplicate name: {name}")


def syntax(message: str) -> Refusal:
    """Text that is not AQL, or more of it than this server knows."""
    return Refusal(400, 1501, f"AQL: syntax error, {message}")


def not_applied(message: str) -> Refusal:
    """A vector search that no vector index can answer."""
    return Refusal(500, 1554, f"AQL: failed vector search, {message}")


def known_attributes(body: Mapping[str, Any], known: Set[str]) -> None:
    """Looks whether a body has only what is documented.

    Raises:
        Refusal: It has something else.
    """
    if unknown := set(body) - known:
        raise bad_parameter(f"unknown attributes: {sorted(unknown)}")
