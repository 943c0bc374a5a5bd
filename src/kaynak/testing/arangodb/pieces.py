from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kaynak.testing.arangodb.refusals import Refusal, syntax
from kaynak.testing.arangodb.tokens import Token


class Pieces:
    """The pieces of a statement, read one after the other, and what is bound in it.

    Args:
        pieces: All of them, with the end.
        binds: By name.

    Raises:
        Refusal: Every method, where something else must stand.
    """

    def __init__(self, pieces: list[Token], binds: Mapping[str, Any]) -> None:
        self._pieces = pieces
        self._at = 0
        self._binds = binds
        self._used: set[str] = set()

    def end(self) -> None:
        """Looks whether that was all, of the statement and of what is bound."""
        if self.now.kind != "end":
            raise syntax(f"unexpected {self.now.text!r}")
        for name in self._binds:
            if name not in self._used:
                raise Refusal(400, 1552, f"AQL: bind parameter '{name}' was not declared in the query")

    @property
    def next(self) -> Token:
        """The piece after the next."""
        return self._pieces[min(self._at + 1, len(self._pieces) - 1)]

    @property
    def now(self) -> Token:
        """The next piece."""
        return self._pieces[self._at]

    def take(self) -> Token:
        """Returns the next piece, and goes on."""
        piece = self.now
        self._at += 1
        return piece

    def word(self, *words: str) -> str | None:
        """Goes on if the next piece is one of these words of the language, and returns it."""
        if self.now.kind == "word" and self.now.text in words:
            return self.take().text
        return None

    def sign(self, *signs: str) -> str | None:
        """Goes on if the next piece is one of these signs, and returns it."""
        if self.now.kind == "sign" and self.now.text in signs:
            return self.take().text
        return None

    def expect(self, text: str) -> None:
        """Goes on over a word or sign that must come."""
        if self.now.kind not in {"word", "sign"} or self.now.text != text:
            raise syntax(f"unexpected {self.now.text!r}, expecting {text}")
        self._at += 1

    def name(self) -> str:
        """Goes on over a name, and returns it."""
        if self.now.kind != "name":
            raise syntax(f"unexpected {self.now.text!r}, expecting a name")
        return self.take().text

    def source(self) -> str:
        """Goes on over a bound name of a collection or view, and returns the name."""
        piece = self.take()
        if piece.kind != "bind" or not piece.text.startswith("@@"):
            raise syntax(f"unexpected {piece.text!r}, expecting the name of a collection")
        name = self.bound(piece.text[1:])
        if not isinstance(name, str):
            raise Refusal(400, 1553, f"AQL: bind parameter '{piece.text}' has an invalid value or type")
        return name

    def bound_name(self) -> str:
        """Goes on over a bound name of an attribute, and returns the name."""
        name = self.bound(self.take().text[1:])
        if not isinstance(name, str):
            raise Refusal(400, 1553, "AQL: a bound attribute name must be a string")
        return name

    def bound(self, name: str) -> Any:
        """Returns what is bound to a name."""
        if name not in self._binds:
            raise Refusal(400, 1551, f"AQL: no value specified for declared bind parameter '{name}'")
        self._used.add(name)
        return self._binds[name]
