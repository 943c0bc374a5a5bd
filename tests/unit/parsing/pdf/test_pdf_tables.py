from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kaynak.domain import BlockKind, ParsedDocument
from kaynak.parsing.pdf.rules import Rule
from kaynak.parsing.pdf.tables import find_tables

Read = Callable[..., ParsedDocument]
XS = (60, 160, 260, 360)
YS = (700, 680, 660, 640)


def grid(page: Any) -> None:
    for x in XS:
        page.rule(x, YS[0], x, YS[-1])
    for y in YS:
        page.rule(XS[0], y, XS[-1], y)


def tables(parsed: ParsedDocument) -> list[str]:
    return [parsed.text[b.start : b.end] for b in parsed.blocks if b.kind is BlockKind.TABLE]


def test_a_ruled_table_becomes_markdown_in_its_place(pdf: Any, read: Read) -> None:
    page = pdf.page()
    page.text(60, 740, "Before the table.")
    grid(page)
    for row, cells in enumerate((("Name", "Size", "Price"), ("Apple", "small", "1|2"), ("Pear", "", "3"))):
        for column, cell in enumerate(cells):
            page.text(XS[column] + 4, YS[row] - 14, cell)
    page.text(60, 600, "After the table.")
    parsed = read("a.pdf", pdf.write())
    assert tables(parsed) == [
        "| Name | Size | Price |\n| --- | --- | --- |\n| Apple | small | 1\\|2 |\n| Pear |  | 3 |"
    ]
    assert parsed.text.index("Before") < parsed.text.index("Apple") < parsed.text.index("After")


def test_text_of_neighbouring_cells_is_parted_however_close(pdf: Any, read: Read) -> None:
    page = pdf.page()
    grid(page)
    for row in range(3):
        for column in range(3):
            page.text(XS[column] + 1, YS[row] - 14, f"cell number {row} {column} mm", 9.8)
    (table,) = tables(read("a.pdf", pdf.write()))
    assert table.count("|") == 4 * 4
    assert "| cell number 0 0 mm | cell number 0 1 mm |" in table


def test_a_merged_cell_stands_in_its_first_place(pdf: Any, read: Read) -> None:
    page = pdf.page()
    page.rule(60, 700, 360, 700).rule(60, 680, 360, 680).rule(60, 660, 360, 660).rule(60, 640, 360, 640)
    page.rule(60, 700, 60, 640).rule(360, 700, 360, 640).rule(160, 680, 160, 640).rule(260, 680, 260, 640)
    page.text(64, 686, "Prices of this year")
    for row in (1, 2):
        for column in range(3):
            page.text(XS[column] + 4, YS[row] - 14, f"v{row}{column}")
    (table,) = tables(read("a.pdf", pdf.write()))
    assert table.splitlines()[0] == "| Prices of this year |  |  |"


def test_lines_of_a_cell_are_joined(pdf: Any, read: Read) -> None:
    page = pdf.page()
    for x in (60, 200, 360):
        page.rule(x, 700, x, 620)
    for y in (700, 660, 620):
        page.rule(60, y, 360, y)
    page.text(64, 686, "A cell of").text(64, 674, "two lines").text(204, 680, "x")
    page.text(64, 640, "y").text(204, 640, "z")
    (table,) = tables(read("a.pdf", pdf.write()))
    assert "| A cell of two lines | x |" in table


def test_a_frame_around_prose_is_no_table(pdf: Any, read: Read, filler: Callable[[int], list[str]]) -> None:
    page = pdf.page()
    page.rule(50, 780, 400, 780).rule(50, 600, 400, 600).rule(50, 780, 50, 600).rule(400, 780, 400, 600)
    page.lines(60, 760, filler(8))
    parsed = read("a.pdf", pdf.write())
    assert tables(parsed) == []
    assert "river" in parsed.text


def test_lines_through_words_make_no_table(pdf: Any, read: Read, filler: Callable[[int], list[str]]) -> None:
    page = pdf.page()
    grid(page)
    page.lines(62, 690, filler(4), 10, 1.4)
    assert tables(read("a.pdf", pdf.write())) == []


def test_a_grid_of_open_sides_is_found() -> None:
    rules = [Rule(0, y, 100, y) for y in (0, 20, 40)] + [Rule(50, 0, 50, 40)]
    (table,) = find_tables(rules)
    assert (len(table.xs), len(table.ys)) == (3, 3)


def test_lines_that_do_not_meet_are_no_grid() -> None:
    assert find_tables([Rule(0, 0, 100, 0), Rule(0, 20, 100, 20), Rule(200, 0, 200, 40)]) == []
    assert find_tables([]) == []
