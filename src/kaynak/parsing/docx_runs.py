from __future__ import annotations

from typing import TYPE_CHECKING

from kaynak.parsing.office_math import math_text
from kaynak.parsing.safexml import attribute, child, children, local

if TYPE_CHECKING:
    from lxml.etree import _Element

_DROPPED = frozenset({
    "del", "moveFrom", "instrText", "delText", "pPr", "rPr", "sdtPr", "sdtEndPr", "fldData", "Fallback",
    "annotationRef", "delInstrText", "binData", "nvPicPr", "imagedata",
})  # fmt: skip
_CHARACTERS = {
    "tab": "\t",
    "ptab": "\t",
    "br": "\n",
    "cr": "\n",
    "noBreakHyphen": "-",
    "footnoteReference": "[{id}]",
    "endnoteReference": "[e{id}]",
}
# Wingdings and Symbol as Word uses them for boxes, ticks and arrows; others have no reading.
_SYMBOLS = {"F0FE": "☒", "F0A8": "☐", "F06F": "☐", "F0FC": "✓", "F0E0": "→", "F0B7": "•", "F0D8": "➢", "F052": "☑"}
_MAX_DEPTH = 200


class Runs:
    """The text of a paragraph as it reads with all changes accepted.

    Attributes:
        boxes: Contents of text boxes anchored in it, which stand apart.
        charts: Relationship ids of charts in it.

    Args:
        fields: Whether results of fields (page numbers in headers) are kept.
    """

    def __init__(self, *, fields: bool = True) -> None:
        self._parts: list[str] = []
        self._fields = fields
        self._field_depth = 0
        self.boxes: list[_Element] = []
        self.charts: list[str] = []

    @property
    def text(self) -> str:
        """What has been read so far."""
        return "".join(self._parts)

    def read(self, element: _Element, depth: int = 0) -> None:
        """Appends the text in a paragraph or a part of one."""
        for one in element:
            name = local(one)
            if name in _CHARACTERS:
                self._parts.append(_CHARACTERS[name].format(id=attribute(one, "id") or ""))
            elif not self._special(one, name, depth) and name and name not in _DROPPED and depth < _MAX_DEPTH:
                self.read(one, depth + 1)

    def _special(self, one: _Element, name: str, depth: int) -> bool:
        """Reads what is not simply a container; returns whether it was such."""
        if name == "t":
            if self._fields or not self._field_depth:
                self._parts.append(one.text or "")
        elif name == "sym":
            self._parts.append(_SYMBOLS.get((attribute(one, "char") or "").upper(), ""))
        elif name == "txbxContent":
            self.boxes.append(one)
        elif name in {"oMath", "oMathPara"}:
            self._parts.append(math_text(one))
        elif name == "chart":
            self.charts.append(attribute(one, "id") or "")
        elif name == "fldChar":
            self._field_depth += {"begin": 1, "end": -1}.get(attribute(one, "fldCharType") or "", 0)
        elif name == "ruby":
            self._ruby(one, depth)
        elif name == "AlternateContent":
            self._alternate(one, depth)
        else:
            return _hidden(one, name) or (name == "fldSimple" and not self._fields)
        return True

    def _alternate(self, element: _Element, depth: int) -> None:
        chosen = child(element, "Choice")
        if chosen is None:
            chosen = child(element, "Fallback")
        if chosen is not None and depth < _MAX_DEPTH:
            self.read(chosen, depth + 1)

    def _ruby(self, element: _Element, depth: int) -> None:
        for base in children(element, "rubyBase"):
            self.read(base, depth + 1)


def _hidden(element: _Element, name: str) -> bool:
    if name != "r":
        return False
    vanish = child(element, "rPr", "vanish")
    return vanish is not None and attribute(vanish, "val") not in {"0", "false", "off"}
