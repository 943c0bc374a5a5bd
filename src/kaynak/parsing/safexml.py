"""XML that was written by strangers: no entities are expanded, nothing is fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaynak.domain import UnreadableDocument, UnreadableReason

if TYPE_CHECKING:
    from lxml.etree import XMLParser, _Element


def parse_xml(data: bytes) -> _Element | None:
    """Returns the root element; None if there is not even one. Damaged markup is read as far as possible.

    Raises:
        UnreadableDocument: It is nested too deeply, or has a single text of more than 10 MB.
    """
    from lxml import etree

    try:
        return etree.fromstring(data, _parser(recover=False))
    except etree.XMLSyntaxError as exc:
        if "huge" in str(exc).lower() or "excessive depth" in str(exc).lower():
            raise UnreadableDocument(
                UnreadableReason.TOO_COMPLEX, "The XML in the file is nested too deeply or too large."
            ) from exc
    except ValueError:  # encoding declaration that libxml2 does not know
        pass
    try:
        root = etree.fromstring(data, _parser(recover=True))
    except (etree.XMLSyntaxError, ValueError):
        return None
    return root if root is not None else None


def _parser(*, recover: bool) -> XMLParser:
    from lxml import etree

    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        recover=recover,
        remove_comments=True,
        remove_pis=True,
    )


def local(element: _Element) -> str:
    """Returns the tag without its namespace; an empty string for what is no element."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: _Element, name: str) -> str | None:
    """Returns an attribute by its local name, whatever its namespace."""
    direct = element.get(name)
    if direct is not None:
        return str(direct)
    suffix = "}" + name
    return next((str(value) for key, value in element.attrib.items() if str(key).endswith(suffix)), None)


def child(element: _Element | None, *path: str) -> _Element | None:
    """Returns the first descendant along a path of local names."""
    for name in path:
        if element is None:
            return None
        element = next((one for one in element if local(one) == name), None)
    return element


def children(element: _Element | None, name: str) -> list[_Element]:
    """Returns the direct children of a local name."""
    return [] if element is None else [one for one in element if local(one) == name]


def flat_text(element: _Element | None) -> str:
    """Returns all text in an element on one line."""
    if element is None:
        return ""
    return " ".join("".join(str(piece) for piece in element.itertext()).split())
