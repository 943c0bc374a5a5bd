"""Bytes to canonical text with exact positions: detection, a parser per format, archives, guarded processes."""

from kaynak.parsing.archives import Member, expand, is_archive
from kaynak.parsing.detect import detect
from kaynak.parsing.ocr import ocr_available
from kaynak.parsing.pictures.asking import PageWanted
from kaynak.parsing.protocol import ParseLimits, Parser, Source
from kaynak.parsing.sandbox import ParserPool

PARSER_FINGERPRINT = "1"
"""Changes whenever any parser's output may change; stored with every parsed version."""

__all__ = [
    "PARSER_FINGERPRINT",
    "Member",
    "PageWanted",
    "ParseLimits",
    "Parser",
    "ParserPool",
    "Source",
    "detect",
    "expand",
    "is_archive",
    "ocr_available",
]
