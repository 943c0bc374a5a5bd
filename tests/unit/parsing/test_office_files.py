# ruff: noqa: E501 - markup is easier to read unbroken
from __future__ import annotations

import datetime as dt
import functools
import io
import zipfile

import pytest

from kaynak.domain import Outline, UnreadableDocument, UnreadableReason
from kaynak.parsing import media

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def kinds(parsed) -> list[tuple[str, str, int | None]]:
    return [(block.kind.value, parsed.text[block.start : block.end], block.level) for block in parsed.blocks]


def saved(document) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def package(**parts: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def word(body: str, **parts: str) -> bytes:
    return package(
        **{
            "[Content_Types].xml": "<Types/>",
            "word/document.xml": f"<w:document {W}><w:body>{body}</w:body></w:document>",
            **parts,
        }
    )


def para(text: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


class TestDocx:
    def test_what_word_writes(self, read) -> None:
        import docx

        document = docx.Document()
        document.core_properties.title = "Handbook"
        document.core_properties.author = "Ada"
        document.add_heading("Leave", 1)
        document.add_paragraph("Fourteen days.")
        document.add_paragraph("item", style="List Bullet")
        document.add_paragraph("first", style="List Number")
        document.add_paragraph("second", style="List Number")
        document.add_heading("Sick leave", 2)
        table = document.add_table(3, 3)
        for row in range(3):
            for column in range(3):
                table.cell(row, column).text = f"{row}{column}"
        table.cell(0, 1).merge(table.cell(0, 2))
        table.cell(1, 0).merge(table.cell(2, 0))
        section = document.sections[0]
        section.header.paragraphs[0].text = "Company confidential"
        section.footer.paragraphs[0].text = "12"
        parsed = read("handbook.pdf", saved(document))
        assert (parsed.media_type, parsed.title, parsed.metadata["author"]) == (media.DOCX, "Handbook", "Ada")
        assert kinds(parsed)[:7] == [
            ("paragraph", "Company confidential", None),
            ("heading", "Leave", 1),
            ("paragraph", "Fourteen days.", None),
            ("list_item", "- item", 0),
            ("list_item", "1. first", 0),
            ("list_item", "2. second", 0),
            ("heading", "Sick leave", 2),
        ]
        assert kinds(parsed)[7][1].splitlines()[2:] == ["| 10 20 | 11 | 12 |", "| 10 20 | 21 | 22 |"]
        assert Outline(parsed.text, parsed.blocks).path(len(parsed.text)) == ("Leave", "Sick leave")

    def test_changes_are_accepted_and_fields_show_their_results(self, read) -> None:
        body = (
            "<w:p><w:del><w:r><w:delText>old</w:delText></w:r></w:del><w:ins><w:r><w:t>new</w:t></w:r></w:ins>"
            '<w:r><w:fldChar w:fldCharType="begin"/><w:instrText>PAGE</w:instrText><w:fldChar w:fldCharType="separate"/>'
            '<w:t xml:space="preserve"> shown</w:t><w:fldChar w:fldCharType="end"/></w:r>'
            "<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r><w:hyperlink><w:r><w:t> link</w:t></w:r></w:hyperlink>"
            '<w:r><w:tab/><w:t>x</w:t><w:br/><w:noBreakHyphen/><w:sym w:char="F0FC"/><w:t>y</w:t></w:r></w:p>'
        )
        assert read("a.docx", word(body)).text == "new shown link\tx\n-✓y"

    def test_boxes_notes_comments_and_nested_tables(self, read) -> None:
        nested = f"<w:tbl><w:tr><w:tc>{para('in')}</w:tc><w:tc>{para('ner')}</w:tc></w:tr></w:tbl>"
        body = (
            f"<w:p><w:r><w:t>before</w:t><w:pict><w:txbxContent>{para('boxed')}</w:txbxContent></w:pict>"
            '<w:footnoteReference w:id="2"/></w:r></w:p>'
            f"<w:sdt><w:sdtContent>{para('controlled')}</w:sdtContent></w:sdt>"
            f"<w:tbl><w:tr><w:tc>{para('a')}</w:tc><w:tc>{para('b')}{nested}</w:tc></w:tr>"
            f"<w:tr><w:trPr><w:gridBefore w:val='1'/></w:trPr><w:tc>{para('late')}</w:tc></w:tr></w:tbl>"
            f"<w:tbl><w:tr><w:tc>{para('framed')}</w:tc></w:tr></w:tbl>"
        )
        notes = f'<w:footnotes {W}><w:footnote w:type="separator"><w:p/></w:footnote><w:footnote w:id="2">{para("a note")}</w:footnote></w:footnotes>'
        comments = f'<w:comments {W}><w:comment w:author="Ada">{para("check")}</w:comment><w:comment>{para("anon")}</w:comment></w:comments>'
        parsed = read("a.docx", word(body, **{"word/footnotes.xml": notes, "word/comments.xml": comments}))
        assert [text for _, text, _ in kinds(parsed)] == [
            "before[2]", "boxed", "controlled", "| a | b in; ner |\n| --- | --- |\n|  | late |", "framed", "[2] a note",
            "Comment by Ada: check", "Comment: anon",
        ]  # fmt: skip

    def test_numbering_and_localized_headings(self, read) -> None:
        levels = "".join(
            f'<w:lvl w:ilvl="{at}"><w:start w:val="1"/><w:numFmt w:val="{style}"/><w:lvlText w:val="{pattern}"/></w:lvl>'
            for at, (style, pattern) in enumerate([("decimal", "%1."), ("lowerLetter", "%2)"), ("upperRoman", "%1.%3")])
        )
        numbering = (
            f'<w:numbering {W}><w:abstractNum w:abstractNumId="0">{levels}</w:abstractNum>'
            '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="0"/>'
            '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/></w:lvlOverride></w:num></w:numbering>'
        )
        styles = (
            f'<w:styles {W}><w:style w:styleId="B1"><w:name w:val="Başlık 1"/></w:style>'
            '<w:style w:styleId="D"><w:name w:val="Derived"/><w:basedOn w:val="B1"/></w:style>'
            '<w:style w:styleId="Loop"><w:basedOn w:val="Loop"/></w:style>'
            '<w:style w:styleId="O"><w:name w:val="x"/><w:pPr><w:outlineLvl w:val="2"/></w:pPr></w:style>'
            '<w:style w:styleId="T"><w:name w:val="Title"/></w:style><w:style w:styleId="Q"><w:name w:val="Quote"/></w:style>'
            "</w:styles>"
        )

        def item(text: str, number: int, level: int) -> str:
            return para(text, f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>')

        body = (
            para("The title", '<w:pStyle w:val="T"/>') + para("One", '<w:pStyle w:val="D"/>')
            + para("Two", '<w:pStyle w:val="O"/>') + para("Three", '<w:outlineLvl w:val="3"/>')
            + para("plain", '<w:pStyle w:val="Loop"/>') + para("said", '<w:pStyle w:val="Q"/>')
            + item("a", 1, 0) + item("b", 1, 1) + item("c", 1, 1) + item("d", 1, 2) + item("e", 1, 0) + item("f", 2, 0)
        )  # fmt: skip
        parsed = read("a.docx", word(body, **{"word/styles.xml": styles, "word/numbering.xml": numbering}))
        assert parsed.title == "The title"
        assert kinds(parsed) == [
            ("heading", "The title", 1), ("heading", "One", 1), ("heading", "Two", 3), ("heading", "Three", 4),
            ("paragraph", "plain", None), ("quote", "said", None), ("list_item", "1. a", 0), ("list_item", "a) b", 1),
            ("list_item", "b) c", 1), ("list_item", "1.I d", 2), ("list_item", "2. e", 0), ("list_item", "5. f", 0),
        ]  # fmt: skip

    def test_formulas(self, read) -> None:
        m = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'

        def t(text: str) -> str:
            return f"<m:r><m:t>{text}</m:t></m:r>"

        formula = (
            f"<w:p><m:oMath {m}><m:f><m:num>{t('a+b')}</m:num><m:den>{t('2')}</m:den></m:f>{t('=')}"
            f"<m:sSup><m:e>{t('x')}</m:e><m:sup>{t('2')}</m:sup></m:sSup><m:rad><m:deg/><m:e>{t('y')}</m:e></m:rad>"
            f"<m:nary><m:naryPr><m:chr m:val='∑'/></m:naryPr><m:sub>{t('i=1')}</m:sub><m:sup>{t('n')}</m:sup><m:e>{t('i')}</m:e></m:nary>"
            f"<m:d><m:e>{t('u')}</m:e><m:e>{t('v')}</m:e></m:d><m:func><m:fName>{t('sin')}</m:fName><m:e>{t('z')}</m:e></m:func>"
            f"<m:m><m:mr><m:e>{t('1')}</m:e><m:e>{t('2')}</m:e></m:mr></m:m></m:oMath></w:p>"
        )
        assert read("a.docx", word(formula)).text == "(a+b)/2=x^2√(y)∑_(i=1)^n i(u, v)sin(z)[1, 2]"

    def test_a_package_without_a_document(self, read) -> None:
        with pytest.raises(UnreadableDocument) as caught:
            read("a.docx", package(**{"[Content_Types].xml": "<Types/>", "word/x.xml": "<x/>"}))
        assert caught.value.reason is UnreadableReason.CORRUPT

    def test_billion_laughs(self, read) -> None:
        bomb = "<!DOCTYPE x [<!ENTITY a 'ha'>" + "".join(
            f"<!ENTITY {chr(98 + n)} '{f'&{chr(97 + n)};' * 10}'>" for n in range(12)
        )
        document = f"{bomb}]><w:document {W}><w:body><w:p><w:r><w:t>text &m;</w:t></w:r></w:p></w:body></w:document>"
        data = package(**{"[Content_Types].xml": "<Types/>", "word/document.xml": document})
        assert read("a.docx", data).text.startswith("text")
        assert read("a.xml", f"<?xml version='1.0'?>{bomb}]><a><b>text &m;</b></a>").text.startswith("b: text")

    def test_external_entities_are_not_read(self, read, tmp_path) -> None:
        secret = tmp_path / "secret"
        secret.write_text("TOP SECRET")
        text = read("a.xml", f"<!DOCTYPE x [<!ENTITY e SYSTEM 'file://{secret}'>]><x><y>hello &e;</y></x>").text
        assert "SECRET" not in text

    def test_a_part_that_is_a_bomb(self, read) -> None:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr("[Content_Types].xml", "<Types/>")
            with archive.open("word/document.xml", "w", force_zip64=True) as part:
                for _ in range(520):
                    part.write(bytes(1024 * 1024))
        with pytest.raises(UnreadableDocument) as caught:
            read("a.docx", buffer.getvalue())
        assert caught.value.reason is UnreadableReason.TOO_COMPLEX


class TestPptx:
    def test_slides(self, read) -> None:
        import pptx
        from pptx.chart.data import CategoryChartData
        from pptx.enum.chart import XL_CHART_TYPE
        from pptx.util import Inches

        deck = pptx.Presentation()
        first = deck.slides.add_slide(deck.slide_layouts[1])
        first.shapes.title.text = "Plan"
        first.placeholders[1].text = "point"
        inner = first.placeholders[1].text_frame.add_paragraph()
        inner.text, inner.level = "detail", 1
        first.notes_slide.notes_text_frame.text = "Say hello"
        second = deck.slides.add_slide(deck.slide_layouts[6])
        frame = second.shapes.add_table(2, 2, 0, 0, Inches(4), Inches(1))
        for row in range(2):
            for column in range(2):
                frame.table.cell(row, column).text = f"c{row}{column}"
        group = second.shapes.add_group_shape()
        group.shapes.add_textbox(0, 0, 10, 10).text_frame.text = "grouped"
        data = CategoryChartData()
        data.categories = ["east", "west"]
        data.add_series("sales", (1, 2.5))
        chart = second.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, 0, Inches(3), Inches(3), data).chart
        chart.has_title = True
        chart.chart_title.text_frame.text = "Sales by region"
        parsed = read("deck.zip", saved(deck))
        assert [page.label for page in parsed.pages] == ["Plan", None]
        assert kinds(parsed) == [
            ("heading", "Plan", 1),
            ("list_item", "- point", 0),
            ("list_item", "- detail", 1),
            ("paragraph", "Notes: Say hello", None),
            ("table", "| c00 | c01 |\n| --- | --- |\n| c10 | c11 |", None),
            ("paragraph", "grouped", None),
            ("caption", "Sales by region", None),
            ("table", "|  | sales |\n| --- | --- |\n| east | 1 |\n| west | 2.5 |", None),
        ]

    def test_no_list_of_slides(self, read) -> None:
        with pytest.raises(UnreadableDocument):
            read("a.pptx", package(**{"[Content_Types].xml": "<Types/>", "ppt/x.xml": "<x/>"}))


class TestSheets:
    def test_sheets_islands_and_values(self, read) -> None:
        import openpyxl
        from openpyxl.comments import Comment

        book = openpyxl.Workbook()
        sheet = book.active
        sheet.title = "Staff"
        sheet["C3"], sheet["D3"], sheet["E3"] = "name", "born", "full"
        sheet["C4"], sheet["D4"], sheet["E4"] = "Ayşe", dt.date(1990, 5, 17), True
        sheet["C5"], sheet["D5"], sheet["E5"] = "Ali", dt.datetime.fromisoformat("1991-01-02T03:04"), 0.1 + 0.2
        sheet["C9"] = "A remark below"
        sheet["C4"].comment = Comment("check her name", "Ada")
        book.create_sheet("Empty")
        book.create_sheet("Numbers").append([1.0, 2.5])
        parsed = read("a.txt", saved(book))
        assert [page.label for page in parsed.pages] == ["Staff", "Numbers"]
        assert kinds(parsed) == [
            ("heading", "Staff", 1),
            (
                "table",
                "| name | born | full |\n| --- | --- | --- |\n| Ayşe | 1990-05-17 | TRUE |\n| Ali | 1991-01-02 03:04:00 | 0.3 |",
                None,
            ),
            ("paragraph", "A remark below", None),
            ("quote", "Comment on C4 by Ada: check her name", None),
            ("heading", "Numbers", 1),
            ("table", "| 1 | 2.5 |\n| --- | --- |", None),
        ]

    def test_a_long_sheet_is_records(self, read) -> None:
        import openpyxl

        book = openpyxl.Workbook()
        book.active.append(["name", "city"])
        for n in range(200):
            book.active.append([f"person {n}", f"city {n}"])
        assert "name: person 9; city: city 9" in read("a.xlsx", saved(book)).text.split("\n")

    def test_tables_side_by_side(self, read) -> None:
        import openpyxl

        book = openpyxl.Workbook()
        for row in ([1, 2, None, 3, 4], [5, 6, None, 7, 8]):
            book.active.append(row)
        assert len([kind for kind, _, _ in kinds(read("a.xlsx", saved(book))) if kind == "table"]) == 2

    def test_a_stray_cell_far_away(self, read) -> None:
        import openpyxl

        book = openpyxl.Workbook()
        book.active["A1"], book.active["XFD1048576"] = "near", "far"
        with pytest.raises(UnreadableDocument) as caught:
            read("a.xlsx", saved(book))
        assert caught.value.reason is UnreadableReason.TOO_COMPLEX

    def test_damaged(self, read) -> None:
        with pytest.raises(UnreadableDocument) as caught:
            read("a.xlsx", package(**{"[Content_Types].xml": "<Types/>", "xl/x.xml": "<x/>"}))
        assert caught.value.reason is UnreadableReason.CORRUPT


ODF = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0" '
    'xmlns:presentation="urn:oasis:names:tc:opendocument:xmlns:presentation:1.0" xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:meta="urn:oasis:names:tc:opendocument:xmlns:meta:1.0"'
)


def odf(kind: str, body: str, styles: str = "", **parts: str) -> bytes:
    content = (
        f"<office:document-content {ODF}><office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body>{body}</office:body></office:document-content>"
    )
    return package(**{"mimetype": kind, "content.xml": content, **parts})


class TestOpenDocument:
    def test_text(self, read) -> None:
        body = (
            "<office:text><text:tracked-changes><text:p>deleted</text:p></text:tracked-changes>"
            '<text:p text:style-name="P1">The title</text:p><text:h text:outline-level="2">Part</text:h>'
            "<text:p>One<text:s text:c='2'/>two<text:tab/>three<text:line-break/>four"
            "<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>a note</text:p></text:note-body></text:note>"
            "<office:annotation><dc:creator>Ada</dc:creator><text:p>check</text:p></office:annotation></text:p>"
            "<text:list text:style-name='L1'><text:list-item><text:p>first</text:p><text:p>more</text:p>"
            "<text:list><text:list-item><text:p>inner</text:p></text:list-item></text:list></text:list-item></text:list>"
            "<text:section><text:p text:style-name='Quotations'>said</text:p></text:section>"
            "<table:table><table:table-row><table:table-cell table:number-columns-spanned='2'><text:p>wide</text:p></table:table-cell>"
            "<table:covered-table-cell/></table:table-row><table:table-row><table:table-cell><text:p>a</text:p></table:table-cell>"
            "<table:table-cell><text:p>b</text:p></table:table-cell><table:table-cell table:number-columns-repeated='900'/>"
            "</table:table-row></table:table></office:text>"
        )
        styles = (
            "<style:style style:name='P1' style:parent-style-name='Title'/><text:list-style style:name='L1'>"
            "<text:list-level-style-number text:level='1' style:num-format='1'/></text:list-style>"
        )
        meta = f"<office:document-meta {ODF}><office:meta><meta:initial-creator>Ada</meta:initial-creator></office:meta></office:document-meta>"
        parsed = read("a.docx", odf(media.ODT, body, styles, **{"meta.xml": meta}))
        assert (parsed.media_type, parsed.title, parsed.metadata) == (media.ODT, "The title", {"author": "Ada"})
        assert kinds(parsed) == [
            ("heading", "The title", 1), ("heading", "Part", 2), ("paragraph", "One  two\tthree\nfour[1]", None),
            ("list_item", "1. first", 0), ("paragraph", "more", None), ("list_item", "- inner", 1),
            ("quote", "said", None), ("table", "| wide | wide |\n| --- | --- |\n| a | b |", None),
            ("paragraph", "[1] a note", None), ("quote", "Comment by Ada: check", None),
        ]  # fmt: skip

    def test_slides(self, read) -> None:
        body = (
            "<office:presentation><draw:page draw:name='page1'>"
            "<draw:frame presentation:class='title'><draw:text-box><text:p>Plan</text:p></draw:text-box></draw:frame>"
            "<draw:frame presentation:class='outline'><draw:text-box><text:p>point</text:p></draw:text-box></draw:frame>"
            "<draw:g><draw:custom-shape><text:p>shape</text:p></draw:custom-shape></draw:g>"
            "<draw:frame><table:table><table:table-row><table:table-cell><text:p>x</text:p></table:table-cell>"
            "<table:table-cell><text:p>y</text:p></table:table-cell></table:table-row></table:table></draw:frame>"
            "<presentation:notes><draw:frame><draw:text-box><text:p>say</text:p></draw:text-box></draw:frame></presentation:notes>"
            "</draw:page><draw:page draw:name='page2'/></office:presentation>"
        )
        parsed = read("a.odp", odf(media.ODP, body))
        assert [page.label for page in parsed.pages] == ["Plan", "page2"]
        assert [text for _, text, _ in kinds(parsed)] == [
            "Plan",
            "point",
            "shape",
            "| x | y |\n| --- | --- |",
            "Notes: say",
        ]

    @pytest.mark.parametrize("kind", [media.ODT, media.ODS, media.ODP])
    def test_encrypted(self, read, kind) -> None:
        manifest = {"META-INF/manifest.xml": "<manifest:encryption-data/>"}
        with pytest.raises(UnreadableDocument) as caught:
            read("a.odt", odf(kind, "<office:text/>", **manifest))
        assert caught.value.reason is UnreadableReason.ENCRYPTED


class TestEpub:
    def book(self, **extra: str) -> bytes:
        opf = (
            '<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
            "<dc:title>Springs</dc:title><dc:creator>Ada</dc:creator><dc:language>en-GB</dc:language><dc:date>2020</dc:date>"
            '</metadata><manifest><item id="b" href="b%20b.xhtml"/><item id="a" href="a.xhtml"/><item id="c" href="cover.xhtml"/>'
            '<item id="gone" href="gone.xhtml"/><item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>'
            '<item id="nav" href="nav.xhtml" properties="nav"/></manifest>'
            '<spine><itemref idref="c"/><itemref idref="nav"/><itemref idref="a"/><itemref idref="b"/><itemref idref="gone"/></spine></package>'
        )
        x = '<html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body>{}</body></html>'
        return package(**{
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": '<container><rootfiles><rootfile full-path="OEBPS/c.opf"/></rootfiles></container>',
            "OEBPS/c.opf": opf, "OEBPS/cover.xhtml": x.format('<img src="c.png"/>'),
            "OEBPS/a.xhtml": x.format("<h1>First</h1><p>One&nbsp;text.</p>"), "OEBPS/b b.xhtml": x.format("<p>Two.</p>"),
            "OEBPS/nav.xhtml": x.format('<nav><a href="a.xhtml#x">Chapter one</a></nav>'),
            "OEBPS/toc.ncx": "<ncx><navMap><navPoint><navLabel><text>Chapter two</text></navLabel>"
            '<content src="b%20b.xhtml"/></navPoint></navMap></ncx>', **extra,
        })  # fmt: skip

    def test_chapters(self, read) -> None:
        parsed = read("a.zip", self.book())
        assert (parsed.title, parsed.language) == ("Springs", "en")
        assert parsed.metadata == {"author": "Ada", "created": "2020"}
        assert [page.label for page in parsed.pages] == ["Chapter one", "Chapter two"]
        assert parsed.text == "First\n\nOne text.\n\nTwo."
        assert parsed.warnings == ("1 chapters are missing in the file.",)

    def test_protected(self, read) -> None:
        rights = '<encryption><EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/></encryption>'
        with pytest.raises(UnreadableDocument) as caught:
            read("a.epub", self.book(**{"META-INF/encryption.xml": rights}))
        assert caught.value.reason is UnreadableReason.ENCRYPTED


@functools.cache
def locked() -> bytes:
    import docx
    from msoffcrypto.format.ooxml import OOXMLFile

    document, out = docx.Document(), io.BytesIO()
    document.add_paragraph("the secret plan")
    OOXMLFile(io.BytesIO(saved(document))).encrypt("open sesame", out)
    return out.getvalue()


class TestEncryptedOffice:
    def test_the_right_password_opens_it(self, read) -> None:
        assert read("a.docx", locked(), password="open sesame").text == "the secret plan"

    def test_without_and_with_a_wrong_password(self, read) -> None:
        with pytest.raises(UnreadableDocument) as without:
            read("a.docx", locked())
        with pytest.raises(UnreadableDocument) as wrong:
            read("a.docx", locked(), password="guess")
        assert without.value.reason is UnreadableReason.ENCRYPTED
        assert "password" in (without.value.hint or "")
        assert wrong.value.reason is UnreadableReason.WRONG_PASSWORD
