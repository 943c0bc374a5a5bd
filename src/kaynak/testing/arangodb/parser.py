"""Reads as much AQL as there is documented for what this server can do; all else is a syntax error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kaynak.testing.arangodb.pieces import Pieces
from kaynak.testing.arangodb.refusals import Refusal, syntax
from kaynak.testing.arangodb.tokens import tokens
from kaynak.testing.arangodb.tree import (
    Attribute,
    Call,
    Counted,
    Expression,
    For,
    Keep,
    Let,
    Limit,
    Listing,
    Mapped,
    Operation,
    Remove,
    Return,
    Selected,
    Sort,
    Step,
    Subquery,
    Value,
    Variable,
)

_COMPARISONS = ("==", "!=", ">=", "<=", ">", "<")
_CONSTANTS = {"TRUE": True, "FALSE": False, "NULL": None}
_SEARCH_OPTIONS = {"waitForSync", "countApproximate", "conditionOptimization", "collections", "parallelism"}


def parse(text: str, binds: Mapping[str, Any]) -> tuple[Step, ...]:
    """Returns the steps of a statement.

    Raises:
        Refusal: It is none, or what is bound is not what it asks for.
    """
    parser = _Parser(tokens(text), binds)
    steps = parser.steps()
    parser.end()
    return steps


class _Parser(Pieces):
    # -- statements

    def steps(self) -> tuple[Step, ...]:
        found: list[Step] = []
        while True:
            word = self.word("FOR", "FILTER", "LET", "SORT", "LIMIT", "COLLECT", "REMOVE", "RETURN")
            if word is None:
                raise syntax(f"unexpected {self.now.text!r}, expecting an operation")
            found.append(getattr(self, f"_{word.lower()}")())
            if word in {"REMOVE", "RETURN"}:
                return tuple(found)

    def _for(self) -> Step:
        variable = self.name()
        self.expect("IN")
        source: str | Expression = self.source() if self.now.text.startswith("@@") else self._expression()
        search = self._expression() if self.word("SEARCH") else None
        options = self._options(_SEARCH_OPTIONS) if self.word("OPTIONS") else {}
        return For(variable, source, search, options)

    def _filter(self) -> Step:
        return Keep(self._expression())

    def _let(self) -> Step:
        name = self.name()
        self.expect("=")
        return Let(name, self._expression())

    def _sort(self) -> Step:
        by = []
        while True:
            value = self._expression()
            by.append((value, self.word("ASC", "DESC") == "DESC"))
            if not self.sign(","):
                return Sort(tuple(by))

    def _limit(self) -> Step:
        return Limit(self._expression())

    def _collect(self) -> Step:
        for word in ("WITH", "COUNT", "INTO"):
            self.expect(word)
        return Counted(self.name())

    def _remove(self) -> Step:
        what = self._sum()  # what follows is no comparison
        self.expect("IN")
        collection = self.source()
        if self.word("OPTIONS"):
            self._options({"waitForSync", "ignoreErrors", "exclusive"})
        return Remove(what, collection)

    def _return(self) -> Step:
        return Return(self._expression())

    def _options(self, known: set[str]) -> dict[str, Any]:
        options = self._primary()
        if not isinstance(options, Mapped) or not all(isinstance(value, Value) for _, value in options.items):
            raise syntax("options must be an object of constants")
        found = {key: value.value for key, value in options.items if isinstance(value, Value)}
        if set(found) - known:
            raise Refusal(400, 1539, f"AQL: invalid options attribute: {sorted(set(found) - known)}")
        return found

    # -- expressions, loosest first

    def _expression(self) -> Expression:
        return self._chain("OR", lambda: self._chain("AND", self._comparison))

    def _chain(self, word: str, part: Any) -> Expression:
        parts = [part()]
        while self.word(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Operation(word, tuple(parts))

    def _comparison(self) -> Expression:
        left = self._sum()
        if sign := self.sign(*_COMPARISONS):
            return Operation(sign, (left, self._sum()))
        if self.word("IN"):
            return Operation("IN", (left, self._sum()))
        if self.word("ANY"):
            self.expect("IN")
            return Operation("ANY IN", (left, self._sum()))
        if self.now.text == "NOT" and self.next.text == "IN":
            self.expect("NOT")
            self.expect("IN")
            return Operation("NOT IN", (left, self._sum()))
        return left

    def _sum(self) -> Expression:
        left = self._product()
        while sign := self.sign("+", "-"):
            left = Operation(sign, (left, self._product()))
        return left

    def _product(self) -> Expression:
        left = self._unary()
        while sign := self.sign("*", "/"):
            left = Operation(sign, (left, self._unary()))
        return left

    def _unary(self) -> Expression:
        # Binds closer than any comparison.
        return Operation("NOT", (self._unary(),)) if self.word("NOT") else self._postfix()

    def _postfix(self) -> Expression:
        found = self._primary()
        while True:
            if self.sign("."):
                found = Attribute(found, self.bound_name() if self.now.kind == "bind" else self.name())
            elif self.sign("[*"):
                condition = self._expression() if self.word("FILTER") else Value(True)
                self.expect("]")
                found = Selected(found, condition)
            else:
                return found

    def _primary(self) -> Expression:
        piece = self.take()
        if piece.kind == "number":
            return Value(float(piece.text) if "." in piece.text else int(piece.text))
        if piece.kind == "string":
            return Value(piece.text[1:-1])
        if piece.kind == "bind" and not piece.text.startswith("@@"):
            return Value(self.bound(piece.text[1:]))
        if piece.kind == "word" and piece.text in _CONSTANTS:
            return Value(_CONSTANTS[piece.text])
        if piece.text == "CURRENT":
            return Variable(piece.text)
        if piece.kind == "name":
            return self._call(piece.text) if self.sign("(") else Variable(piece.text)
        if piece.text in {"(", "[", "{"}:
            return self._enclosed(piece.text)
        raise syntax(f"unexpected {piece.text!r}")

    def _call(self, name: str) -> Expression:
        if self.now.text in {"FOR", "LET"}:
            arguments: tuple[Expression, ...] = (Subquery(self.steps()),)
            self.expect(")")
            return Call(name.upper(), arguments)
        return Call(name.upper(), self._several(")"))

    def _enclosed(self, opening: str) -> Expression:
        if opening == "[":
            return Listing(self._several("]"))
        if opening == "{":
            return self._object()
        inner = Subquery(self.steps()) if self.now.text in {"FOR", "LET"} else self._expression()
        self.expect(")")
        return inner

    def _several(self, closing: str) -> tuple[Expression, ...]:
        found: list[Expression] = []
        while not self.sign(closing):
            found.append(self._expression())
            if self.now.text != closing:
                self.expect(",")
        return tuple(found)

    def _object(self) -> Expression:
        found: list[tuple[str, Expression]] = []
        while not self.sign("}"):
            key = self.name()
            self.expect(":")
            found.append((key, self._expression()))
            if self.now.text != "}":
                self.expect(",")
        return Mapped(tuple(found))
