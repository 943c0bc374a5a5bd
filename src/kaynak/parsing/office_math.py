from __future__ import annotations

from typing import TYPE_CHECKING

from kaynak.parsing.safexml import attribute, child, children, local

if TYPE_CHECKING:
    from lxml.etree import _Element

_MAX_DEPTH = 60


def math_text(element: _Element, depth: int = 0) -> str:
    """Returns an Office formula in one line, close to how it is read: ``(a+b)/(2c)``, ``x^2``, ``√(y)``."""
    if depth > _MAX_DEPTH:
        return "".join(str(piece) for piece in element.itertext())
    return "".join(_part(one, depth + 1) for one in element)


def _part(one: _Element, depth: int) -> str:
    name = local(one)
    if name == "t":
        return one.text or ""
    if name == "f":
        return f"{_grouped(one, 'num', depth)}/{_grouped(one, 'den', depth)}"
    if name in {"sSup", "sSub", "sSubSup"}:
        text = _grouped(one, "e", depth)
        text += f"_{_grouped(one, 'sub', depth)}" if child(one, "sub") is not None else ""
        return text + (f"^{_grouped(one, 'sup', depth)}" if child(one, "sup") is not None else "")
    if name == "rad":
        degree = _inner(one, "deg", depth)
        return f"{degree and degree + ' '}√({_inner(one, 'e', depth)})"
    if name == "nary":
        return _nary(one, depth)
    if name == "d":
        return _delimited(one, depth)
    if name == "m":
        rows = (", ".join(math_text(cell, depth) for cell in children(row, "e")) for row in children(one, "mr"))
        return "[" + "; ".join(rows) + "]"
    if name == "func":
        return f"{_inner(one, 'fName', depth)}({_inner(one, 'e', depth)})"
    return "" if name.endswith("Pr") else math_text(one, depth)


def _nary(one: _Element, depth: int) -> str:
    mark = child(one, "naryPr", "chr")
    symbol = (attribute(mark, "val") if mark is not None else None) or "∫"
    low, high = _grouped(one, "sub", depth), _grouped(one, "sup", depth)
    return symbol + (f"_{low}" if low else "") + (f"^{high}" if high else "") + " " + _inner(one, "e", depth)


def _delimited(one: _Element, depth: int) -> str:
    begin, end = child(one, "dPr", "begChr"), child(one, "dPr", "endChr")
    opening = attribute(begin, "val") if begin is not None else "("
    closing = attribute(end, "val") if end is not None else ")"
    return f"{opening or ''}{', '.join(math_text(part, depth) for part in children(one, 'e'))}{closing or ''}"


def _inner(one: _Element, name: str, depth: int) -> str:
    part = child(one, name)
    return "" if part is None else math_text(part, depth)


def _grouped(one: _Element, name: str, depth: int) -> str:
    text = _inner(one, name, depth)
    enclosed = text.startswith("(") and text.find(")") == len(text) - 1
    return text if len(text) <= 1 or text.isalnum() or enclosed else f"({text})"
