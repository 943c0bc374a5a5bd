"""What office files say of themselves."""

from __future__ import annotations

from dataclasses import dataclass, field

from kaynak.domain import Json
from kaynak.parsing.package import Package
from kaynak.parsing.safexml import flat_text, local

_GENERIC_TITLES = frozenset({"powerpoint presentation", "word document", "slide 1", "untitled", "title", "document"})
_CORE = {
    "creator": "author",
    "lastModifiedBy": "last_modified_by",
    "created": "created",
    "modified": "modified",
    "subject": "subject",
    "keywords": "keywords",
    "description": "description",
    "category": "category",
}
_META = {
    "initial-creator": "author",
    "creator": "author",
    "creation-date": "created",
    "date": "modified",
    "subject": "subject",
    "keyword": "keywords",
    "description": "description",
}


@dataclass(slots=True)
class Properties:
    """Title, language and metadata as declared."""

    title: str | None = None
    language: str | None = None
    metadata: dict[str, Json] = field(default_factory=dict)


def ooxml_properties(package: Package) -> Properties:
    """Returns the core properties of a DOCX, PPTX or XLSX."""
    part = next((target for kind, target in package.related("").values() if kind == "core-properties"), None)
    return _read(package, part or "docProps/core.xml", _CORE)


def odf_properties(package: Package) -> Properties:
    """Returns the properties of an ODT, ODP or ODS."""
    properties = _read(package, "meta.xml", _META)
    properties.language = None  # LibreOffice writes the language of its user here, not that of the text
    return properties


def _read(package: Package, part: str, names: dict[str, str]) -> Properties:
    properties = Properties()
    root = package.xml(part)
    for element in root.iter() if root is not None else ():
        name, value = local(element), flat_text(element)
        if not value:
            continue
        if name == "title" and value.lower() not in _GENERIC_TITLES:
            properties.title = value
        elif name == "language":
            properties.language = value
        elif name in names:
            properties.metadata.setdefault(names[name], value)
    return properties
