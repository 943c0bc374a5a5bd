"""Reads as much AQL as there is documented for what this server can do; all else is a syntax error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kaynak.testing.arangodb.refusals import Refusal, syntax
from kaynak.testing.arangodb.tokens import Token, tokens
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


class _Parser:
    def __init__(self, pieces: list[Token], binds: Mapping[str, Any]) -> None:
        self._pieces = pieces
        self._at = 0
        self._binds = binds
        self._used: set[str] = set()

    def end(self) -> None:
        if self._now.kind != "end":
            raise syntax(f"unexpected {self._now.text!r}")
        for name in self._binds:
            if name not in self._used:
                raise Refusal(400, 1552, f"AQL: bind parameter '{name}' was not declared in the query")

    # -- statements

    def steps(self) -> tuple[Step, ...]:
        found: list[Step] = []
        while True:
            word = self._word("FOR", "FILTER", "LET", "SORT", "LIMIT", "COLLECT", "REMOVE", "RETURN")
            if word is None:
                raise syntax(f"unexpected {self._now.text!r}, expecting an operation")
            found.append(getattr(self, f"_{word.lower()}")())
            if word in {"REMOVE", "RETURN"}:
                return tuple(found)

    def _for(self) -> Step:
        variable = self._name()
        self._expect("IN")
        source: str | Expression = self._source() if self._now.text.startswith("@@") else self._expression()
        search = self._expression() if self._word("SEARCH") else None
        options = self._options(_SEARCH_OPTIONS) if self._word("OPTIONS") else {}
        return For(variable, source, search, options)

    def _filter(self) -> Step:
        return Keep(self._expression())

    def _let(self) -> Step:
        name = self._name()
        self._expect("=")
        return Let(name, self._expression())

    def _sort(self) -> Step:
        by = []
        while True:
            value = self._expression()
            by.append((value, self._word("ASC", "DESC") == "DESC"))
            if not self._sign(","):
                return Sort(tuple(by))

    def _limit(self) -> Step:
        return Limit(self._expression())

    def _collect(self) -> Step:
        for word in ("WITH", "COUNT", "INTO"):
            self._expect(word)
        return Counted(self._name())

    def _remove(self) -> Step:
        what = self._sum()  # what follows is no comparison
        self._expect("IN")
        collection = self._source()
        if self._word("OPTIONS"):
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
        while self._word(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Operation(word, tuple(parts))

    def _comparison(self) -> Expression:
        left = self._sum()
        if sign := self._sign(*_COMPARISONS):
            return Operation(sign, (left, self._sum()))
        if self._word("IN"):
            return Operation("IN", (left, self._sum()))
        if self._word("ANY"):
            self._expect("IN")
            return Operation("ANY IN", (left, self._sum()))
        if self._now.text == "NOT" and self._pieces[self._at + 1].text == "IN":
            self._at += 2
            return Operation("NOT IN", (left, self._sum()))
        return left

    def _sum(self) -> Expression:
        left = self._product()
        while sign := self._sign("+", "-"):
            left = Operation(sign, (left, self._product()))
        return left

    def _product(self) -> Expression:
        left = self._unary()
        while sign := self._sign("*", "/"):
            left = Operation(sign, (left, self._unary()))
        return left

    def _unary(self) -> Expression:
        # Binds closer than any comparison.
        return Operation("NOT", (self._unary(),)) if self._word("NOT") else self._postfix()

    def _postfix(self) -> Expression:
        found = self._primary()
        while True:
            if self._sign("."):
                found = Attribute(found, self._bound_name() if self._now.kind == "bind" else self._name())
            elif self._sign("[*"):
                condition = self._expression() if self._word("FILTER") else Value(True)
                self._expect("]")
                found = Selected(found, condition)
            else:
                return found

    def _primary(self) -> Expression:
        piece = self._take()
        if piece.kind == "number":
            return Value(float(piece.text) if "." in piece.text else int(piece.text))
        if piece.kind == "string":
            return Value(piece.text[1:-1])
        if piece.kind == "bind" and not piece.text.startswith("@@"):
            return Value(self._bound(piece.text[1:]))
        if piece.kind == "word" and piece.text in _CONSTANTS:
            return Value(_CONSTANTS[piece.text])
        if piece.text == "CURRENT":
            return Variable(piece.text)
        if piece.kind == "name":
            return self._call(piece.text) if self._sign("(") else Variable(piece.text)
        if piece.text in {"(", "[", "{"}:
            return self._enclosed(piece.text)
        raise syntax(f"unexpected {piece.text!r}")

    def _call(self, name: str) -> Expression:
        if self._now.text in {"FOR", "LET"}:
            arguments: tuple[Expression, ...] = (Subquery(self.steps()),)
            self._expect(")")
            return Call(name.upper(), arguments)
        return Call(name.upper(), self._several(")"))

    def _enclosed(self, opening: str) -> Expression:
        if opening == "[":
            return Listing(self._several("]"))
        if opening == "{":
            return self._object()
        inner = Subquery(self.steps()) if self._now.text in {"FOR", "LET"} else self._expression()
        self._expect(")")
        return inner

    def _several(self, closing: str) -> tuple[Expression, ...]:
        found: list[Expression] = []
        while not self._sign(closing):
            found.append(self._expression())
            if self._now.text != closing:
                self._expect(",")
        return tuple(found)

    def _object(self) -> Expression:
        found: list[tuple[str, Expression]] = []
        while not self._sign("}"):
            key = self._name()
            self._expect(":")
            found.append((key, self._expression()))
            if self._now.text != "}":
                self._expect(",")
        return Mapped(tuple(found))

    # -- pieces

    @property
    def _now(self) -> Token:
        return self._pieces[self._at]

    def _take(self) -> Token:
        piece = self._now
        self._at += 1
        return piece

    def _word(self, *words: str) -> str | None:
        if self._now.kind == "word" and self._now.text in words:
            return self._take().text
        return None

    def _sign(self, *signs: str) -> str | None:
        if self._now.kind == "sign" and self._now.text in signs:
            return self._take().text
        return None

    def _expect(self, text: str) -> None:
        if self._now.kind not in {"word", "sign"} or self._now.text != text:
            raise syntax(f"unexpected {self._now.text!r}, expecting {text}")
        self._at += 1

    def _name(self) -> str:
        if self._now.kind != "name":
            raise syntax(f"unexpected {self._now.text!r}, expecting a name")
        return self._take().text

    def _source(self) -> str:
        piece = self._take()
        if piece.kind != "bind" or not piece.text.startswith("@@"):
            raise syntax(f"unexpected {piece.text!r}, expecting the name of a collection")
        name = self._bound(piece.text[1:])
        if not isinstance(name, str):
            raise Refusal(400, 1553, f"AQL: bind parameter '{piece.text}' has an invalid value or type")
        return name

    def _bound_name(self) -> str:
        name = self._bound(self._take().text[1:])
        if not isinstance(name, str):
            raise Refusal(400, 1553, "AQL: a bound attribute name must be a string")
        return name

    def _bound(self, name: str) -> Any:
        if name not in self._binds:
            raise Refusal(400, 1551, f"AQL: no value specified for declared bind parameter '{name}'")
        self._used.add(name)
        return self._binds[name]
