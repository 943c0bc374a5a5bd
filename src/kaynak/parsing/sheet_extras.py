from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kaynak.parsing.package import Package
from kaynak.parsing.safexml import attribute, child, children, flat_text, local

if TYPE_CHECKING:
    from lxml.etree import _Element


@dataclass(slots=True)
class SheetExtras:
    """What lies on a sheet beside its cells.

    Attributes:
        comments: Sentences that name cell and author.
        charts: Roots of chart parts.
    """

    comments: list[str] = field(default_factory=list)
    charts: list[_Element] = field(default_factory=list)


def extras_of(package: Package | None) -> dict[str, SheetExtras]:
    """Returns comments and charts in an XLSX workbook, by sheet name."""
    if package is None or not package.has("xl/workbook.xml"):
        return {}
    part = package.main_part("xl/workbook.xml")
    related = package.related(part)
    people = _people(package, related)
    found: dict[str, SheetExtras] = {}
    for sheet in children(child(package.xml(part), "sheets"), "sheet"):
        _, target = related.get(attribute(sheet, "id") or "", ("", ""))
        extras = found[sheet.get("name") or ""] = SheetExtras()
        texts: dict[str, list[str]] = {}
        for kind, place in sorted(package.related(target).values()) if target else ():
            root = package.xml(place) if kind in {"comments", "threadedComment"} else None
            for cell, text in _comments(root, people) if root is not None else ():
                texts.setdefault(cell, []).append(text)
            for drawn, chart in package.related(place).values() if kind == "drawing" else ():
                element = package.xml(chart) if drawn == "chart" else None
                if element is not None:
                    extras.charts.append(element)
        extras.comments = [f"Comment on {cell}{text}" for cell, several in texts.items() for text in several]
    return found


def _comments(root: _Element, people: dict[str, str]) -> list[tuple[str, str]]:
    authors = [flat_text(author) for author in children(child(root, "authors"), "author")]
    found = []
    for element in root.iter():
        cell = element.get("ref") or ""
        if local(element) == "comment":
            at = element.get("authorId") or ""
            author = authors[int(at)] if at.isdigit() and int(at) < len(authors) else ""
            if author.startswith("tc="):  # a stand-in for a threaded comment, which is read from its own part
                continue
            text = flat_text(child(element, "text"))
        elif local(element) == "threadedComment":
            author, text = people.get(element.get("personId") or "", ""), flat_text(child(element, "text"))
        else:
            continue
        if text:
            found.append((cell, f" by {author}: {text}" if author else f": {text}"))
    return found


def _people(package: Package, related: dict[str, tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for kind, target in related.values():
        root = package.xml(target) if kind == "person" else None
        for person in root.iter() if root is not None else ():
            if person.get("id") and person.get("displayName"):
                found[str(person.get("id"))] = str(person.get("displayName"))
    return found
