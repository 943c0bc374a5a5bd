from __future__ import annotations

from kaynak.domain import Json, ParsedDocument
from kaynak.parsing import media
from kaynak.parsing.asciidoc import AsciiDoc
from kaynak.parsing.builder import TextBuilder, tidy
from kaynak.parsing.detect import detect
from kaynak.parsing.dialect import Dialect
from kaynak.parsing.encodings import decode
from kaynak.parsing.orgmode import OrgMode
from kaynak.parsing.protocol import ParseLimits, Source
from kaynak.parsing.restructured import ReStructured

_DIALECTS: dict[str, type[Dialect]] = {
    media.ASCIIDOC: AsciiDoc,
    media.RST: ReStructured,
    media.ORG: OrgMode,
}


class MarkupParser:
    """AsciiDoc, reStructuredText and Org: headings, lists, code and tables; inline marks are removed."""

    def parse(self, source: Source, limits: ParseLimits) -> ParsedDocument:
        """See `Parser.parse`."""
        decoded = decode(source.path.read_bytes())
        media_type = detect(source.path, source.name, source.media_type)
        builder = TextBuilder(limits.text_chars, limits.pages)
        dialect = _DIALECTS.get(media_type, ReStructured)(builder)
        dialect.read(tidy(decoded.text, code=True).expandtabs(4).split("\n"))
        metadata: dict[str, Json] = {
            key: dialect.fields[key] for key in ("author", "date", "description", "keywords") if key in dialect.fields
        }
        return builder.build(
            media_type,
            title=dialect.fields.get("title"),
            language=dialect.fields.get("language") or dialect.fields.get("lang"),
            metadata=metadata,
            warnings=[decoded.warning] if decoded.warning else [],
        )
