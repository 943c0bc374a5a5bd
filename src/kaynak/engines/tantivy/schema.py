from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from kaynak.engines.analysis import ANALYSIS_VERSION
from kaynak.engines.protocol import LexicalSpec

if TYPE_CHECKING:
    from tantivy import Schema

ID = "id"
DOCUMENT = "document"
HIGH, LOW = "high", "low"
BODY = "body"
FILTER = "filter"
REVISION = "revision"

ENTRY = "entry"
"""The filter term of every entry."""

HEADER = "header"
"""The filter term of the one reserved record, which holds the revision and changes in the same commit."""

LANGUAGE = "language"
"""Beginning of the filter term that holds an entry's language."""

SPEC_FILE = "kaynak.json"
_FORMAT = 1


def build_schema() -> Schema:
    """Returns the schema: nothing is stored, ids are read from columns, text is analysed before it comes."""
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_integer_field(ID, indexed=True, fast=True)
    builder.add_text_field(DOCUMENT, tokenizer_name="raw", index_option="basic")
    builder.add_unsigned_field(HIGH, fast=True)
    builder.add_unsigned_field(LOW, fast=True)
    builder.add_text_field(BODY, tokenizer_name="whitespace", index_option="freq")
    builder.add_text_field(FILTER, tokenizer_name="raw", index_option="basic")
    builder.add_integer_field(REVISION, fast=True)
    return builder.build()


def spec_text(spec: LexicalSpec) -> str:
    """Returns what decides whether an index on disk is equal to ``spec`` and readable by this code."""
    return json.dumps({"format": _FORMAT, "analysis": ANALYSIS_VERSION, "params": dict(spec.params)}, sort_keys=True)


def readable(directory: Path) -> bool:
    """Returns whether this code wrote the index, in its present format and analysis."""
    found = json.loads((directory / SPEC_FILE).read_text("utf-8"))
    return (found.get("format"), found.get("analysis")) == (_FORMAT, ANALYSIS_VERSION)
