from __future__ import annotations

import re
from dataclasses import dataclass

from kaynak.testing.arangodb.refusals import syntax

_PATTERN = re.compile(
    r"\s*(?:(?P<bind>@@?[A-Za-z0-9_]+)|(?P<number>\d+(?:\.\d+)?)|(?P<string>'[^'\\]*'|\"[^\"\\]*\")"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>\[\*|==|!=|>=|<=|[-+*/<>=(){}\[\],.:?]))"
)
_WORDS = {"FOR", "IN", "SEARCH", "OPTIONS", "FILTER", "LET", "SORT", "ASC", "DESC", "LIMIT", "COLLECT", "WITH", "COUNT"}
_WORDS |= {"INTO", "REMOVE", "RETURN", "AND", "OR", "NOT", "ANY", "CURRENT", "TRUE", "FALSE", "NULL"}


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a statement.

    Attributes:
        kind: ``word`` (of the language), ``name``, ``bind``, ``number``, ``string``, ``sign`` or ``end``.
        text: Words in capitals.
    """

    kind: str
    text: str


def tokens(text: str) -> list[Token]:
    """Returns the pieces of a statement, with an end.

    Raises:
        Refusal: There is something that is none.
    """
    found: list[Token] = []
    place, text = 0, text.rstrip()
    while place < len(text):
        match = _PATTERN.match(text, place)
        if match is None or match.lastgroup is None:
            raise syntax(f"unexpected character near '{text[place : place + 20]}'")
        kind, piece = match.lastgroup, match[match.lastgroup]
        if kind == "name" and piece.upper() in _WORDS:
            kind, piece = "word", piece.upper()
        found.append(Token(kind, piece))
        place = match.end()
    return [*found, Token("end", "")]
