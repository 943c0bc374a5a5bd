from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice

from kaynak.domain import BlockKind, ParsedDocument
from kaynak.parsing import media
from kaynak.parsing.builder import TextBuilder, tidy
from kaynak.parsing.detect import detect
from kaynak.parsing.encodings import decode
from kaynak.parsing.protocol import ParseLimits, Source
from kaynak.parsing.tables import TABLE_CHARS, add_record, add_table, as_records, is_header, markdown, record, trimmed

_DELIMITERS = ",;\t|"
_SAMPLE_ROWS = 200
_FIELD_LIMIT = 64 * 1024 * 1024


class DelimitedParser:
    """CSV and TSV. A short file is a table; in a longer one each row is a record that names its columns."""

    def parse(self, source: Source, limits: ParseLimits) -> ParsedDocument:
        """See `Parser.parse`."""
        decoded = decode(source.path.read_bytes())
        text = tidy(decoded.text, code=True)
        warnings = [decoded.warning] if decoded.warning else []
        builder = TextBuilder(limits.text_chars, limits.pages)
        delimiter = find_delimiter(text)
        rows = _rows(text, delimiter)
        head = list(islice(rows, _SAMPLE_ROWS))
        size = sum(len(cell) + 3 for row in head for cell in row)
        if len(head) < _SAMPLE_ROWS and size <= TABLE_CHARS:
            add_table(builder, head, records=False)
        elif head:
            _add_records(builder, head, rows)
        widths = Counter(map(len, head))
        if len(widths) > 1:
            warnings.append("Some rows have more or fewer cells than others.")
        kind = media.TSV if delimiter == "\t" else detect(source.path, source.name)
        return builder.build(kind if kind in {media.CSV, media.TSV} else media.CSV, warnings=warnings)


def find_delimiter(text: str) -> str:
    """Returns the delimiter under which rows agree best on having several cells."""
    sample = text[:64_000]
    best, best_score = ",", 0.0
    for delimiter in _DELIMITERS:
        if delimiter not in sample:
            continue
        widths = [len(row) for row in islice(_rows(sample, delimiter), 100)]
        if not widths:
            continue
        width, times = Counter(widths).most_common(1)[0]
        score = times / len(widths) * min(width - 1, 3) if width > 1 else 0.1 * (max(widths) > 1)
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    csv.field_size_limit(_FIELD_LIMIT)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    return (row for row in reader if any(cell.strip() for cell in row))


def _add_records(builder: TextBuilder, head: list[list[str]], rest: Iterator[list[str]]) -> None:
    width = max(map(len, head))
    padded = [row + [""] * (width - len(row)) for row in head[1:]]
    if is_header(head[0], padded):
        for text in as_records(head[0], chain(head[1:], rest)):
            add_record(builder, text)
    elif width == 1:
        for row in chain(head, rest):
            builder.add(BlockKind.PARAGRAPH, row[0])
    elif len(head) < _SAMPLE_ROWS and sum(len(cell) for row in head for cell in row) < 4 * TABLE_CHARS:
        builder.add(BlockKind.TABLE, markdown(trimmed(head)))
    else:
        for row in chain(head, rest):
            add_record(builder, record(("", cell) for cell in row))
