from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kaynak.domain import ParsedDocument, UnreadableDocument, UnreadableReason
from kaynak.parsing.pdf.document import iso_date
from kaynak.parsing.pdf.scans import page_list
from kaynak.parsing.protocol import ParseLimits

Read = Callable[..., ParsedDocument]
Filler = Callable[[int], list[str]]


def reason_of(read: Read, content: bytes, **more: Any) -> UnreadableReason:
    with pytest.raises(UnreadableDocument) as caught:
        read("a.pdf", content, **more)
    assert caught.value.message
    return caught.value.reason


def test_the_file_says_who_wrote_it_and_when(pdf: Any, read: Read) -> None:
    pdf.info = {
        "Title": "Annual Report",
        "Author": "A. Writer",
        "Creator": "\\(unspecified\\)",
        "CreationDate": "D:20240131120000+01'00'",
        "ModDate": "D:2024",
    }
    pdf.catalog = "/Lang (tr-TR)"
    pdf.page().text(60, 700, "Something")
    parsed = read("a.pdf", pdf.write())
    assert parsed.title == "Annual Report"
    assert parsed.language == "tr"
    assert parsed.metadata == {"author": "A. Writer", "created": "2024-01-31T12:00:00+01:00", "modified": "2024-01-01"}


@pytest.mark.parametrize("title", ["Microsoft Word - plan.doc", "untitled", "thesis.tex", "(anonymous)", "x"])
def test_titles_that_programs_make_up_are_ignored(pdf: Any, read: Read, title: str) -> None:
    pdf.info = {"Title": title.replace("(", r"\(").replace(")", r"\)")}
    pdf.page().text(60, 700, "Something")
    assert read("a.pdf", pdf.write()).title is None


@pytest.mark.parametrize(
    ("declared", "iso"),
    [
        ("D:19991231235959Z", "1999-12-31T23:59:59+00:00"),
        ("D:20240229", "2024-02-29"),
        ("20240101103000-05'30", "2024-01-01T10:30:00-05:30"),
        ("D:20241399", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_dates(declared: str, iso: str | None) -> None:
    assert iso_date(declared) == iso


def test_pages_have_sizes_and_labels(pdf: Any, read: Read) -> None:
    pdf.catalog = "/PageLabels << /Nums [0 << /S /r >> 2 << /S /D /St 1 >>] >>"
    for index in range(4):
        pdf.page(width=300 + index).text(60, 700, f"Page with the words {'abcd'[index] * 5}")
    parsed = read("a.pdf", pdf.write())
    assert [page.label for page in parsed.pages] == ["i", "ii", "1", "2"]
    assert [page.width for page in parsed.pages] == [300, 301, 302, 303]
    for index in range(4):
        start = parsed.text.index("abcd"[index] * 5)
        assert [page.number for page in parsed.pages if page.start <= start < page.end] == [index + 1]


def test_headers_footers_and_page_numbers_go_from_long_documents(pdf: Any, read: Read, filler: Filler) -> None:
    for number in range(1, 7):
        page = pdf.page()
        page.text(60, 810, f"The Handbook, chapter {number}")
        page.lines(60, 760, [f"Body of page {'abcdef'[number - 1] * 4}", *filler(6)])
        page.text(60, 40, f"Section title {'xyzuvw'[number - 1]} {number + 10}").text(500, 30, f"Confidential {number}")
    text = read("a.pdf", pdf.write()).text
    assert "Handbook" not in text
    assert "Confidential" not in text
    assert "Section title" not in text
    assert text.count("Body of page") == 6


def test_pages_of_nothing_but_a_repeated_line_keep_it(pdf: Any, read: Read) -> None:
    for _ in range(4):
        pdf.page().text(60, 810, "Thank you")
    assert read("a.pdf", pdf.write()).text.count("Thank you") == 4


def test_two_pages_keep_everything(pdf: Any, read: Read) -> None:
    for number in (1, 2):
        pdf.page().text(60, 810, "The Handbook").text(60, 700, f"Body {number}").text(300, 30, str(number))
    text = read("a.pdf", pdf.write()).text
    assert text.count("The Handbook") == 2


def test_a_line_that_repeats_in_the_text_stays(pdf: Any, read: Read, filler: Filler) -> None:
    for number in range(5):
        pdf.page().lines(60, 790 - 20 * number, [*filler(10), "See the appendix.", *filler(10)])
    assert read("a.pdf", pdf.write()).text.count("See the appendix.") == 5


def test_a_password_is_asked_for_checked_and_used(pdf: Any, read: Read) -> None:
    pdf.password = ("sesame", "owner")
    pdf.page().text(60, 700, "Hidden words")
    content = pdf.write()
    assert reason_of(read, content) is UnreadableReason.ENCRYPTED
    assert reason_of(read, content, password="guess") is UnreadableReason.WRONG_PASSWORD
    assert read("a.pdf", content, password="sesame").text == "Hidden words"
    assert read("a.pdf", content, password="owner").text == "Hidden words"


def test_a_file_that_only_its_owner_may_change_opens(pdf: Any, read: Read) -> None:
    pdf.password = ("", "owner")
    pdf.page().text(60, 700, "Free words")
    assert read("a.pdf", pdf.write()).text == "Free words"


def test_a_broken_cross_reference_is_mended(pdf: Any, read: Read) -> None:
    pdf.page().text(60, 700, "Still here")
    content = pdf.write()
    assert read("a.pdf", content.replace(b"startxref", b"startxxxx")).text == "Still here"
    assert read("a.pdf", content[: content.index(b"xref")] + b"trailer << /Root 1 0 R >>").text == "Still here"


def test_what_cannot_be_mended_says_so(read: Read, pdf: Any) -> None:
    assert reason_of(read, b"%PDF-1.7\n" + bytes(range(256)) * 4) is UnreadableReason.CORRUPT
    assert reason_of(read, pdf.write()) is UnreadableReason.CORRUPT  # no pages


def test_limits_on_pages_and_text(pdf: Any, read: Read) -> None:
    for _ in range(3):
        pdf.page().text(60, 700, "Some words on a page")
    content = pdf.write()
    assert reason_of(read, content, limits=ParseLimits(pages=2)) is UnreadableReason.TOO_COMPLEX
    assert reason_of(read, content, limits=ParseLimits(text_chars=30)) is UnreadableReason.TOO_COMPLEX


def test_a_page_without_anything_is_kept_as_a_page(pdf: Any, read: Read) -> None:
    pdf.page()
    pdf.page().text(60, 700, "Second")
    parsed = read("a.pdf", pdf.write())
    assert [(page.start, page.end) for page in parsed.pages] == [(0, 0), (0, 6)]


def test_a_document_of_blank_pages_has_no_text(pdf: Any, read: Read) -> None:
    pdf.page()
    assert reason_of(read, pdf.write()) is UnreadableReason.NO_TEXT


def test_attachments_are_mentioned(pdf: Any, read: Read) -> None:
    pdf.extra = ["<< /Type /Filespec /F (notes.txt) /UF (notes.txt) >>"]
    pdf.catalog = "/Names << /EmbeddedFiles << /Names [(notes.txt) 6 0 R] >> >>"
    pdf.page().text(60, 700, "Body")
    assert read("a.pdf", pdf.write()).warnings == ("1 embedded file was not read.",)


def test_comments_and_form_fields_are_text(pdf: Any, read: Read) -> None:
    pdf.extra = [
        "<< /Type /Annot /Subtype /Text /Rect [60 600 80 620] /Contents (Please check this) >>",
        "<< /Type /Annot /Subtype /Widget /FT /Tx /T (iban) /TU (Account) /V (TR33) /Rect [60 500 200 520] >>",
        "<< /Type /Annot /Subtype /Widget /FT /Btn /Ff 65536 /T (send) /Rect [60 400 200 420] >>",
        "<< /Type /Annot /Subtype /Link /Contents (no) /Rect [60 300 200 320] >>",
    ]
    pdf.catalog = "/AcroForm << /Fields [7 0 R 8 0 R] >>"
    page = pdf.page()
    page.text(60, 700, "Body")
    page.annotations = ["6 0 R", "7 0 R", "8 0 R", "9 0 R"]
    assert read("a.pdf", pdf.write()).text == "Body\n\nPlease check this\n\nAccount: TR33"


@pytest.mark.usefixtures("without_ocr")
def test_scans_need_recognition(pdf: Any, read: Read) -> None:
    pdf.page().scan()
    with pytest.raises(UnreadableDocument) as caught:
        read("a.pdf", pdf.write())
    assert caught.value.reason is UnreadableReason.NEEDS_OCR
    assert "kaynak[ocr]" in (caught.value.hint or "")


@pytest.mark.usefixtures("without_ocr")
def test_scans_among_text_are_named(pdf: Any, read: Read) -> None:
    pdf.page().text(60, 700, "Readable words of the first page")
    pdf.page().scan()
    pdf.page().scan().text(60, 20, "Page 3")
    parsed = read("a.pdf", pdf.write())
    assert "Readable words" in parsed.text
    assert any("pages 2–3" in warning for warning in parsed.warnings)


def test_page_lists_read_well() -> None:
    assert page_list([4]) == "page 4"
    assert page_list([1, 2, 3, 7, 9, 10]) == "pages 1–3, 7, 9–10"
    assert page_list(list(range(1, 100, 2))).endswith("and more")


def test_reading_is_deterministic(pdf: Any, read: Read, filler: Filler) -> None:
    page = pdf.page()
    page.lines(60, 760, filler(20))
    page.lines(330, 760, filler(20))
    content = pdf.write()
    assert read("a.pdf", content) == read("a.pdf", content)


@pytest.mark.data
def test_real_files_keep_their_promises(shared_data: Path, read: Read) -> None:
    """Of each kind one file, and what a reader would look for in it."""
    wanted = {
        "unstructured__multi-column-2p.pdf": "state-of-the-art on multiple open-domain QA benchmarks",
        "docling__right_to_left_01.pdf": "تحسين الإنتاجية وحل المشكلات",
        "docling__multi_page.pdf": "Pre-Digital Era (19th - Early 20th Century)",
        "docling__2305.03393v1-pg9.pdf": "| # enc-layers | # dec-layers | Language | TEDs |",
        "unstructured__korean-text-with-tables.pdf": "| 업종 | 적립 대상 |",
        "pypdf__issue-297.pdf": "test example",
        "unstructured__negative-coords.pdf": "calculated with rather conservative estimates",
    }
    for name, phrase in wanted.items():
        assert phrase in read(name, (shared_data / "documents" / "files" / name).read_bytes()).text
